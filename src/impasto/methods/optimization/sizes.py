"""Resizing of images between the levels of a pyramid, and random numbers from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_NARROWEST = 32  # least short side of a level in pixels


def resize(image: Tensor, height: int, width: int, *, circular: bool = False) -> Tensor:
    """Resize (B, C, H, W) with an antialiased bicubic filter; return it as it is at equal size.

    With ``circular`` the filter reads across an edge on the opposite side.
    """
    if image.shape[-2:] == (height, width):
        return image
    if circular:
        large = resize(image.repeat(1, 1, 3, 3), 3 * height, 3 * width)
        return large[..., height : 2 * height, width : 2 * width]
    return F.interpolate(image, (height, width), mode="bicubic", antialias=True)


def level_count(height: int, width: int, levels: int, smallest: int) -> int:
    """Return how many sizes a pyramid has, each half the next, at most ``levels``.

    The smallest has a long side of at least ``smallest`` pixels and a short side of at least 32,
    which are two positions at relu5_1.

    Example:
        >>> level_count(256, 512, levels=4, smallest=128)
        3
    """
    long, short = max(height, width), min(height, width)
    while levels > 1 and (long >> levels - 1 < smallest or short >> levels - 1 < _NARROWEST):
        levels -= 1
    return levels


def scaler(factor: float) -> Callable[[Tensor], Tensor]:
    """Return a function that scales images by a factor, clamps to [0, 1], and keeps sides >= 1."""

    def scale(image: Tensor) -> Tensor:
        height, width = (max(1, round(side * factor)) for side in image.shape[-2:])
        return resize(image, height, width).clamp(0, 1)

    return scale


class seeded:  # noqa: N801 (used like a function)
    """A context in which random numbers follow from a seed; the outer state is restored."""

    def __init__(self, seed: int, device: torch.device) -> None:
        devices = [device] if device.type == "cuda" else []
        self._fork, self._seed = torch.random.fork_rng(devices), seed

    def __enter__(self) -> None:
        self._fork.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: Any) -> None:
        self._fork.__exit__(*error)
