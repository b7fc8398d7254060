"""Smooth an image into strokes along its edges: the anisotropic Kuwahara filter.

Kyprianidis, Kang and Döllner, "Image and Video Abstraction by Anisotropic Kuwahara Filtering",
Computer Graphics Forum 28, 2009, with the polynomial sectors of Kyprianidis, Semmo, Kang and
Döllner, "Anisotropic Kuwahara Filtering with Polynomial Weighting Functions", 2010.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from impasto.image.color_transfer import luminance

_SECTORS = 8
_OVERLAP = 0.33  # of neighbouring sectors near the centre of a window
_ANGLES, _SHAPES = 16, 4  # orientations and anisotropies, to which windows are rounded
_SHARPNESS = 4  # exponent: larger lets the most even sector decide alone
_TENSOR = 0.5  # blur of the structure tensor, as a fraction of the radius
_PIXELS = 8192  # whose windows are in memory at a time

_SIDE = 512  # pixels; long edge at which plain areas are smoothed
_RADIUS = 4 / 384  # of the filter in plain areas, as a fraction of the long edge
_PLAIN = 0.03  # standard deviation of luminance, in [0, 1], at which an area is half plain
_AROUND = 3 / 384  # blur within which it is measured, as a fraction of the long edge
_LEAST = 0.02  # weights below this leave a pixel as it is


def smooth_plain(image: Tensor, content: Tensor, amount: float) -> Tensor:
    """Smooth an image into strokes where the content image is plain.

    A style transfer network draws the same fine texture everywhere, which looks like a screen or a
    weave where the content image has nothing to show. Edges and detail stay as they are.

    Args:
        image: (1, 3, H, W) in [0, 1].
        content: (1, 3, H, W) in [0, 1].
        amount: In [0, 1]; 0 returns the image itself.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    height, width = image.shape[-2:]
    long = min(max(height, width), _SIDE)
    radius = _RADIUS * long
    if not amount or radius < 1:
        return image
    size = [max(1, round(side * long / max(height, width))) for side in (height, width)]
    weight = amount * _plainness(_shrunk(luminance(content), size), _AROUND * long)
    smooth = kuwahara(_shrunk(image, size), radius, weight[0, 0] > _LEAST)
    if size != [height, width]:
        smooth, weight = (
            F.interpolate(part, (height, width), mode="bicubic") for part in (smooth, weight)
        )
    return torch.lerp(image, smooth, weight).clamp_(0, 1)


