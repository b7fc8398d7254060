"""Test whether two sets of vectors have the same distribution, and measure their distance.

The permutation test of MMD²: Gretton et al., "A Kernel Two-Sample Test", JMLR 2012. The distance of
two Gaussians: Dowson and Landau, "The Fréchet distance between multivariate normal distributions",
Journal of Multivariate Analysis 1982; for features of images, Heusel et al., NIPS 2017.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.errors import InputError, check_range
from impasto.losses.mmd import Kernel, check_shapes, kernel_function, squared_distances

_BLOCK = 2**22  # kernel values computed at a time: 32 MiB in float64
_PAIRS = 2**22  # maximum number of distances for the median
_ROUNDING = 1e-12  # times the kernel's largest value: smaller differences count as ties


class Discrepancy(NamedTuple):
    """Result of a permutation test.

    Attributes:
        mmd2: The unbiased estimate of MMD², which can be negative.
        p: The p-value: the fraction of splits, with the observed one, whose estimate is as large.
    """

    mmd2: float
    p: float


def permutation_test(
    x: Tensor, y: Tensor, kernel: Kernel, permutations: int = 1000, *, seed: int = 0
) -> Discrepancy:
    """Test by permutations of MMD² whether two sets have the same distribution.

    If they do, every split of all vectors into two sets is equally likely. So the vectors are split
    at random ``permutations`` times, and p = (1 + splits with an MMD² as large) / (1 +
    permutations). A Gaussian kernel without a bandwidth is fitted to both sets together, so that it
    does not depend on the split; see also :func:`median_bandwidth`.

    Args:
        x: (N, C), N at least 2.
        y: (M, C), M at least 2.
        kernel: See :mod:`impasto.losses.mmd`. It is computed in float64.
        permutations: Number of random splits; 0 gives p = 1.
        seed: Seed of the splits.

    Returns:
        MMD² and p. The test is exact: under the null hypothesis p <= α has a probability of at
        most α.

    Raises:
        InputError: The sets are too small or differ in C, or ``permutations`` is negative.
    """
    _check(x, y)
    check_range(0, permutations=permutations)
    pooled, n = torch.cat([x, y]).double(), x.shape[0]
    splits = _splits(len(pooled), n, permutations, seed).to(pooled.device)
    estimates, scale = _estimates(pooled, splits, n, kernel)
    as_large = int((estimates[1:] >= estimates[0] - _ROUNDING * scale).sum())
    return Discrepancy(float(estimates[0]), (1 + as_large) / (1 + permutations))


def _splits(count: int, first: int, permutations: int, seed: int) -> Tensor:
    """Return the members of the first set, (count, 1 + permutations), 0 or 1; observed first."""
    random = torch.Generator().manual_seed(seed)
    splits = torch.zeros(count, 1 + permutations, dtype=torch.float64)
    splits[:first, 0] = 1
    for column in range(1, 1 + permutations):
        splits[torch.randperm(count, generator=random)[:first], column] = 1
    return splits


def _estimates(pooled: Tensor, splits: Tensor, n: int, kernel: Kernel) -> tuple[Tensor, float]:
    """Return the unbiased MMD² of every split (columns), and the largest kernel value.

    For a column s of 0 and 1, the sum over pairs of the first set is sᵀKs, and over pairs of both
    sets sᵀK1 - sᵀKs. So all splits take one product with K, which is computed in blocks of rows.
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
    """Compute γ of a Gaussian kernel exp(-γ d²) by the median heuristic: 1 / (2 · median d²).

    Gretton et al., section 8. The median is over all pairs, or over 2^22 random ones of a large
    set.

    Args:
        x: (N, C), both sets of a test together, N at least 2.
        seed: Seed of the random pairs.

    Raises:
        InputError: More than half of the distances are 0.
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
    """Compute the squared Fréchet distance of the Gaussians that fit two sets.

    |μ_x - μ_y|² + tr(Σ_x + Σ_y - 2 (Σ_x Σ_y)^½), with unbiased covariances, in float64. With
    Σ = AᵀA, A the centred set over (N - 1)^½, the last trace is the sum of the singular values of
    A_x A_yᵀ, whose sides are the smaller of the numbers of vectors and of dimensions. So fewer
    vectors than dimensions cause no singular matrix, and no shrinkage is needed.

    The distance is biased upwards for few vectors (two sets of one distribution do not give 0):
    compare only values for sets of equal sizes.

    Args:
        x: (N, C), N at least 2.
        y: (M, C), M at least 2.

    Raises:
        InputError: The sets are too small or differ in C.
    """
    _check(x, y)
    x, y = x.double(), y.double()
    a, b = _factor(x), _factor(y)
    means = (x.mean(0) - y.mean(0)).square().sum()
    traces = a.square().sum() + b.square().sum()
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return float((means + traces - 2 * cross).clamp_min(0))


def _factor(x: Tensor) -> Tensor:
    """Return A with AᵀA the covariance of (N, C), with min(N, C) rows."""
    a = (x - x.mean(0)) / math.sqrt(len(x) - 1)
    return a if a.shape[0] <= a.shape[1] else torch.linalg.qr(a, mode="r").R


def _check(x: Tensor, y: Tensor) -> None:
    check_shapes(x, y)
    if min(len(x), len(y)) < 2:
        raise InputError(f"sets of {len(x)} and {len(y)}: each needs 2 at least")
