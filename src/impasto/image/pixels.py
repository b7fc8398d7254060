"""Convert tensors to arrays of integers and back, and resize them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from impasto.errors import InputError

_ROWS = 256  # rows that are converted at once


def to_array(planes: Sequence[Tensor], depth: int) -> NDArray[Any]:
    """Convert planes (1, C, H, W) to uint8 or uint16 (H, W, sum of C), clipped and rounded.

    Raises:
        InputError: A value is not finite.
    """
    height, width = planes[0].shape[-2:]
    kind = np.uint16 if depth == 16 else np.uint8
    pixels = np.empty((height, width, sum(p.shape[1] for p in planes)), kind)
    for top in range(0, height, _ROWS):  # in strips, to save memory
        first = 0
        for plane in planes:
            strip = plane.detach()[0, :, top : top + _ROWS].to("cpu", torch.float32)
            if not bool(torch.isfinite(strip).all()):
                raise InputError("the picture has values that are not finite: it cannot be saved")
            scaled = (strip.clamp(0, 1) * (2**depth - 1)).round_().permute(1, 2, 0)
            pixels[top : top + _ROWS, :, first : first + len(plane[0])] = scaled.numpy()
            first += len(plane[0])
    return pixels


def to_tensor(array: NDArray[Any]) -> Tensor:
    """Convert (H, W, C) to (1, C, H, W), float32 in [0, 1]."""
    top = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(array.dtype, 1)
    # In NumPy, since torch supports few operations on uint16. This always copies the array.
    planes = array.transpose(2, 0, 1)[None].astype(np.float32, order="C")
    return torch.from_numpy(planes).div_(top)


def resize(planes: Tensor, height: int, width: int) -> Tensor:
    """Resize (1, C, H, W) by bicubic interpolation, antialiased where it shrinks."""
    size = height, width
    return F.interpolate(planes, size, mode="bicubic", antialias=True, align_corners=False)