def kuwahara(image: Tensor, radius: float, where: Tensor | None = None) -> Tensor:
    """Replace pixels by the means of the most even sectors of the elliptic windows around them.

    The windows are stretched along the direction of the edges, up to twice the radius where there
    is one direction only.

    Args:
        image: (1, 3, H, W) in [0, 1].
        radius: Of a round window in pixels, at least 1.
        where: Pixels to filter, (H, W), bool; the others keep their values. None is all.

    Returns:
        (1, 3, H, W) in [0, 1].

    Example:
        >>> noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> noisy = 0.5 + 0.1 * noise
        >>> bool(kuwahara(noisy, 4.0).std() < 0.5 * noisy.std())
        True
    """
    width = image.shape[-1]
    windows = _windows(radius)
    margin = max(reach for reach, _ in windows)
    light = luminance(image)
    planes = F.pad(torch.cat([image, light.square()], 1), (margin,) * 4, "replicate")[0]
    result = image[0].permute(1, 2, 0).reshape(-1, 3).clone()
    chosen = _nearest_window(light, _TENSOR * radius)
    if where is not None:
        chosen = torch.where(where, chosen, -1)
    for index, (reach, weights) in enumerate(windows):
        pixels = (chosen == index).flatten().nonzero()[:, 0]
        inner = planes[:, margin - reach :, margin - reach :]
        around = inner.unfold(1, 2 * reach + 1, 1).unfold(2, 2 * reach + 1, 1)
        for some in pixels.split(_PIXELS):
            values = around[:, some // width, some % width].flatten(2)  # (4, n, window)
            result[some] = _most_even(values @ weights)
    return result.T.reshape(image.shape)


def _most_even(means: Tensor) -> Tensor:
    """Return the weighted means of sectors, (n, 3), from (4, n, sectors): RGB, squared light."""
    light = luminance(means[None, :3])[0, 0]
    deviation = (means[3] - light.square()).clamp_min(0).sqrt()
    weights = 1 / (1 + (255 * deviation) ** _SHARPNESS)
    return ((means[:3] * weights).sum(2) / weights.sum(1)).T


@lru_cache(maxsize=4)
def _windows(radius: float) -> list[tuple[int, Tensor]]:
    """Return the reach in pixels and the weights, (window, sectors), of each ellipse."""
    return [
        _window(radius * (1 + shape), radius / (1 + shape), math.pi * step / _ANGLES)
        for shape in ((index + 0.5) / _SHAPES for index in range(_SHAPES))
        for step in range(_ANGLES)
    ]


def _window(major: float, minor: float, angle: float) -> tuple[int, Tensor]:
    """Return the reach and the weights of an ellipse whose long axis has an angle to the rows."""
    reach = math.ceil(major)
    offsets = torch.arange(-reach, reach + 1.0)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    along = (math.cos(angle) * x + math.sin(angle) * y) / major
    across = (math.cos(angle) * y - math.sin(angle) * x) / minor
    width = (_OVERLAP + math.cos(math.pi / _SECTORS)) / math.sin(math.pi / _SECTORS) ** 2
    sectors = []
    for turn in (2 * math.pi * index / _SECTORS for index in range(_SECTORS)):
        ahead = math.cos(turn) * along + math.sin(turn) * across
        beside = math.cos(turn) * across - math.sin(turn) * along
        sectors.append((ahead + _OVERLAP - width * beside.square()).clamp_min(0).square())
    share = torch.stack(sectors)
    squared = along.square() + across.square()
    share *= torch.exp(-3.125 * squared) * (squared <= 1) / share.sum(0).clamp_min(1e-6)
    share[:, reach, reach] = 1 / _SECTORS
    return reach, (share / share.sum((1, 2), keepdim=True)).flatten(1).T.contiguous()


def _nearest_window(light: Tensor, blur: float) -> Tensor:
    """Return the index of the ellipse of :func:`_windows` that fits each pixel, (H, W)."""
    from scipy.ndimage import gaussian_filter  # loaded where it is needed, as it takes time

    plane = light[0, 0].numpy()
    down, right = (gaussian_filter(plane, 0.7, order=order) for order in ((1, 0), (0, 1)))
    xx, xy, yy = (
        gaussian_filter(product, blur) for product in (right * right, right * down, down * down)
    )
    apart = np.hypot(xx - yy, 2 * xy)
    shape = apart / (xx + yy + 1e-6)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + math.pi / 2  # along the edges
    step = np.rint(angle * _ANGLES / math.pi).astype(np.int64) % _ANGLES
    rounded = np.clip(shape * _SHAPES, 0, _SHAPES - 1).astype(np.int64)
    return torch.from_numpy(rounded * _ANGLES + step)


def _plainness(light: Tensor, blur: float) -> Tensor:
    """Return 1 where the surroundings are even and 0 where they are not, (1, 1, h, w)."""
    from scipy.ndimage import gaussian_filter

    plane: NDArray[np.float32] = light[0, 0].numpy()
    mean = gaussian_filter(plane, blur)
    variance = (gaussian_filter(plane * plane, blur) - mean * mean).clip(0)
    return torch.from_numpy(_PLAIN**2 / (variance + _PLAIN**2))[None, None]


def _shrunk(image: Tensor, size: list[int]) -> Tensor:
    """Return an image at a size, averaged if that is smaller."""
    return image if list(image.shape[-2:]) == size else F.interpolate(image, size, mode="area")
