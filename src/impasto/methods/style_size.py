"""The size at which a network learns a style image, which sets the size of its strokes."""

from __future__ import annotations

from torch import Tensor

from impasto.errors import InputError
from impasto.methods.network import with_short_side

SIDES = ("short", "long")


def check_style_size(size: int, side: str) -> None:
    """Check the two settings of a config.

    Raises:
        InputError: The size is negative, or the side is unknown.
    """
    if size < 0:
        raise InputError(f"style_size is {size}: it must be 0 or more")
    if side not in SIDES:
        raise InputError(f"unknown style_side {side!r}: choose {', '.join(SIDES)}")


def at_style_size(image: Tensor, size: int, side: str = "short") -> Tensor:
    """Resize a style image (1, 3, H, W), keeping its aspect ratio.

    Args:
        image: The style image.
        size: Pixels of the side; 0 leaves the image as it is.
        side: ``short`` or ``long``.

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 3, 200, 400)
        >>> [tuple(at_style_size(image, 100, side).shape[-2:]) for side in SIDES]
        [(100, 200), (50, 100)]
    """
    if not size:
        return image
    height, width = image.shape[-2:]
    short = (
        size if side == "short" else max(1, round(size * min(height, width) / max(height, width)))
    )
    return with_short_side(image, short)
