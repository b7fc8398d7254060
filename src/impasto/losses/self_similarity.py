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
    _check_numbers(rows, target)
    return (self_distances(rows) - self_distances(target)).abs().mean()


def self_similarity_divergence(rows: Tensor, target: Tensor, temperature: float = 0.1) -> Tensor:
    """Compute the KL divergence of the softmaxed self-similarities of two sets of vectors.

    Source: the content feature structural distance (CFSD) of Chung, Hyun and Heo, "Style Injection
    in Diffusion", CVPR 2024. They take inner products of features of relu3_1, and sum over the
    rows; here it is cosines, so that the scale of the features has no influence, and the mean.

    Args:
        rows: (N, C), vectors of the image; the gradient flows here.
        target: (N, D), vectors of the content image at the same positions.
        temperature: Divides the cosines before the softmax over the positions.

    Returns:
        A scalar, at least 0: the mean over the positions i of KL(S_target[i] || S_rows[i]), where
        S[i] = softmax over j of cosine(i, j) / temperature.

    Raises:
        InputError: The numbers of vectors differ.

    Example:
        >>> import torch
        >>> rows = torch.rand(5, 3)
        >>> float(self_similarity_divergence(2 * rows, rows)) < 1e-5
        True
    """
    _check_numbers(rows, target)
    units = (F.normalize(at_least_float32(x), dim=1) for x in (rows, target))
    found, wanted = (F.log_softmax(unit @ unit.T / temperature, dim=1) for unit in units)
    return F.kl_div(found, wanted, reduction="batchmean", log_target=True)


def _check_numbers(rows: Tensor, target: Tensor) -> None:
    if len(rows) != len(target):
        raise InputError(f"{len(rows)} vectors cannot be compared with {len(target)}")
