"""Paint photos that tile so that the result tiles: wrap the photo around its edges, then crop.

A network computes each pixel from those around it. So the photo is continued beyond its edges with
its opposite sides, painted, and cropped. Where the network's grid of pixels does not divide the
photo's size, both sides of the seam differ slightly; a cross-fade within the photo makes them
continuous.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from impasto.api.strokes import Size, resized

# Pixels around a pixel, at the first size of painting, on which it depends: 54 in Johnson's
# network, about 68 in adain with relu4_1, of which the outermost hardly matter.
_REACH = 64
_FADE = 4  # the cross-fade is one part in four of the border


def border_of(size: Size, levels: Sequence[Size]) -> int:
    """Return how far to continue a photo beyond its edges, in pixels.

    Args:
        size: Height and width of the photo.
        levels: Sizes to paint it at, see :func:`impasto.api.strokes.sizes`.

    Example:
        >>> border_of((512, 2048), [(128, 512), (512, 2048)])
        256
    """
    return -(-_REACH * max(size) // max(levels[0]))


def wrapped_sizes(size: Size, levels: Sequence[Size], border: int) -> list[Size]:
    """Return the sizes to paint a wrapped photo at, so that strokes have the same size as before.

    Example:
        >>> wrapped_sizes((512, 2048), [(128, 512), (512, 2048)], 256)
        [(256, 640), (1024, 2560)]
    """
    factors = [max(level) / max(size) for level in levels]
    height, width = (side + 2 * border for side in size)
    return [(round(height * factor), round(width * factor)) for factor in factors]


def wrapped(image: Tensor, border: int) -> Tensor:
    """Continue (1, C, H, W) periodically: (1, C, H + 2 * border, W + 2 * border)."""
    for axis in (-2, -1):
        side = image.shape[axis]
        image = image.index_select(axis, torch.arange(-border, side + border) % side)
    return image


def unwrapped(painted: Tensor, border: int) -> Tensor:
    """Crop the border from a painted image of any size in between, and close its seams.

    The first row and column are those that follow the last ones inside. Within a quarter of the
    border, they are cross-faded with the image's own.

    Example:
        >>> ramp = torch.arange(16.0).expand(1, 1, 16, 16)
        >>> unwrapped(ramp, 4)[0, 0, 0]
        tensor([12.,  5.,  6.,  7.,  8.,  9., 10., 11.])
    """
    for axis in (-2, -1):
        side = painted.shape[axis] - 2 * border
        fade = min(side, border // _FADE)
        shape = (-1, 1) if axis == -2 else (-1,)
        weight = (torch.arange(fade) / fade).view(shape).to(painted)
        own, next_ = (painted.narrow(axis, start, fade) for start in (border, border + side))
        rest = painted.narrow(axis, border + fade, side - fade)
        painted = torch.cat([torch.lerp(next_, own, weight), rest], dim=axis)
    return painted


def unwrapped_preview(raw: Tensor, size: Size, border: int) -> Tensor:
    """Crop an intermediate image, at any scale, of a wrapped photo whose own size is ``size``."""
    height, width = (side + 2 * border for side in size)
    return unwrapped(resized(raw.cpu(), (height, width)), border)
