"""Fit images to the sizes that networks take."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.image import Image

SMALLEST = 16  # pixels; on smaller images reflected borders do not fit


def pad_to(batch: Tensor, multiple: int, smallest: int = SMALLEST) -> Tensor:
    """Pad images at the right and at the bottom, by reflection, to multiples in height and width.

    Args:
        batch: (B, C, H, W).
        multiple: Height and width of the result are multiples of this.
        smallest: Least height and width of the result.

    Example:
        >>> import torch
        >>> pad_to(torch.zeros(1, 3, 17, 1), 4).shape
        torch.Size([1, 3, 20, 16])
    """
    height, width = batch.shape[-2:]
    down = max(smallest, -(-height // multiple) * multiple) - height
    right = max(smallest, -(-width // multiple) * multiple) - width
    if not down and not right:
        return batch
    # reflection cannot pad by more than the image has: replicate the last pixels instead
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(batch, (0, right, 0, down), mode=mode)


def with_short_side(picture: Tensor, side: int) -> Tensor:
    """Resize an image (1, 3, H, W) so that its shorter side has ``side`` pixels."""
    height, width = picture.shape[-2:]
    factor = side / min(height, width)
    return Image(picture).resized(round(height * factor), round(width * factor)).rgb


def check_multiples(height: int, width: int, multiple: int, name: str) -> None:
    """Check that an image that shall tile has sides that its method computes without cropping.

    Args:
        height: In pixels.
        width: In pixels.
        multiple: Of which both must be multiples.
        name: Of the method, for the message.

    Raises:
        InputError: They are not.
    """
    if height % multiple or width % multiple:
        fits = "x".join(str(max(1, round(side / multiple)) * multiple) for side in (width, height))
        raise InputError(
            f"{width}x{height} pixels do not tile: with {name}, sides must be multiples of "
            f"{multiple}, such as {fits}"
        )
