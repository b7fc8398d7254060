"""The Laplacian pyramid of an image, as the parameters of an optimisation.

Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE Trans. Communications 1983.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALLEST = 4  # a side below which an image is not halved again


def split_bands(image: Tensor, bands: int) -> list[Tensor]:
    """Split an image into the bands of its Laplacian pyramid; :func:`join_bands` inverts it.

    Args:
        image: (B, C, H, W).
        bands: Most bands; an image with a side below 4 pixels is not halved further.

    Returns:
        The bands from fine to coarse, (B, C, h, w) each, with h and w half of those before; the
        last one is the low-pass residual.

    Example:
        >>> import torch
        >>> image = torch.rand(1, 3, 10, 8)
        >>> [tuple(band.shape[2:]) for band in split_bands(image, 2)]
        [(10, 8), (5, 4)]
        >>> torch.allclose(join_bands(split_bands(image, 2)), image)
        True
    """
    found: list[Tensor] = []
    while len(found) < bands - 1 and min(image.shape[2:]) >= _SMALLEST:
        height, width = image.shape[2:]
        half = (height // 2, width // 2)
        coarse = F.interpolate(image, half, mode="bilinear", antialias=True)
        found.append(image - F.interpolate(coarse, (height, width), mode="bilinear"))
        image = coarse
    return [*found, image]


def join_bands(bands: Sequence[Tensor]) -> Tensor:
    """Return the image (B, C, H, W) of the bands of a Laplacian pyramid, the finest band first."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = band + F.interpolate(image, band.shape[2:], mode="bilinear")
    return image


def without_fine_bands(image: Tensor, bands: int, blank: int) -> Tensor:
    """Return an image (B, C, H, W) without its ``blank`` finest bands; the coarsest one stays."""
    found = split_bands(image, bands)
    blank = min(blank, len(found) - 1)
    return join_bands([torch.zeros_like(band) for band in found[:blank]] + found[blank:])
