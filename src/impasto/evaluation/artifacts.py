"""Measure two artifacts of networks: regular lattices, and flicker under one-pixel shifts.

A decoder produces texture with the period of its upsampling: 2, 4, 8 or 16 pixels. In the spectrum
of the whole image this is a peak at one frequency and its multiples, while real texture is spread
out. The lattice is fixed to the output's grid, so the same artifact appears as flicker when a photo
is stylized twice, the second time shifted by one pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.errors import InputError
from impasto.image.color_transfer import luminance

PERIODS = (2, 4, 8, 16)

_MULTIPLE = 16  # sides are cropped to a multiple, so that each lattice frequency is a bin
_REACH = 6  # bins to each side of a frequency that count as its surroundings
_NEAR = 3  # bins to each side that a peak may spread over, exclusive
_LEAST = _MULTIPLE * (2 * _REACH + 1)  # pixels a side: surroundings must not overlap
_QUANTILE = 0.9  # of the surroundings
_BORDER = 12  # pixels affected by padding, left out of flicker


def lattice(picture: Tensor) -> dict[int, float]:
    """Measure the power at the frequencies of a regular lattice, relative to its surroundings.

    Args:
        picture: (1, 3, H, W), RGB in [0, 1], 208 pixels a side at least.

    Returns:
        For each period in pixels the mean of log2(peak / surroundings) over its frequencies: the
        peak of power within 1 bin, over the 0.9 quantile of those 3 to 6 bins away. About 0 or less
        for photographs and paintings, 1 for spikes of twice their surroundings.

    Raises:
        InputError: The image is too small.
    """
    light = luminance(picture.detach().cpu().double())[0, 0].numpy()
    height, width = (side - side % _MULTIPLE for side in light.shape)
    if min(height, width) < _LEAST:
        raise InputError(f"a lattice is measured from {_LEAST} pixels a side on: give larger ones")
    light = light[:height, :width]
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((light - light.mean()) * window)) ** 2
    return {
        period: float(
            np.mean([_spike(power, period, *frequency) for frequency in _frequencies(period)])
        )
        for period in PERIODS
    }


def worst_lattice(picture: Tensor) -> float:
    """Return the largest value of :func:`lattice` over all periods."""
    return max(lattice(picture).values())


def flicker(paint: Callable[[Tensor], Tensor], photo: Tensor) -> float:
    """Measure the change of a result, beyond translation, when its photo moves by one pixel.

    Args:
        paint: Paints (1, 3, H, W) in [0, 1] as (1, 3, H, W) in [0, 1].
        photo: (1, 3, H, W), RGB in [0, 1], more than 25 pixels a side.

    Returns:
        The mean absolute difference, in 8-bit levels (0 to 255), of the results for two crops of
        the photo that differ by one pixel in x and in y, where both crops see the same; 12 pixels
        of border are left out. 0 for what moves along exactly.

    Raises:
        InputError: The photo is too small.
    """
    if min(photo.shape[-2:]) <= 2 * _BORDER + 1:
        raise InputError(f"flicker is measured from {2 * _BORDER + 2} pixels a side on")
    first, second = paint(photo[..., :-1, :-1]), paint(photo[..., 1:, 1:])
    inside = slice(_BORDER, -_BORDER)
    difference = (first[..., 1:, 1:] - second[..., :-1, :-1])[..., inside, inside]
    return float(torch.as_tensor(difference).abs().mean()) * 255


def _frequencies(period: int) -> list[tuple[int, int]]:
    """Return each pair (i, j) whose frequencies i/period, j/period belong to no shorter period."""
    half = period // 2
    found = []
    for i in range(half + 1):
        for j in range(1 - half, half + 1):
            mirrored = i in (0, half) and j < 0
            shorter = i % 2 == 0 and j % 2 == 0 if period > 2 else (i, j) == (0, 0)
            if not (mirrored or shorter):
                found.append((i, j))
    return found


def _spike(power: NDArray[np.float64], period: int, i: int, j: int) -> float:
    height, width = power.shape
    reach = np.arange(-_REACH, _REACH + 1)
    rows, columns = (i * height // period + reach) % height, (j * width // period + reach) % width
    block = power[np.ix_(rows, columns)]
    distance = np.maximum(abs(reach)[:, None], abs(reach)[None, :])
    floor = 1e-9  # avoids log(0) for a uniform image
    peak = block[distance <= 1].max() + floor
    return float(np.log2(peak / (np.quantile(block[distance >= _NEAR], _QUANTILE) + floor)))
