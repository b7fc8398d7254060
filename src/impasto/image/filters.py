"""Filter images: median, sharpening, guided filters for edges of masks and for detail."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.image.color_transfer import luminance

_DETAIL_RADIUS = 4  # of the windows of `enlarge_like`, in pixels of the small image
_OVERSHOOT = 0.03  # of luminance in [0, 1], by which `sharpen` may leave the range of neighbours
_NOISE = 1e-3  # variances of luminance in [0, 1] below this carry little detail


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


def sharpen(image: Tensor, amount: float) -> Tensor:
    """Sharpen the luminance by an unsharp mask that draws no halos.

    The difference from a Gaussian blur of one pixel, times ``amount``, is added to the luminance,
    which may leave the range of its eight neighbours by 0.03 only.

    Args:
        image: (1, 3, H, W) in [0, 1].
        amount: 0 returns the image itself.

    Returns:
        (1, 3, H, W), clamped to [0, 1].

    Example:
        >>> edge = torch.tensor([0.2, 0.2, 0.35, 0.65, 0.8, 0.8]).expand(1, 3, 6, 6)
        >>> sharpen(edge, 1.0)[0, 0, 0]
        tensor([0.1899, 0.1700, 0.2962, 0.7038, 0.8300, 0.8101])
    """
    if not amount:
        return image
    light = luminance(image)
    taps = torch.exp(-0.5 * torch.arange(-3.0, 4.0).square())
    taps /= taps.sum()
    blurred = F.conv2d(F.pad(light, (3, 3, 0, 0), "replicate"), taps.view(1, 1, 1, -1))
    blurred = F.conv2d(F.pad(blurred, (0, 0, 3, 3), "replicate"), taps.view(1, 1, -1, 1))
    highest, lowest = (sign * F.max_pool2d(sign * light, 3, 1, 1) for sign in (1, -1))
    wanted = torch.lerp(light, blurred, -amount)
    bounded = torch.minimum(torch.maximum(wanted, lowest - _OVERSHOOT), highest + _OVERSHOOT)
    return (image + bounded.sub_(light)).clamp_(0, 1)


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
    return apply_coefficients(guided_coefficients(mask, guide, radius, eps), guide).clamp(0, 1)


def guided_coefficients(mask: Tensor, guide: Tensor, radius: int, eps: float = 1e-4) -> Tensor:
    """Compute what :func:`guided` multiplies the colours of the guide with.

    Returns:
        (1, 4, h, w): a factor for each colour, and the number added to their sum.
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
    return mean(torch.cat([slope, offset], 1))


def apply_coefficients(coefficients: Tensor, guide: Tensor) -> Tensor:
    """Return the sum of the colours of a guide times coefficients, enlarged to its size.

    One plane is enlarged at a time, to save memory.

    Args:
        coefficients: See :func:`guided_coefficients`.
        guide: (1, 3, H, W).

    Returns:
        (1, 1, H, W).
    """
    size = guide.shape[-2:]

    def enlarged(index: int) -> Tensor:
        plane = coefficients[:, index : index + 1]
        same = plane.shape[-2:] == size
        return plane.clone() if same else F.interpolate(plane, size, mode="bilinear")

    found = enlarged(3)
    for color in range(3):
        found += enlarged(color).mul_(guide[:, color : color + 1])
    return found


def enlarge_like(image: Tensor, content: Tensor) -> Tensor:
    """Enlarge an image, adding detail of a large image where both have the same edges.

    In windows of 9x9 pixels each channel is regressed on the luminance of the content image at the
    small size. The slope, between -1 and 1, scales the detail of the content image's luminance
    that the small size lacks: edges of both images become sharp, and what only the content image
    has stays out. The slopes are the coefficients of the fast guided filter, He and Sun 2015, which
    would also average the image's own detail.

    Args:
        image: (1, 3, h, w), RGB in [0, 1].
        content: (1, 3, H, W), RGB in [0, 1], not smaller.

    Returns:
        (1, 3, H, W), not clamped; ``image`` itself if the sizes are equal.

    Example:
        >>> content = torch.rand(1, 3, 16, 16)
        >>> enlarge_like(torch.full((1, 3, 8, 8), 0.5), content).std() < 1e-3
        tensor(True)
    """
    if image.shape[2:] == content.shape[2:]:
        return image
    sizes = tuple(image.shape[2:]), tuple(content.shape[2:])
    guide = luminance(content)
    small = F.interpolate(guide, sizes[0], mode="bicubic", antialias=True)
    detail = guide - F.interpolate(small, sizes[1], mode="bicubic")
    mean, mean_image = _mean(small), _mean(image)
    covariance = _mean(small * image) - mean * mean_image
    variance = (_mean(small.square()) - mean.square()).clamp_min(0)
    slope = (covariance / (variance + _NOISE)).clamp(-1, 1)
    slope = F.interpolate(slope, sizes[1], mode="bilinear")
    return F.interpolate(image, sizes[1], mode="bicubic") + slope * detail


def _mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2 * _DETAIL_RADIUS + 1, 1, _DETAIL_RADIUS, count_include_pad=False)
