"""Make scaled and rotated copies of a style image, which provide more patches to match.

Li and Wand, "Combining Markov Random Fields and Convolutional Neural Networks for Image
Synthesis", CVPR 2016, section 4: 7 scales, 5 rotations.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError


def augment_style(
    image: Tensor,
    *,
    scales: int = 0,
    rotations: int = 0,
    scale_step: float = 0.05,
    rotation_step: float = 7.5,
) -> list[Tensor]:
    """Return copies of a style image in 2 * scales + 1 sizes and 2 * rotations + 1 angles.

    The paper uses ``scales=3, rotations=2``. The authors' code takes both numbers as options, and
    scales by powers of 1.05 where the paper has multiples of 5 %.

    A rotated copy is cropped to the largest upright rectangle inside it with the aspect ratio of
    the image, so it has no empty corners.

    Args:
        image: (1, 3, H, W), RGB in [0, 1].
        scales: Number of larger sizes, and of smaller ones.
        rotations: Number of angles to the left, and to the right.
        scale_step: Difference between neighbouring sizes, as a fraction of the image's size.
        rotation_step: Difference between neighbouring angles, in degrees.

    Returns:
        (2 * scales + 1) * (2 * rotations + 1) images (1, 3, h, w) in [0, 1]; the first is
        ``image``.

    Raises:
        InputError: The steps reach size 0 or a right angle, or a copy would have no pixels.

    Example:
        >>> [tuple(x.shape[2:]) for x in augment_style(torch.rand(1, 3, 40, 80), scales=1)]
        [(40, 80), (38, 76), (42, 84)]
    """
    if image.ndim != 4 or image.shape[:2] != (1, 3):
        raise InputError(f"a style picture is (1, 3, H, W), not {tuple(image.shape)}")
    if min(scales, rotations) < 0 or scales * scale_step >= 1 or rotations * rotation_step >= 90:
        raise InputError(
            f"{scales} scales by {scale_step:g} and {rotations} rotations by {rotation_step:g} "
            "degrees: take fewer or smaller steps, to sizes above 0 and angles under 90 degrees"
        )
    copies = []
    for i in sorted(range(-scales, scales + 1), key=abs):
        resized = _resize(image, 1 + i * scale_step)
        for j in sorted(range(-rotations, rotations + 1), key=abs):
            copies.append(_rotate(resized, j * rotation_step))
    return copies


def _resize(image: Tensor, scale: float) -> Tensor:
    """Scale an image by bicubic interpolation with antialiasing."""
    size = [round(side * scale) for side in image.shape[2:]]
    if size == list(image.shape[2:]):
        return image
    if min(size) < 1:
        raise InputError(f"a style picture of {image.shape[3]} x {image.shape[2]} is too small")
    x = F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)
    return x.clamp(0, 1)


def _rotate(image: Tensor, degrees: float) -> Tensor:
    """Rotate an image to the left by bicubic interpolation, and crop it to its aspect ratio."""
    if degrees == 0:
        return image
    height, width = image.shape[2:]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # The crop is the largest whose corners, rotated back, lie inside the image.
    wide, high = width * cos + height * abs(sin), width * abs(sin) + height * cos
    shrink = min(width / wide, height / high)
    rows, columns = int(height * shrink), int(width * shrink)
    if min(rows, columns) < 1:
        raise InputError(f"a style picture of {width} x {height} is too small to be rotated")
    y = torch.arange(rows, device=image.device, dtype=image.dtype) - (rows - 1) / 2
    x = torch.arange(columns, device=image.device, dtype=image.dtype) - (columns - 1) / 2
    y, x = torch.meshgrid(y, x, indexing="ij")  # pixels from the centre
    grid = torch.stack((2 / width * (x * cos - y * sin), 2 / height * (x * sin + y * cos)), 2)
    turned = F.grid_sample(
        image, grid.unsqueeze(0), mode="bicubic", padding_mode="border", align_corners=False
    )
    return turned.clamp(0, 1)
