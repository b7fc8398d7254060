"""Colours of whole pictures: histograms, linear colour matching, luminance.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 5.
"""

from __future__ import annotations

import torch
from torch import Tensor

# ITU-R BT.601, the Y, I and Q of NTSC
_RGB_TO_YIQ = (
    (0.299, 0.587, 0.114),
    (0.595716, -0.274453, -0.321263),
    (0.211456, -0.522591, 0.311135),
)


def match_histogram(image: Tensor, reference: Tensor) -> Tensor:
    """Give each channel of an image the histogram of a reference.

    Args:
        image: (1, 3, H, W).
        reference: (1, 3, h, w).

    Returns:
        (1, 3, H, W) with the ranks of ``image`` and the values of ``reference``. Pixels of one
        value keep one value, so that a flat area stays flat.
    """
    channels = [
        _match_channel(one, other)
        for one, other in zip(image.flatten(2)[0], reference.flatten(2)[0], strict=True)
    ]
    return torch.stack(channels).view_as(image)


def _match_channel(image: Tensor, reference: Tensor) -> Tensor:
    """(N,) and (M,) -> (N,): each rank reads the value at the same quantile of the reference."""
    values = reference.sort().values
    _, place, counts = image.unique(return_inverse=True, return_counts=True)
    rank = 2 * counts.cumsum(0) - counts - 1  # twice the middle rank of those that share a value
    position, steps = rank * (values.numel() - 1), 2 * max(image.numel() - 1, 1)
    low, share = position // steps, position % steps / steps
    high = (low + 1).clamp_max(values.numel() - 1)
    return torch.lerp(values[low], values[high], share.to(values.dtype))[place]


def luminance(image: Tensor) -> Tensor:
    """The luminance of (1, 3, H, W), as (1, 1, H, W)."""
    weights = image.new_tensor(_RGB_TO_YIQ[0]).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def with_luminance(image: Tensor, y: Tensor) -> Tensor:
    """An image (1, 3, H, W) with its luminance replaced by (1, 1, H, W) and its I and Q kept."""
    matrix = image.new_tensor(_RGB_TO_YIQ)
    chroma = torch.einsum("cd,bdhw->bchw", matrix[1:], image)
    rgb = torch.einsum("cd,bdhw->bchw", matrix.inverse(), torch.cat([y, chroma], dim=1))
    return rgb.clamp(0, 1)


def match_luminance(image: Tensor, reference: Tensor) -> Tensor:
    """A luminance (1, 1, H, W) with the mean and standard deviation of another: equation 10."""
    scale = reference.std() / image.std().clamp_min(1e-5)
    return (image - image.mean()) * scale + reference.mean()


def match_colors(image: Tensor, reference: Tensor) -> Tensor:
    """Give an image the mean colour and the colour covariance of a reference: equation 11.

    Of the linear maps that do so this is the symmetric one, which turns colours the least.

    Args:
        image: (1, 3, H, W).
        reference: (1, 3, h, w).

    Returns:
        (1, 3, H, W), clamped to [0, 1].
    """
    x, y = image.flatten(2)[0].double(), reference.flatten(2)[0].double()  # (3, N)
    mean_x, mean_y = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    root = _root(_covariance(x))
    inverse = torch.linalg.inv(root)
    transport = inverse @ _root(root @ _covariance(y) @ root) @ inverse
    return (transport @ (x - mean_x) + mean_y).to(image.dtype).view_as(image).clamp(0, 1)


def _covariance(x: Tensor) -> Tensor:
    """(3, N) -> (3, 3), with a floor for pictures of one colour: a tenth of an 8-bit step."""
    return torch.cov(x, correction=0) + torch.eye(3, dtype=x.dtype, device=x.device) * 1e-7


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ values.clamp_min(0).sqrt().diag() @ vectors.mT


def median(image: Tensor) -> Tensor:
    """The median of each pixel and its eight neighbours, channel by channel, against specks.

    Johnson et al. 2016 clean the pictures of their networks so, by default, in the authors' code.

    Args:
        image: (B, C, H, W).

    Example:
        >>> speck = torch.zeros(1, 1, 3, 3)
        >>> speck[..., 1, 1] = 1
        >>> float(median(speck).max())
        0.0
    """
    from scipy.ndimage import median_filter

    return torch.from_numpy(median_filter(image.numpy(), size=(1, 1, 3, 3), mode="nearest"))
