"""The weighted sum of losses that an image is optimised for, or a network trained for.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 3.2, apply the content and style losses of Gatys et al. to a batch of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from impasto.losses.guides import guide_at
from impasto.losses.parts import TINY, Content, Smoothness, Statistic, Style
from impasto.losses.style import StyleLoss
from impasto.losses.terms import Term
from impasto.nn.vgg import Encoder, Features

Losses = dict[str, Tensor]


class Objective:
    """Sum of content, pixel, style and smoothness losses, computed in one pass of one encoder.

    Images and targets are batches (B, 3, H, W); a single target serves a whole batch. Losses are
    means over the batch, except those whose reduction is a sum. The methods that add a loss return
    the objective itself.

    With ``relative``, the content loss of a layer, and each style loss for every image of a batch,
    is divided by its value for zero features, the pixel loss by its value for a black image. A
    weight then means the same for all images, layers and flavours of the encoder.

    Attributes:
        tile: Side of the tiles that it is computed in, in pixels; None computes whole images.

    Args:
        encoder: Called once for all losses, up to the deepest layer of them.
        regions: Soft masks (1, 1, H, W) of the image, to which styles may be confined.
    """

    tile: int | None = None

    def __init__(self, encoder: Encoder, regions: Sequence[Tensor] = ()) -> None:
        self.encoder = encoder
        self._regions = tuple(regions)
        self._guides: dict[tuple[int, int, int], Tensor] = {}
        self._contents: list[Content] = []
        self._pixels: list[Content] = []
        self._styles: list[Style] = []
        self._smoothness: list[Smoothness] = []

    @torch.no_grad()
    def add_content(
        self,
        image: Tensor | Features,
        layers: Mapping[str, float],
        *,
        reduction: str = "mean",
        relative: bool = False,
    ) -> Objective:
        """Add the distance to the features of images.

        Args:
            image: The content images (B, 3, H, W), or features by layer (B, C, h, w).
            layers: A weight for each layer.
            reduction: See :func:`impasto.losses.content.content_loss`.
            relative: See the class.
        """
        features = self._maps(image, list(layers)) if isinstance(image, Tensor) else image
        for layer, weight in layers.items():
            self._contents.append(Content.of(layer, weight, features[layer], reduction, relative))
        return self

    @torch.no_grad()
    def add_pixels(
        self, image: Tensor, weight: float, *, reduction: str = "mean", relative: bool = False
    ) -> Objective:
        """Add the pixel distance to images (B, 3, H, W); a weight of 0 adds nothing."""
        if weight:
            self._pixels.append(Content.of("", weight, image.detach(), reduction, relative))
        return self

    @torch.no_grad()
    def add_style(
        self,
        image: Tensor | Sequence[Tensor] | Features,
        terms: Sequence[Term],
        layers: Mapping[str, float],
        *,
        weight: float = 1.0,
        region: int | None = None,
        relative: bool = False,
    ) -> Objective:
        """Add the distance to the style of images (B, 3, h, w) of any size.

        Args:
            image: The style images, one for each image of a batch or one for all; several views of
                one, for a loss that accepts them; or features by layer (B, C, h, w).
            terms: The losses to sum; a term with layers of its own weights them equally.
            layers: A weight for each layer, for the terms without layers of their own.
            weight: Weight of this style.
            region: Index of the mask that confines this style; None is the whole image.
            relative: See the class.
        """
        spreads = [(t, dict.fromkeys(t.layers, 1.0) if t.layers else layers) for t in terms]
        wanted = [(term.loss, layer) for term, spread in spreads for layer in spread]
        views = [image] if isinstance(image, Tensor | Mapping) else image
        targets = self._targets(views, wanted)
        for term, spread in spreads:
            for layer, layer_weight in spread.items():
                statistic = Statistic(term.loss, layer, region)
                factor, target = weight * term.weight * layer_weight, targets[term.loss, layer]
                self._styles.append(Style.of(statistic, factor, target, relative))
        return self

    def fork(self, index: Tensor | None = None) -> Objective:
        """Return a copy, to which losses can be added without changing the original.

        Args:
            index: (N,), the index of the style image of each image of a batch; None is in order.
        """
        made = copy(self)
        made._contents, made._pixels = [*self._contents], [*self._pixels]
        made._styles, made._smoothness = [*self._styles], [*self._smoothness]
        if index is not None:
            made._styles = [style.pick(index) for style in self._styles]
        return made

    def add_smoothness(
        self, weight: float, *, kind: str = "squared", beta: float = 2.0, reduction: str = "sum"
    ) -> Objective:
        """Add the total variation, see :mod:`impasto.losses.smoothness`; weight 0 adds nothing."""
        if weight:
            self._smoothness.append(Smoothness(weight, kind, beta, reduction))
        return self

    @classmethod
    def stack(cls, objectives: Sequence[Objective]) -> Objective:
        """Combine objectives of single images, which differ in style only, into that of a batch."""
        made = objectives[0].fork()
        rows = zip(*(one._styles for one in objectives), strict=True)
        made._styles = [Style.stack(styles) for styles in rows]
        return made

    @torch.no_grad()
    def balance(self, image: Tensor) -> Objective:
        """Divide each style loss by its value for images (B, 3, H, W).

        Losses differ by many orders of magnitude between kernels and layers. Afterwards a weight is
        the contribution of its term and layer at ``image``.
        """
        found = self._describe(image)
        for index, style in enumerate(self._styles):
            value = float(replace(style, weight=1.0).loss(found))
            self._styles[index] = replace(style, weight=style.weight / max(abs(value), TINY))
        return self

    @property
    def targets(self) -> dict[Statistic, Any]:
        """Return the statistics of the style images, each once, by loss, layer and region."""
        return {style.statistic: style.target for style in self._styles}

    @property
    def stochastic(self) -> bool:
        """Check whether a loss depends on random draws."""
        return any(getattr(style.statistic.loss, "stochastic", False) for style in self._styles)

    def __call__(self, image: Tensor) -> Losses:
        """Compute the losses of images (B, 3, H, W).

        Returns:
            Scalars: ``total``, and its weighted parts ``content``, ``style``, ``pixel`` and
            ``smoothness`` as far as they were added.
        """
        features = self.encoder(image, self._layers())
        losses: Losses = {}
        if self._contents:
            losses["content"] = _sum([c.loss(features[c.layer]) for c in self._contents])
        if self._styles:
            losses["style"] = self._style(self._described(features))
        losses |= self._direct(image)
        return {"total": sum(losses.values(), image.new_zeros(())), **losses}

    def _layers(self) -> list[str]:
        contents = {entry.layer for entry in self._contents}
        return sorted(contents | {style.statistic.layer for style in self._styles})

    def _maps(self, image: Tensor, layers: Sequence[str]) -> Features:
        """Return the features of an image by layer."""
        return self.encoder(image, layers)

    def _targets(
        self, views: Sequence[Tensor | Features], wanted: Sequence[tuple[StyleLoss, str]]
    ) -> dict[tuple[StyleLoss, str], Any]:
        """Return the target of each loss and layer for style images, or for the views of one."""
        layers, targets = sorted({layer for _, layer in wanted}), {}
        seen = [self.encoder(view, layers) if isinstance(view, Tensor) else view for view in views]
        for loss, layer in wanted:
            maps = [view[layer] for view in seen]
            targets[loss, layer] = loss.target(maps[0] if len(maps) == 1 else maps)
        return targets

    def _describe(self, image: Tensor) -> dict[Statistic, Any]:
        """Return the statistics of an image that the style losses compare."""
        return self._described(self.encoder(image, [s.statistic.layer for s in self._styles]))

    def _described(self, features: Features) -> dict[Statistic, Any]:
        found: dict[Statistic, Any] = {}
        for one in self.targets:
            x = features[one.layer]
            found[one] = one.loss.describe(x, self._guide(one.region, *x.shape[-2:]))
        return found

    def _style(self, found: Mapping[Statistic, Any]) -> Tensor:
        return _sum([style.loss(found) for style in self._styles])

    def _direct(self, image: Tensor) -> Losses:
        """Return the losses that need no features."""
        losses: Losses = {}
        if self._pixels:
            losses["pixel"] = _sum([pixels.loss(image) for pixels in self._pixels])
        if self._smoothness:
            losses["smoothness"] = _sum([term.loss(image) for term in self._smoothness])
        return losses

    def _guide(self, region: int | None, height: int, width: int) -> Tensor | None:
        if region is None:
            return None
        key = (region, height, width)
        if key not in self._guides:
            self._guides[key] = guide_at(self._regions[region], height, width)
        return self._guides[key]


def _sum(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).sum()
