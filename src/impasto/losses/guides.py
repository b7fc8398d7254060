"""Position weights from soft masks, for losses that are confined to regions."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.errors import InputError


def guide_at(mask: Tensor, height: int, width: int) -> Tensor:
    """Convert a soft mask to position weights with mean 1 at the resolution of a layer.

    Args:
        mask: (1, 1, H, W) in [0, 1].
        height: Height of the layer.
        width: Width of the layer.

    Returns:
        (1, 1, height, width).

    Raises:
        InputError: The mask is empty.
    """
    small = torch.nn.functional.interpolate(mask, (height, width), mode="area")
    if float(small.sum()) <= 0:
        raise InputError("a mask is black everywhere: paint its region white")
    return small / small.mean()
