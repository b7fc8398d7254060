"""Check that the memory which the caller granted suffices for an image."""

from __future__ import annotations

import math
from collections.abc import Callable

from impasto.errors import InputError

_SMALLEST = 64  # pixels; smaller sizes are not proposed


def check_memory(
    name: str, height: int, width: int, budget: int, least: Callable[[float], int]
) -> None:
    """Raise :class:`InputError` if an image needs more memory than is granted.

    Args:
        name: Of the method.
        height: Of the image in pixels.
        width: Of the image in pixels.
        budget: Memory budget in bytes.
        least: Returns the smallest budget for the image with its sides multiplied by a factor.
    """
    needed = least(1.0)
    if needed <= budget:
        return
    long = max(height, width)
    low, high = 0, long  # a long edge that fits, and one that does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if least(middle / long) <= budget else (low, middle)
    text = _in_units(needed)
    smaller = f", or --size {low}" if low >= _SMALLEST else ""
    raise InputError(
        f"{name} at {width}x{height} needs at least {text} here: --memory {text}{smaller}"
    )


def _in_units(count: int) -> str:
    """Return a number of bytes, rounded up, as ``--memory`` reads it: ``5.5G``, ``340M``."""
    if count > 1 << 30:
        return f"{math.ceil(count / (1 << 30) * 10) / 10:g}G"
    return f"{math.ceil(count / (1 << 20) / 10) * 10}M"
