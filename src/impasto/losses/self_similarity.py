"""Self-similarity: how the feature vectors of one image resemble each other.

It represents the layout of an image without its colours and textures. Kolkin, Salavon and
Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and Self-Similarity", CVPR 2019.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.nn.features import at_least_float32

_LEAST = 1e-6  # smaller sums of distances, of an image of one colour, count as this


def self_distances(rows: Tensor) -> Tensor:
    """Compute the cosine distances of all pairs of vectors; the mean of each column is 1.

    Source: Kolkin et al. 2019, equation 6.

    Args:
        rows: (N, C), one vector for each position.

    Returns:
        (N, N), in float32 or better.

    Example:
        >>> import torch
        >>> self_distances(torch.eye(2))
        tensor([[0., 2.],
                [2., 0.]])
    """
    unit = F.normalize(at_least_float32(rows), dim=1)
    distances = 1 - unit @ unit.T
    return distances / distances.mean(0, keepdim=True).clamp_min(_LEAST)


def self_similarity_loss(rows: Tensor, target: Tensor) -> Tensor:
    """Compute the mean absolute difference of the self-distances of two sets of vectors.

    Source: Kolkin et al. 2019, equation 6; theirs is the sum over one index, the mean over the
    other, of columns that sum to 1, which is the same number.

    Args:
        rows: (N, C), vectors of the image; the gradient flows here.
        target: (N, D), vectors of the content image at the same positions.

    Returns:
        A scalar in [0, 2], in float32 or better.

    Raises:
        InputError: The numbers of vectors differ.

    Example:
        >>> import torch
        >>> rows = torch.rand(5, 3)
        >>> float(self_similarity_loss(2 * rows, rows)) < 1e-5
        True
    """
    if len(rows) != len(target):
        raise InputError(f"{len(rows)} vectors cannot be compared with {len(target)}")
    return (self_distances(rows) - self_distances(target)).abs().mean()
