"""Compute an objective tile by tile, for images too large to encode at once.

Gram matrices, moments and means are sums over positions. A first pass over the tiles adds up these
sums, which give the loss and its derivative with respect to each sum. A second pass computes each
tile's gradient from these derivatives. The result is the gradient for the whole image, up to
rounding, with the memory of one tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from impasto.losses.content import content_loss
from impasto.losses.objective import Losses, Objective
from impasto.losses.parts import Statistic
from impasto.losses.style import StyleLoss, Sums, additive
from impasto.nn.tiling import Tile, reach, stride, tiles
from impasto.nn.vgg import Encoder, Features


class _EncodedTile(NamedTuple):
    """A tile, the pixels that were encoded for it, and its features without the halo."""

    tile: Tile
    pixels: Tensor
    features: Features


class TiledObjective(Objective):
    """Computes the same loss and gradient as :class:`Objective`, tile by tile.

    If a loss is no sum over positions (``gaussian``, ``patches``), all losses are computed on the
    whole image. Encoders with ``circular`` padding are not supported.

    Args:
        encoder: Called twice for each tile.
        regions: Soft masks (1, 1, H, W) of the image, to which styles may be confined.
        side: Side of a tile in pixels, without its halo; images up to this size are not tiled.
    """

    def __init__(self, encoder: Encoder, regions: Sequence[Tensor] = (), *, side: int) -> None:
        super().__init__(encoder, regions)
        self.side = side

    @property
    def tile(self) -> int | None:  # type: ignore[override]
        """Return the side of the tiles in pixels, or None if a loss needs the whole image."""
        return self.side if all(additive(s.loss) for s in self.targets) else None

    def __call__(self, image: Tensor) -> Losses:
        """Compute the losses of an image (1, 3, H, W); only ``total`` has a gradient."""
        statistics = list(self.targets)
        if self._needs_whole_image(image, statistics):
            return super().__call__(image)
        losses = {"total": image.new_zeros(())}
        sums, content = self._gather(image.detach(), statistics, self._layers())
        derivatives: dict[Statistic, Sums] = {}
        if self._contents:
            losses["content"] = content
        if statistics:
            leaves = {s: tuple(p.requires_grad_() for p in parts) for s, parts in sums.items()}
            with torch.enable_grad():
                style = self._style(_of_sums(leaves, image))
                derivatives = _slopes(style, leaves)
            losses["style"] = style.detach()
        known = torch.stack(list(losses.values())).sum().to(image.dtype)
        if torch.is_grad_enabled() and image.requires_grad:
            gradient = self._gradient(image.detach(), derivatives)
            known = _KnownGradient.apply(image, known, gradient)  # type: ignore[no-untyped-call]
        direct = self._direct(image)
        losses["total"] = sum(direct.values(), known)
        return losses | direct

    @torch.no_grad()
    def _gather(
        self, image: Tensor, statistics: Sequence[Statistic], layers: Sequence[str]
    ) -> tuple[dict[Statistic, Sums], Tensor]:
        """Return the sums over all positions for each statistic, and the content loss."""
        exact = torch.float32 if image.device.type == "mps" else torch.float64
        content = image.new_zeros((), dtype=exact)
        sums: dict[Statistic, Sums] = {}
        for seen in self._tiles(image, layers):
            content += self._content_of(seen)
            for statistic in statistics:
                added = tuple(part.to(exact) for part in self._sums(seen, statistic, image))
                before = sums.get(statistic)
                if before is not None:
                    added = tuple(a + b for a, b in zip(added, before, strict=True))
                sums[statistic] = added
        return sums, content

    def _gradient(self, image: Tensor, slopes: Mapping[Statistic, Sums]) -> Tensor:
        """Return the gradient of content and style loss, given the derivatives by each sum."""
        gradient = torch.zeros_like(image)
        with torch.enable_grad():
            for seen in self._tiles(image, self._layers()):
                local = self._content_of(seen)
                for statistic, slope in slopes.items():
                    parts = zip(self._sums(seen, statistic, image), slope, strict=True)
                    for part, by in parts:
                        local = local + (part * by.to(part.dtype)).sum()
                if local.requires_grad:
                    seen.tile.outer(gradient).add_(torch.autograd.grad(local, seen.pixels)[0])
        return gradient

    def _tiles(self, image: Tensor, layers: Sequence[str]) -> Iterator[_EncodedTile]:
        """Yield the encoded tiles of an image; their pixels are leaves if gradients are enabled."""
        deepest = max(layers, key=self.encoder.layers.index)
        height, width = image.shape[-2:]
        for tile in tiles(height, width, self.side, reach(deepest), stride(deepest)):
            pixels = tile.outer(image).detach().requires_grad_(torch.is_grad_enabled())
            features = self.encoder(pixels, layers)
            inner = {name: tile.inner(made, stride(name)) for name, made in features.items()}
            yield _EncodedTile(tile, pixels, inner)

    def _sums(self, seen: _EncodedTile, statistic: Statistic, image: Tensor) -> Sums:
        loss, layer, region = statistic
        assert additive(loss)
        guide = self._guide(region, *_sides(image, layer))
        if guide is not None:
            guide = seen.tile.wanted(guide, stride(layer))
        return loss.sums(seen.features[layer], guide)

    def _content_of(self, seen: _EncodedTile) -> Tensor:
        """Return what a tile contributes to the content loss."""
        total = seen.pixels.new_zeros(())
        for entry in self._contents:
            found = seen.features[entry.layer]
            target = seen.tile.wanted(entry.target, stride(entry.layer))
            fraction = found.numel() / entry.target.numel() if entry.reduction == "mean" else 1.0
            if found.numel():  # the mean of an empty tensor is NaN
                value = content_loss(found, target, reduction=entry.reduction)
                total = total + entry.weight * fraction * value
        return total

    def _maps(self, image: Tensor, layers: Sequence[str]) -> Features:
        if self._needs_whole_image(image, ()):
            return super()._maps(image, layers)
        maps: Features = {}
        for seen in self._tiles(image, layers):
            for name, made in seen.features.items():
                if name not in maps:
                    shape = (1, made.shape[1], *_sides(image, name))
                    maps[name] = made.new_empty(shape).to(memory_format=torch.channels_last)
                seen.tile.wanted(maps[name], stride(name)).copy_(made)
        return maps

    def _targets(
        self, views: Sequence[Tensor | Features], wanted: Sequence[tuple[StyleLoss, str]]
    ) -> dict[tuple[StyleLoss, str], Any]:
        statistics = [Statistic(loss, layer, None) for loss, layer in wanted]
        view, *others = views
        if others or not isinstance(view, Tensor) or self._needs_whole_image(view, statistics):
            return super()._targets(views, wanted)
        layers = sorted({layer for _, layer in wanted})
        alone = TiledObjective(self.encoder, side=self.side)  # only encoder and tiling are needed
        found = _of_sums(alone._gather(view, statistics, layers)[0], view)
        return {(loss, layer): found[Statistic(loss, layer, None)] for loss, layer in wanted}

    def _describe(self, image: Tensor) -> dict[Statistic, Any]:
        statistics = list(self.targets)
        if self._needs_whole_image(image, statistics):
            return super()._describe(image)
        return _of_sums(self._gather(image, statistics, self._layers())[0], image)

    def _needs_whole_image(self, image: Tensor, statistics: Sequence[Statistic]) -> bool:
        small = max(image.shape[-2:]) <= self.side
        return small or not all(additive(statistic.loss) for statistic in statistics)


def _of_sums(sums: Mapping[Statistic, Sums], image: Tensor) -> dict[Statistic, Any]:
    """Return the statistics of an image, given the sums over its positions."""
    found = {}
    for statistic, parts in sums.items():
        assert additive(statistic.loss)
        height, width = _sides(image, statistic.layer)
        found[statistic] = statistic.loss.of_sums(parts, height * width)
    return found


def _slopes(style: Tensor, leaves: Mapping[Statistic, Sums]) -> dict[Statistic, Sums]:
    """Return the derivatives of the style loss with respect to each sum."""
    flat = [part for parts in leaves.values() for part in parts]
    slopes = iter(torch.autograd.grad(style, flat))
    return {statistic: tuple(next(slopes) for _ in parts) for statistic, parts in leaves.items()}


def _sides(image: Tensor, layer: str) -> tuple[int, int]:
    """Return the height and width of a layer's features."""
    return image.shape[-2] // stride(layer), image.shape[-1] // stride(layer)


class _KnownGradient(torch.autograd.Function):
    """Returns a precomputed value whose gradient with respect to the image is known."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None
