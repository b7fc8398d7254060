"""Diversity loss: keeps a generator from producing the same image for every noise.

Ulyanov, Vedaldi and Lempitsky, "Improved Texture Networks", CVPR 2017, section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.errors import InputError


def entropy(pictures: Tensor) -> Tensor:
    """Estimate the entropy of a batch of images by the mean log distance to the nearest neighbour.

    Kozachenko and Leonenko's estimate, divided by the dimension and up to a constant; Ulyanov,
    Vedaldi and Lempitsky, "Improved Texture Networks", CVPR 2017, section 2, equation 4. Distances
    are root mean squares over all values.

    Args:
        pictures: (B, 3, H, W), B at least 2.

    Returns:
        A scalar; larger means more diverse.

    Raises:
        InputError: There are fewer than two images.
    """
    if len(pictures) < 2:
        raise InputError("diversity compares the pictures of a batch: set batch to 2 or more")
    flat = pictures.float().flatten(1)  # (B, 3*H*W)
    with torch.no_grad():
        distances = torch.cdist(flat, flat)  # (B, B)
        nearest = distances.fill_diagonal_(torch.inf).argmin(1)
    # computed again as differences: cdist is too imprecise for images that are almost equal
    squares = (flat - flat[nearest]).square().mean(1)
    return squares.clamp_min(1e-12).log().mean() / 2  # equal images get no gradient
