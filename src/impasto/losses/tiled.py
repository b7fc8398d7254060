"""An objective of a picture that is too large to go through the encoder at once.

Gram matrices, moments and means are sums over positions. A first pass over tiles adds them up; the
loss of the sums, and its slope in each of them, is then known; a second pass takes each tile's
gradient against these slopes. That is the gradient of the whole picture, up to rounding, and the
memory of one tile.
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


class _Seen(NamedTuple):
    """A tile, the pixels that it was encoded with, and its features without the halo's."""

    tile: Tile
    pixels: Tensor
    features: Features


class TiledObjective(Objective):
    """The same loss and the same gradient as :class:`Objective`, tile by tile.

    A loss that is no sum over positions (``gaussian``, ``patches``) sees the picture whole, and
    with it all the others do. An encoder whose padding is ``circular`` has no tiles.

    Args:
        encoder: Runs twice a call on each tile.
        regions: Soft masks (1, 1, H, W) of the image, which styles may be confined to.
        side: Of a tile in pixels, without its halo; a picture no larger goes whole.
    """

    def __init__(self, encoder: Encoder, regions: Sequence[Tensor] = (), *, side: int) -> None:
        super().__init__(encoder, regions)
        self.side = side

    @property
    def tile(self) -> int | None:  # type: ignore[override]
        """Side of the tiles, or None if a loss asks for the whole."""
        return self.side if all(additive(s.loss) for s in self._statistics()) else None

    def __call__(self, image: Tensor) -> Losses:
        """The losses of an image (1, 3, H, W); of them only ``total`` has a gradient."""
        statistics = self._statistics()
        if self._goes_whole(image, statistics):
            return super().__call__(image)
        losses = {"total": image.new_zeros(())}
        sums, content = self._gather(image.detach(), statistics, self._layers())
        slopes: dict[Statistic, Sums] = {}
        if self._contents:
            losses["content"] = content
        if statistics:
            leaves = {s: tuple(p.requires_grad_() for p in parts) for s, parts in sums.items()}
            with torch.enable_grad():
                style = self._style(_of_sums(leaves, image))
                slopes = _slopes(style, leaves)
            losses["style"] = style.detach()
        known = torch.stack(list(losses.values())).sum().to(image.dtype)
        if torch.is_grad_enabled() and image.requires_grad:
            gradient = self._gradient(image.detach(), slopes)
            known = _Known.apply(image, known, gradient)  # type: ignore[no-untyped-call]
        direct = self._direct(image)
        losses["total"] = sum(direct.values(), known)
        return losses | direct

    @torch.no_grad()
    def _gather(
        self, image: Tensor, statistics: Sequence[Statistic], layers: Sequence[str]
    ) -> tuple[dict[Statistic, Sums], Tensor]:
        """The sums over all positions, and the content loss."""
        exact = torch.float32 if image.device.type == "mps" else torch.float64
        content = image.new_zeros((), dtype=exact)
        sums: dict[Statistic, Sums] = {}
        for seen in self._tiles(image, layers):
            content += self._content_of(seen)
            for statistic in statistics:
                here = tuple(part.to(exact) for part in self._sums(seen, statistic, image))
                before = sums.get(statistic)
                if before is not None:
                    here = tuple(a + b for a, b in zip(here, before, strict=True))
                sums[statistic] = here
        return sums, content

    def _gradient(self, image: Tensor, slopes: Mapping[Statistic, Sums]) -> Tensor:
        """Of content and style, given how the style loss changes with each sum."""
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

    def _tiles(self, image: Tensor, layers: Sequence[str]) -> Iterator[_Seen]:
        """The image's tiles; their pixels are leaves where gradients are wanted."""
        deepest = max(layers, key=self.encoder.layers.index)
        height, width = image.shape[-2:]
        for tile in tiles(height, width, self.side, reach(deepest), stride(deepest)):
            pixels = tile.outer(image).detach().requires_grad_(torch.is_grad_enabled())
            features = self.encoder(pixels, layers)
            inner = {name: tile.inner(made, stride(name)) for name, made in features.items()}
            yield _Seen(tile, pixels, inner)

    def _sums(self, seen: _Seen, statistic: Statistic, image: Tensor) -> Sums:
        loss, layer, region = statistic
        assert additive(loss)
        guide = self._guide(region, *_sides(image, layer))
        if guide is not None:
            guide = seen.tile.wanted(guide, stride(layer))
        return loss.sums(seen.features[layer], guide)

    def _content_of(self, seen: _Seen) -> Tensor:
        """What a tile adds to the content loss."""
        total = seen.pixels.new_zeros(())
        for entry in self._contents:
            here = seen.features[entry.layer]
            target = seen.tile.wanted(entry.target, stride(entry.layer))
            share = here.numel() / entry.target.numel() if entry.reduction == "mean" else 1.0
            if here.numel():  # a mean over no positions is no number
                value = content_loss(here, target, reduction=entry.reduction)
                total = total + entry.weight * share * value
        return total

    def _maps(self, image: Tensor, layers: Sequence[str]) -> Features:
        if self._goes_whole(image, ()):
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
        if others or not isinstance(view, Tensor) or self._goes_whole(view, statistics):
            return super()._targets(views, wanted)
        layers = sorted({layer for _, layer in wanted})
        alone = TiledObjective(self.encoder, side=self.side)  # of this objective's sums, no part
        found = _of_sums(alone._gather(view, statistics, layers)[0], view)
        return {(loss, layer): found[Statistic(loss, layer, None)] for loss, layer in wanted}

    def _describe(self, image: Tensor) -> dict[Statistic, Any]:
        statistics = self._statistics()
        if self._goes_whole(image, statistics):
            return super()._describe(image)
        return _of_sums(self._gather(image, statistics, self._layers())[0], image)

    def _goes_whole(self, image: Tensor, statistics: Sequence[Statistic]) -> bool:
        small = max(image.shape[-2:]) <= self.side
        return small or not all(additive(statistic.loss) for statistic in statistics)


def _of_sums(sums: Mapping[Statistic, Sums], image: Tensor) -> dict[Statistic, Any]:
    """What the style losses ask of an image, from the sums over its positions."""
    found = {}
    for statistic, parts in sums.items():
        assert additive(statistic.loss)
        height, width = _sides(image, statistic.layer)
        found[statistic] = statistic.loss.of_sums(parts, height * width)
    return found


def _slopes(style: Tensor, leaves: Mapping[Statistic, Sums]) -> dict[Statistic, Sums]:
    """The derivative of the style loss in each sum."""
    flat = [part for parts in leaves.values() for part in parts]
    slopes = iter(torch.autograd.grad(style, flat))
    return {statistic: tuple(next(slopes) for _ in parts) for statistic, parts in leaves.items()}


def _sides(image: Tensor, layer: str) -> tuple[int, int]:
    """Height and width of a layer."""
    return image.shape[-2] // stride(layer), image.shape[-1] // stride(layer)


class _Known(torch.autograd.Function):
    """A value of an image whose gradient is known already."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None
