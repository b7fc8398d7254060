"""The weighted sum of losses that a picture is optimised for, its target side computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from impasto.losses.content import content_loss
from impasto.losses.smoothness import total_variation
from impasto.losses.style import StyleLoss, guide_at
from impasto.losses.terms import Term
from impasto.nn.vgg import Encoder, Features

Losses = dict[str, Tensor]


class Statistic(NamedTuple):
    """What is asked of a picture: styles that share all three share the description."""

    loss: StyleLoss
    layer: str
    region: int | None


@dataclass(frozen=True)
class _Content:
    layer: str
    weight: float
    target: Tensor
    reduction: str


@dataclass(frozen=True)
class _Style:
    statistic: Statistic
    weight: float
    target: Any


@dataclass(frozen=True)
class _Smoothness:
    weight: float
    kind: str
    beta: float
    reduction: str


class Objective:
    """A loss of an image: content, style and smoothness, over one pass of one encoder.

    Attributes:
        tile: Side of the tiles that it is computed in; None is the whole at once.

    Args:
        encoder: Runs once a call, as deep as the deepest layer added.
        regions: Soft masks (1, 1, H, W) of the image, which styles may be confined to.
    """

    tile: int | None = None

    def __init__(self, encoder: Encoder, regions: Sequence[Tensor] = ()) -> None:
        self.encoder = encoder
        self._regions = tuple(regions)
        self._guides: dict[tuple[int, int, int], Tensor] = {}
        self._contents: list[_Content] = []
        self._styles: list[_Style] = []
        self._smoothness: list[_Smoothness] = []

    @torch.no_grad()
    def add_content(
        self,
        image: Tensor,
        layers: Mapping[str, float],
        *,
        reduction: str = "mean",
        relative: bool = False,
    ) -> Objective:
        """Ask for the features of an image (1, 3, H, W).

        Args:
            image: The content picture.
            layers: A weight for each layer.
            reduction: See :func:`impasto.losses.content.content_loss`.
            relative: Measure each layer in units of the loss that no features at all would have.
        """
        features = self._maps(image, list(layers))
        for layer, weight in layers.items():
            target = features[layer]
            if relative:
                nothing = content_loss(torch.zeros_like(target), target, reduction=reduction)
                weight = weight / max(float(nothing), 1e-12)  # noqa: PLW2901
            self._contents.append(_Content(layer, weight, target, reduction))
        return self

    @torch.no_grad()
    def add_style(
        self,
        image: Tensor | Sequence[Tensor],
        terms: Sequence[Term],
        layers: Mapping[str, float],
        *,
        weight: float = 1.0,
        region: int | None = None,
    ) -> Objective:
        """Ask for the style of an image (1, 3, h, w) of any size.

        Args:
            image: The style picture, or several views of it for a loss that takes them together.
            terms: The sum of losses; a term that names its own layers weighs them equally.
            layers: A weight for each layer, for the terms that name none.
            weight: Of this picture.
            region: Index of the mask that this style is confined to; None is everywhere.
        """
        views = [image] if isinstance(image, Tensor) else list(image)
        spreads = [dict.fromkeys(t.layers, 1.0) if t.layers else layers for t in terms]
        wanted = [
            (t.loss, layer) for t, spread in zip(terms, spreads, strict=True) for layer in spread
        ]
        targets = self._targets(views, wanted)
        for term, spread in zip(terms, spreads, strict=True):
            for layer, layer_weight in spread.items():
                total = weight * term.weight * layer_weight
                statistic = Statistic(term.loss, layer, region)
                self._styles.append(_Style(statistic, total, targets[term.loss, layer]))
        return self

    def add_smoothness(
        self, weight: float, *, kind: str = "squared", beta: float = 2.0, reduction: str = "sum"
    ) -> Objective:
        """Ask for little total variation; a weight of 0 adds nothing."""
        if weight:
            self._smoothness.append(_Smoothness(weight, kind, beta, reduction))
        return self

    @torch.no_grad()
    def balance(self, image: Tensor) -> Objective:
        """Measure each style loss in units of its value for ``image``, so that weights compare.

        Losses differ by many orders of magnitude between kernels and layers; after this a weight
        says what share of the way to the style that term and layer has.
        """
        found = self._describe(image)
        for index, style in enumerate(self._styles):
            value = float(style.statistic.loss.distance(found[style.statistic], style.target))
            self._styles[index] = replace(style, weight=style.weight / max(abs(value), 1e-12))
        return self

    @property
    def stochastic(self) -> bool:
        """Check whether its values depend on random draws."""
        return any(getattr(style.statistic.loss, "stochastic", False) for style in self._styles)

    def __call__(self, image: Tensor) -> Losses:
        """The losses of an image (1, 3, H, W): ``total`` and its weighted parts, each a scalar."""
        features = self.encoder(image, self._layers())
        losses = {"total": image.new_zeros(())}
        if self._contents:
            losses["content"] = self._content(features)
        if self._styles:
            losses["style"] = self._style(self._described(features))
        if self._smoothness:
            losses["smoothness"] = self._roughness(image)
        losses["total"] = sum((v for k, v in losses.items() if k != "total"), losses["total"])
        return losses

    def _statistics(self) -> list[Statistic]:
        """All that the style losses ask of a picture, each once."""
        return list({style.statistic: None for style in self._styles})

    def _layers(self) -> list[str]:
        contents = {entry.layer for entry in self._contents}
        return sorted(contents | {style.statistic.layer for style in self._styles})

    def _maps(self, image: Tensor, layers: Sequence[str]) -> Features:
        """The features of a whole picture."""
        return self.encoder(image, layers)

    def _targets(
        self, views: Sequence[Tensor], wanted: Sequence[tuple[StyleLoss, str]]
    ) -> dict[tuple[StyleLoss, str], Any]:
        """What each loss keeps of a style picture, or of its views, at a layer."""
        features = [self.encoder(view, sorted({layer for _, layer in wanted})) for view in views]
        targets = {}
        for loss, layer in wanted:
            maps = [view[layer] for view in features]
            targets[loss, layer] = loss.target(maps[0] if len(maps) == 1 else maps)
        return targets

    def _describe(self, image: Tensor) -> dict[Statistic, Any]:
        """All that the style losses ask of a picture."""
        return self._described(self.encoder(image, [s.statistic.layer for s in self._styles]))

    def _described(self, features: Features) -> dict[Statistic, Any]:
        found: dict[Statistic, Any] = {}
        for statistic in self._statistics():
            layer = features[statistic.layer]
            guide = self._guide(statistic.region, *layer.shape[-2:])
            found[statistic] = statistic.loss.describe(layer, guide)
        return found

    def _content(self, features: Features) -> Tensor:
        parts = (
            entry.weight
            * content_loss(features[entry.layer], entry.target, reduction=entry.reduction)
            for entry in self._contents
        )
        return torch.stack(list(parts)).sum()

    def _style(self, found: Mapping[Statistic, Any]) -> Tensor:
        parts = (
            style.weight * style.statistic.loss.distance(found[style.statistic], style.target)
            for style in self._styles
        )
        return torch.stack(list(parts)).sum()

    def _roughness(self, image: Tensor) -> Tensor:
        parts = (
            term.weight
            * total_variation(image, kind=term.kind, beta=term.beta, reduction=term.reduction)
            for term in self._smoothness
        )
        return torch.stack(list(parts)).sum()

    def _guide(self, region: int | None, height: int, width: int) -> Tensor | None:
        if region is None:
            return None
        key = (region, height, width)
        if key not in self._guides:
            self._guides[key] = guide_at(self._regions[region], height, width)
        return self._guides[key]
