"""Filter images: a median against specks, and a guided filter for the edges of masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def median(image: Tensor) -> Tensor:
    """Compute the median of each pixel and its eight neighbours, for each channel.

    The authors' code of Johnson et al. 2016 filters the networks' results this way by default.

    Args:
        image: (B, C, H, W), on the CPU.

    Example:
        >>> speck = torch.zeros(1, 1, 3, 3)
        >>> speck[..., 1, 1] = 1
        >>> float(median(speck).max())
        0.0
    """
    from scipy.ndimage import median_filter

    return torch.from_numpy(median_filter(image.numpy(), size=(1, 1, 3, 3), mode="nearest"))


def guided(mask: Tensor, guide: Tensor, radius: int, eps: float = 1e-4) -> Tensor:
    """Align the edges of a mask with those of an image, at the size of the image.

    The guided filter of He, Sun and Tang, TPAMI 2013, equations 14 to 16: within each window the
    mask is a linear function of the colours. The coefficients are computed at the size of the mask
    and enlarged, as in their "Fast Guided Filter", 2015, so that its memory is a few planes.

    Args:
        mask: (1, 1, h, w).
        guide: (1, 3, H, W) in [0, 1].
        radius: Of the windows, in pixels of the mask.
        eps: Variance of the colours below which a window is smoothed rather than aligned.

    Returns:
        (1, 1, H, W), clamped to [0, 1].
    """
    height, width = mask.shape[-2:]
    small = guide
    if guide.shape[-2:] != mask.shape[-2:]:
        small = F.interpolate(guide, (height, width), mode="bilinear", antialias=True)

    def mean(x: Tensor) -> Tensor:
        for side, pad in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
            x = F.avg_pool2d(x, side, 1, pad, count_include_pad=False)
        return x

    color, level = mean(small), mean(mask)
    products = (small[:, :, None] * small[:, None]).flatten(1, 2)  # (1, 9, h, w)
    variance = mean(products) - (color[:, :, None] * color[:, None]).flatten(1, 2)
    covariance = mean(small * mask) - color * level  # (1, 3, h, w)
    matrices = variance[0].permute(1, 2, 0).unflatten(-1, (3, 3)) + eps * torch.eye(3)
    slope = torch.linalg.solve(matrices, covariance[0].permute(1, 2, 0))  # (h, w, 3)
    slope = slope.permute(2, 0, 1)[None]
    offset = level - (slope * color).sum(1, keepdim=True)
    coefficients = mean(torch.cat([slope, offset], 1))
    if guide.shape[-2:] != mask.shape[-2:]:
        coefficients = F.interpolate(coefficients, guide.shape[-2:], mode="bilinear")
    aligned = (coefficients[:, :3] * guide).sum(1, keepdim=True) + coefficients[:, 3:]
    return aligned.clamp(0, 1)
