"""Features of images that exceed the memory budget, tile by tile, and their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt

import torch
from torch import Tensor

from impasto.core.device import Runtime
from impasto.core.memory import spare_memory
from impasto.losses.moments import Moments, moments, moments_of
from impasto.nn.tiling import reach, stride, tiles
from impasto.nn.vgg import Encoder, Features
from impasto.nn.vgg_layers import block_of

_CHANNELS = 300  # peak memory of the encoder, in channels at full resolution; measured
_LEAST = 64  # least side of a tile in pixels, without its halo


def feature_tiles(
    encoder: Encoder, picture: Tensor, layers: Sequence[str], runtime: Runtime
) -> Iterator[Features]:
    """Yield the features of an image: all at once, or tile by tile beyond the memory budget.

    The tiles of a layer together are exactly the features of the whole image: each tile is encoded
    with a halo as wide as the receptive field of its features, which is cut off again.

    Args:
        encoder: A VGG.
        picture: Image (1, 3, H, W).
        layers: Layers of the encoder.
        runtime: Its memory budget bounds the size of a tile, which is at least 64x64 pixels.

    Yields:
        (1, C, h, w) for each layer, in the runtime's number format; layers without a position in
        the tile are left out.
    """
    height, width = picture.shape[-2:]
    positions = runtime.memory_budget() // (_CHANNELS * runtime.dtype.itemsize)
    if height * width <= positions:
        yield encoder(picture.to(encoder.mean.device), layers)
        return
    deepest = max(layers, key=lambda layer: (block_of(layer), layer))
    halo, multiple = reach(deepest), stride(deepest)
    side = max(_LEAST, isqrt(positions) - 2 * (halo + multiple))
    with spare_memory():
        for tile in tiles(height, width, side, halo, multiple):
            made = encoder(tile.outer(picture).to(encoder.mean.device), layers)
            inner = {layer: tile.inner(found, stride(layer)) for layer, found in made.items()}
            yield {layer: found for layer, found in inner.items() if found.numel()}


@torch.no_grad()
def tiled_moments(
    encoder: Encoder, picture: Tensor, layers: Sequence[str], runtime: Runtime
) -> dict[str, Moments]:
    """Compute the means and deviations of an image's features, see :func:`feature_tiles`.

    Returns:
        (1, C) each for every layer, in float32.
    """
    parts: dict[str, list[tuple[Moments, int]]] = {layer: [] for layer in layers}
    for features in feature_tiles(encoder, picture, layers, runtime):
        for layer, found in features.items():
            parts[layer].append((moments(found.float()), found.shape[-2] * found.shape[-1]))
    return {layer: _merged(parts[layer]) for layer in layers}


def _merged(parts: Sequence[tuple[Moments, int]]) -> Moments:
    """Return the moments over all positions from the moments and position counts of parts."""
    if len(parts) == 1:
        return parts[0][0]
    total = sum(count for _, count in parts)
    means = torch.stack([one.mean.double() for one, _ in parts])  # (parts, 1, C)
    squares = torch.stack([one.std.double().square() for one, _ in parts]) + means.square()
    weights = torch.tensor([count / total for _, count in parts]).to(means).view(-1, 1, 1)
    found = moments_of((weights * means).sum(0), (weights * squares).sum(0), eps=0.0)
    return Moments(*(part.float() for part in found))
