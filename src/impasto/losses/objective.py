"""The weighted sum of losses that a picture is optimised for, its target side computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.encoder import Encoder
from impasto.losses.content import content_loss
from impasto.losses.smoothness import total_variation
from impasto.losses.terms import StyleLoss, Term, guide_at

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class _Content:
    layer: str
    weight: float
    target: Tensor
    reduction: str


@dataclass(frozen=True)
class _Style:
    layer: str
    weight: float
    loss: StyleLoss
    target: Any
    region: int | None


@dataclass(frozen=True)
class _Smoothness:
    weight: float
    kind: str
    beta: float
    reduction: str


class Objective:
    """A loss of an image: content, style and smoothness, over one pass of one encoder.

    Args:
        encoder: Runs once a call, as deep as the deepest layer added.
        regions: Soft masks (1, 1, H, W) of the image, which styles may be confined to.
    """

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
        features = self.encoder(image, list(layers))
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
        wanted = {name for term in terms for name in (term.layers or layers)}
        views = [image] if isinstance(image, Tensor) else list(image)
        features = [self.encoder(view, sorted(wanted)) for view in views]
        for term in terms:
            spread = dict.fromkeys(term.layers, 1.0) if term.layers else layers
            for layer, layer_weight in spread.items():
                maps = [view[layer] for view in features]
                target = term.loss.target(maps[0] if len(maps) == 1 else maps)
                total = weight * term.weight * layer_weight
                self._styles.append(_Style(layer, total, term.loss, target, region))
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
        features = self.encoder(image, [style.layer for style in self._styles])
        described: dict[Any, Any] = {}
        for index, style in enumerate(self._styles):
            value = float(self._style_value(style, features, described))
            self._styles[index] = replace(style, weight=style.weight / max(abs(value), 1e-12))
        return self

    def __call__(self, image: Tensor) -> Losses:
        """The losses of an image (1, 3, H, W): ``total`` and its weighted parts, each a scalar."""
        layers = {entry.layer for entry in self._contents} | {s.layer for s in self._styles}
        features = self.encoder(image, sorted(layers))
        zero = image.new_zeros(())
        losses = {"total": zero}
        for entry in self._contents:
            value = content_loss(features[entry.layer], entry.target, reduction=entry.reduction)
            losses["content"] = losses.get("content", zero) + entry.weight * value
        described: dict[Any, Any] = {}
        for style in self._styles:
            value = style.weight * self._style_value(style, features, described)
            losses["style"] = losses.get("style", zero) + value
        for term in self._smoothness:
            value = total_variation(image, kind=term.kind, beta=term.beta, reduction=term.reduction)
            losses["smoothness"] = losses.get("smoothness", zero) + term.weight * value
        losses["total"] = sum((v for k, v in losses.items() if k != "total"), zero)
        return losses

    def _style_value(
        self, style: _Style, features: Mapping[str, Tensor], described: dict[Any, Any]
    ) -> Tensor:
        """One style loss; pictures that share loss, layer and region share the description."""
        key = (style.loss, style.layer, style.region)
        if key not in described:
            layer = features[style.layer]
            described[key] = style.loss.describe(layer, self._guide(style.region, layer))
        return style.loss.distance(described[key], style.target)

    def _guide(self, region: int | None, layer: Tensor) -> Tensor | None:
        if region is None:
            return None
        key = (region, *layer.shape[-2:])
        if key not in self._guides:
            self._guides[key] = guide_at(self._regions[region], *layer.shape[-2:])
        return self._guides[key]
