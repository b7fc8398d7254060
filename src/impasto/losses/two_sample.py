"""Whether two sets of vectors are of one distribution, and how far apart the two are if not.

The permutation test of MMD²: Gretton et al., "A Kernel Two-Sample Test", JMLR 2012. The distance of
two Gaussians: Dowson and Landau, "The Fréchet distance between multivariate normal distributions",
Journal of Multivariate Analysis 1982; on features of pictures, Heusel et al., NIPS 2017.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.losses.mmd import Kernel, kernel_function, squared_distances

_BLOCK = 2**22  # kernel values held at once: 32 MiB in float64
_PAIRS = 2**22  # distances that a median is taken of
_ROUNDING = 1e-12  # of the kernel's largest value: two splits that differ by less are equal


class Discrepancy(NamedTuple):
    """What a permutation test found.

    Attributes:
        mmd2: The unbiased estimate of MMD²; below 0 where the sets are closer than chance has it.
        p: The share of splits of all vectors, this one included, whose estimate is as large.
    """

    mmd2: float
    p: float


def permutation_test(
    x: Tensor, y: Tensor, kernel: Kernel, permutations: int = 1000, *, seed: int = 0
) -> Discrepancy:
    """MMD² of two sets, and how often chance gives as much.

    If both sets are of one distribution, which vectors are in which is chance. So all are split
    anew, ``permutations`` times, and p = (1 + splits with an MMD² as large) / (1 + permutations).
    A Gaussian kernel without a bandwidth is fitted to both sets together, so that it knows nothing
    of the split; see also :func:`median_bandwidth`.

    Args:
        x: (N, C), N at least 2.
        y: (M, C), M at least 2.
        kernel: See :mod:`impasto.losses.mmd`. Its values are float64.
        permutations: 0 leaves p at 1.
        seed: Of the splits.

    Returns:
        Exact under the null hypothesis: p is below any level as often as that level says at most.

    Raises:
        InputError: The sets are too small or do not fit together.
    """
    _check(x, y)
    if permutations < 0:
        raise InputError(f"permutations is {permutations}: it must be 0 or more")
    pooled, n = torch.cat([x, y]).double(), x.shape[0]
    splits = _splits(len(pooled), n, permutations, seed).to(pooled.device)
    estimates, scale = _estimates(pooled, splits, n, kernel)
    as_large = int((estimates[1:] >= estimates[0] - _ROUNDING * scale).sum())
    return Discrepancy(float(estimates[0]), (1 + as_large) / (1 + permutations))


def _splits(count: int, first: int, permutations: int, seed: int) -> Tensor:
    """Who is in the first set, (count, 1 + permutations), 0 or 1; the first column is as given."""
    random = torch.Generator().manual_seed(seed)
    splits = torch.zeros(count, 1 + permutations, dtype=torch.float64)
    splits[:first, 0] = 1
    for column in range(1, 1 + permutations):
        splits[torch.randperm(count, generator=random)[:first], column] = 1
    return splits


def _estimates(pooled: Tensor, splits: Tensor, n: int, kernel: Kernel) -> tuple[Tensor, float]:
    """The unbiased MMD² of every split (columns), and the largest kernel value.

    With s a column of 0 and 1, the sum over pairs of the first set is sᵀKs, over pairs across
    sᵀK1 - sᵀKs. So all splits cost one product with K, which is never held whole.
    """
    m = len(pooled) - n
    values = kernel_function(pooled, pooled, kernel)
    rows = max(1, _BLOCK // len(pooled))
    within = splits.new_zeros(splits.shape[1])  # sᵀKs without the diagonal
    scale, degrees = 0.0, []
    for start in range(0, len(pooled), rows):
        block = values(pooled[start : start + rows], pooled)
        scale = max(scale, float(block.abs().max()))
        block.diagonal(start).zero_()
        within += (splits[start : start + rows] * (block @ splits)).sum(0)
        degrees.append(block.sum(1))
    degree = torch.cat(degrees)
    across = degree @ splits - within
    others = degree.sum() - within - 2 * across
    return within / (n * (n - 1)) + others / (m * (m - 1)) - 2 * across / (n * m), scale


def median_bandwidth(x: Tensor, seed: int = 0) -> float:
    """γ of a Gaussian kernel exp(-γ d²) by the median heuristic: 1 / (2 · median distance²).

    Gretton et al., section 8. The median is over all pairs, or over 2^22 random ones of a large
    set.

    Args:
        x: (N, C), both sets of a test together, N at least 2.
        seed: Of the draw.

    Raises:
        InputError: More than half of the vectors are one and the same.
    """
    x = x.double()
    count = len(x)
    if count * count <= _PAIRS:
        above = torch.triu_indices(count, count, 1, device=x.device)
        distances = squared_distances(x, x)[above[0], above[1]]
    else:
        random = torch.Generator().manual_seed(seed)
        first = torch.randint(count, (_PAIRS,), generator=random)
        step = torch.randint(1, count, (_PAIRS,), generator=random)
        parts = zip(first.split(2**14), ((first + step) % count).split(2**14), strict=True)
        distances = torch.cat([(x[i] - x[j]).square().sum(1) for i, j in parts])
    median = float(distances.median())
    if not 0 < median < math.inf:
        raise InputError("most of these vectors are the same: there is no distance to measure by")
    return 1 / (2 * median)


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """The squared Fréchet distance of the Gaussians that fit two sets.

    |μ_x - μ_y|² + tr(Σ_x + Σ_y - 2 (Σ_x Σ_y)^½), with unbiased covariances, in float64. With
    Σ = AᵀA, A the centred set over (N - 1)^½, the last trace is the sum of the singular values of
    A_x A_yᵀ, whose sides are the smaller of the numbers of vectors and of dimensions. So nothing is
    singular where the vectors are fewer than the dimensions, and no shrinkage is needed.

    Of few vectors the distance is too large (two sets of one distribution are not at 0): compare
    only sets of like sizes.

    Args:
        x: (N, C), N at least 2.
        y: (M, C), M at least 2.

    Raises:
        InputError: The sets are too small or do not fit together.
    """
    _check(x, y)
    x, y = x.double(), y.double()
    a, b = _factor(x), _factor(y)
    means = (x.mean(0) - y.mean(0)).square().sum()
    traces = a.square().sum() + b.square().sum()
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return float((means + traces - 2 * cross).clamp_min(0))


def _factor(x: Tensor) -> Tensor:
    """A with AᵀA the covariance of (N, C), of min(N, C) rows."""
    a = (x - x.mean(0)) / math.sqrt(len(x) - 1)
    return a if a.shape[0] <= a.shape[1] else torch.linalg.qr(a, mode="r").R


def _check(x: Tensor, y: Tensor) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise InputError(
            f"two sets of vectors (N, C) and (M, C) are wanted, "
            f"not {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if min(len(x), len(y)) < 2:
        raise InputError(f"sets of {len(x)} and {len(y)}: each needs 2 at least")
