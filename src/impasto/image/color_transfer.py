"""Transfer colours between images: histograms, linear colour matching, luminance.

Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

_BLOCK = 1 << 18  # pixels that are converted to OKLab at once; bounds the memory
_SINGLE = 1e-7  # added to variances, so that the covariance of a single colour is invertible

# RGB to YIQ of NTSC, ITU-R BT.601
_RGB_TO_YIQ = (
    (0.299, 0.587, 0.114),
    (0.595716, -0.274453, -0.321263),
    (0.211456, -0.522591, 0.311135),
)
# Ottosson 2020: from linear sRGB to cone responses, and from their cube roots to L, a, b
_RGB_TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LMS_TO_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def match_histogram(image: Tensor, reference: Tensor) -> Tensor:
    """Match the histogram of each channel of an image to that of a reference.

    Args:
        image: (1, 3, H, W).
        reference: (1, 3, h, w).

    Returns:
        (1, 3, H, W) with the ranks of ``image`` and the values of ``reference``. Pixels of equal
        value stay equal, so that flat areas stay flat.
    """
    channels = [
        _match_channel(one, other)
        for one, other in zip(image.flatten(2)[0], reference.flatten(2)[0], strict=True)
    ]
    return torch.stack(channels).view_as(image)


def _match_channel(image: Tensor, reference: Tensor) -> Tensor:
    """Map (N,) to the values of (M,) at the same quantiles."""
    values = reference.sort().values
    _, place, counts = image.unique(return_inverse=True, return_counts=True)
    rank = 2 * counts.cumsum(0) - counts - 1  # twice the mean rank of equal values
    position, steps = rank * (values.numel() - 1), 2 * max(image.numel() - 1, 1)
    low, fraction = position // steps, position % steps / steps
    high = (low + 1).clamp_max(values.numel() - 1)
    return torch.lerp(values[low], values[high], fraction.to(values.dtype))[place]


def luminance(image: Tensor) -> Tensor:
    """Compute the luminance Y of an RGB image (1, 3, H, W), as (1, 1, H, W)."""
    weights = image.new_tensor(_RGB_TO_YIQ[0]).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def with_luminance(image: Tensor, y: Tensor) -> Tensor:
    """Replace the luminance of an RGB image, keeping its I and Q.

    Args:
        image: (1, 3, H, W) in [0, 1].
        y: (1, 1, H, W).

    Returns:
        (1, 3, H, W), clamped to [0, 1].
    """
    matrix = image.new_tensor(_RGB_TO_YIQ)
    chroma = torch.einsum("cd,bdhw->bchw", matrix[1:], image)
    rgb = torch.einsum("cd,bdhw->bchw", matrix.inverse(), torch.cat([y, chroma], dim=1))
    return rgb.clamp(0, 1)


def match_luminance(image: Tensor, reference: Tensor) -> Tensor:
    """Match mean and standard deviation of a luminance to those of a reference: equation 10.

    Args:
        image: (1, 1, H, W).
        reference: (1, 1, h, w).
    """
    scale = reference.std(correction=0) / image.std(correction=0).clamp_min(1e-5)
    return (image - image.mean()) * scale + reference.mean()


def match_colors(image: Tensor, reference: Tensor) -> Tensor:
    """Match the mean colour and the colour covariance of an image to a reference: equation 11.

    Of all linear maps with that result this is the symmetric one, which changes colours least.

    Args:
        image: (1, 3, H, W).
        reference: (1, 3, h, w).

    Returns:
        (1, 3, H, W), clamped to [0, 1].
    """
    x, y = image.flatten(2)[0].double(), reference.flatten(2)[0].double()  # (3, N)
    return _transport(x, y).to(image.dtype).view_as(image).clamp(0, 1)


def match_chroma(image: Tensor, reference: Tensor, limit: float = math.inf) -> Tensor:
    """Match mean and covariance of a and b in OKLab to a reference, keeping the lightness L.

    Source: Ottosson, "A perceptual color space for image processing", 2020, for OKLab.

    Args:
        image: (1, 3, H, W), sRGB in [0, 1].
        reference: (1, 3, h, w).
        limit: Largest factor on the deviation of a and b along any direction.

    Returns:
        (1, 3, H, W), clamped to [0, 1].
    """
    (mean_x, covariance_x), (mean_y, covariance_y) = map(_chroma_moments, (image, reference))
    factors, axes = torch.linalg.eigh(_transport_matrix(covariance_x, covariance_y))
    matrix = axes @ factors.clamp_max(limit).diag() @ axes.mT
    matched = torch.empty_like(image)
    for rows in _blocks_of_rows(image):
        x = oklab(image[..., rows, :].double())  # (3, N)
        x[1:] = matrix @ (x[1:] - mean_x) + mean_y
        matched[..., rows, :] = _from_oklab(x).view(1, 3, -1, image.shape[-1])
    return matched


def _chroma_moments(image: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean (2, 1) and covariance (2, 2) of a and b in OKLab, see :func:`_covariance`."""
    total, products = (torch.zeros(2, n, dtype=torch.float64) for n in (1, 2))
    for rows in _blocks_of_rows(image):
        x = oklab(image[..., rows, :].double())[1:].cpu()
        total += x.sum(1, keepdim=True)
        products += x @ x.mT
    count = image.shape[-2] * image.shape[-1]
    mean = total / count
    covariance = products / count - mean @ mean.mT + _SINGLE * torch.eye(2, dtype=torch.float64)
    return mean.to(image.device), covariance.to(image.device)


def _blocks_of_rows(image: Tensor) -> Iterator[slice]:
    """Yield slices of rows of an image, each of about ``_BLOCK`` pixels."""
    rows = max(1, _BLOCK // image.shape[-1])
    for top in range(0, image.shape[-2], rows):
        yield slice(top, top + rows)


def oklab(image: Tensor) -> Tensor:
    """Convert sRGB (1, 3, H, W) in [0, 1] to OKLab (3, H*W): L from 0 to 1, a and b around 0."""
    x = image.flatten(2)[0].clamp(0, 1)
    linear = torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    cones: Tensor = x.new_tensor(_RGB_TO_LMS) @ linear
    return x.new_tensor(_LMS_TO_OKLAB) @ cones.clamp_min(0) ** (1 / 3)


def _from_oklab(x: Tensor) -> Tensor:
    """Convert OKLab (3, N) to sRGB (3, N) in [0, 1]."""
    cones = torch.linalg.solve(x.new_tensor(_LMS_TO_OKLAB), x) ** 3
    linear = torch.linalg.solve(x.new_tensor(_RGB_TO_LMS), cones).clamp(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _transport(x: Tensor, y: Tensor) -> Tensor:
    """Map colours (C, N) linearly to the mean and covariance of others (C, M), symmetrically."""
    mean_x, mean_y = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    return _transport_matrix(_covariance(x), _covariance(y)) @ (x - mean_x) + mean_y


def _transport_matrix(source: Tensor, target: Tensor) -> Tensor:
    """Return the symmetric matrix (C, C) that maps colours of one covariance to another's."""
    root = _root(source)
    inverse = torch.linalg.inv(root)
    return inverse @ _root(root @ target @ root) @ inverse


def _covariance(x: Tensor) -> Tensor:
    """Compute the covariance (C, C) of (C, N), plus 1e-7 so that single colours are invertible."""
    return torch.cov(x, correction=0) + torch.eye(len(x), dtype=x.dtype, device=x.device) * _SINGLE


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ values.clamp_min(0).sqrt().diag() @ vectors.mT
