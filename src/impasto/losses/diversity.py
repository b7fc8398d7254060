"""How far apart the pictures of a batch lie: what keeps a generator from making one for all noises.

Ulyanov, Vedaldi and Lempitsky, "Improved Texture Networks", CVPR 2017, section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.errors import InputError


def entropy(pictures: Tensor) -> Tensor:
    """How far apart the pictures (B, 3, H, W) of a batch lie: the mean log distance to the nearest.

    Kozachenko and Leonenko's estimate of the entropy of the pictures' distribution over its
    dimension and up to a constant; Ulyanov, Vedaldi and Lempitsky, "Improved Texture Networks",
    CVPR 2017, section 2, equation 4. Distances are roots of mean squares over all values.

    Raises:
        InputError: A single picture has no neighbour.
    """
    if len(pictures) < 2:
        raise InputError("diversity compares the pictures of a batch: set batch to 2 or more")
    flat = pictures.float().flatten(1)  # (B, 3*H*W)
    with torch.no_grad():
        distances = torch.cdist(flat, flat)  # (B, B)
        nearest = distances.fill_diagonal_(torch.inf).argmin(1)
    # differences anew: the products inside cdist are too coarse for pictures that are almost one
    squares = (flat - flat[nearest]).square().mean(1)
    return squares.clamp_min(1e-12).log().mean() / 2  # two of one picture have no direction
