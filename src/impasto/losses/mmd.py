"""Maximum mean discrepancy (MMD) between two sets of feature vectors.

MMD²(P, Q) = E k(x, x') + E k(y, y') - 2 E k(x, y), Gretton et al., JMLR 2012, lemma 6. Matching
Gram matrices minimises it for k(x, y) = (x·y)²: Li et al., "Demystifying Neural Style Transfer",
IJCAI 2017, section 4.1. The functions take any two sets of vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.errors import InputError, check_choice

ESTIMATORS = ("biased", "unbiased", "linear")

_BLOCK = 2**24  # kernel values computed at a time: 64 MiB in float32


@dataclass(frozen=True)
class Linear:
    """Kernel k(x, y) = x·y, which compares means."""


@dataclass(frozen=True)
class Polynomial:
    """Kernel k(x, y) = (x·y + offset)^degree; degree 2 and offset 0 compare Gram matrices.

    Attributes:
        degree: At least 1.
        offset: Finite, at least 0.

    Raises:
        InputError: A value is out of range.
    """

    degree: int = 2
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Raise an error for values out of range."""
        if self.degree < 1:
            raise InputError(f"a polynomial kernel of degree {self.degree}: it must be at least 1")
        if not 0 <= self.offset < math.inf:
            raise InputError(
                f"a polynomial kernel with offset {self.offset}: it must be finite, 0 or more"
            )


@dataclass(frozen=True)
class Gaussian:
    """Kernel k(x, y) = exp(-γ |x - y|²), which compares all moments.

    Attributes:
        scale: γ in units of 1 / (mean squared distance of the two sets), which is computed at every
            call and held constant for the gradient, as in the authors' code.
        bandwidth: γ itself; overrides ``scale`` when given.

    Raises:
        InputError: γ is not above 0, or not finite.
    """

    scale: float = 1.0
    bandwidth: float | None = None

    def __post_init__(self) -> None:
        """Raise an error for a γ out of range."""
        gamma = self.scale if self.bandwidth is None else self.bandwidth
        if not 0 < gamma < math.inf:  # also false for NaN
            raise InputError(f"a Gaussian kernel of scale {gamma}: it must be more than 0")

    def gamma(self, squared_distances: Tensor) -> Tensor | float:
        """Return γ for a sample of squared distances."""
        if self.bandwidth is not None:
            return self.bandwidth
        return self.scale / squared_distances.detach().mean().clamp_min(1e-30)


Kernel = Linear | Polynomial | Gaussian


def mmd2(
    x: Tensor,
    y: Tensor,
    kernel: Kernel,
    *,
    estimator: str = "biased",
    subsample: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Estimate MMD² between two sets of vectors.

    ============  ==========================================================================
    ``biased``    all pairs, a V-statistic: never negative, 0 for a set with itself
    ``unbiased``  all pairs but those of a vector with itself, a U-statistic
    ``linear``    disjoint random pairs, O(n): Gretton et al., lemma 14; unbiased, noisy
    ============  ==========================================================================

    The first two take O(n) for the linear kernel (by means) and the quadratic one (by Gram
    matrices); for other kernels they sum over all pairs in blocks.

    Args:
        x: (N, C).
        y: (M, C).
        kernel: :class:`Linear`, :class:`Polynomial` or :class:`Gaussian`.
        estimator: One of the table above.
        subsample: Draw this many vectors of each set first, without replacement.
        generator: Random generator; None is torch's global one.

    Returns:
        A scalar, differentiable in both sets.

    Raises:
        InputError: The sets differ in C or are too small for the estimator.

    Example:
        >>> x = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
        >>> mmd2(x, x + 1, Linear())
        tensor(2.)
    """
    _check_sets(x, y, estimator)
    if subsample is not None:
        x, y = draw(x, subsample, generator), draw(y, subsample, generator)
        _check_sets(x, y, estimator)  # a subsample can be too small too
    with torch.autocast(x.device.type, enabled=False):
        return _estimate(x, y, kernel, estimator, generator)


def _estimate(
    x: Tensor, y: Tensor, kernel: Kernel, estimator: str, generator: torch.Generator | None
) -> Tensor:
    if estimator == "linear":
        return _linear_time(x, y, kernel, generator)
    unbiased = estimator == "unbiased"
    if isinstance(kernel, Linear):
        return _linear_kernel(x, y, unbiased)
    if isinstance(kernel, Polynomial) and kernel.degree == 2:
        product = _quadratic_kernel(x, y, unbiased)
        return product + 2 * kernel.offset * _linear_kernel(x, y, unbiased)
    values = kernel_function(x, y, kernel)
    return (
        _mean_of_pairs(x, x, values, unbiased)
        + _mean_of_pairs(y, y, values, unbiased)
        - 2 * _mean_of_pairs(x, y, values, skip_diagonal=False)
    )


def kernel_function(x: Tensor, y: Tensor, kernel: Kernel) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the kernel as a function (n, C), (m, C) -> (n, m), with γ fitted to the two sets."""
    if isinstance(kernel, Linear):
        return lambda a, b: a @ b.T
    if isinstance(kernel, Polynomial):
        return lambda a, b: (a @ b.T + kernel.offset) ** kernel.degree
    gamma = kernel.gamma(_mean_squared_distance(x, y))
    return lambda a, b: torch.exp(-gamma * squared_distances(a, b))


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Compute |a_i - b_j|² for two sets: (n, C), (m, C) -> (n, m), never negative."""
    norms = a.square().sum(1, keepdim=True) + b.square().sum(1)
    return (norms - 2 * a @ b.T).clamp_min(0)


def draw(x: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw a random subset of the rows of (N, C) without replacement; all if there are fewer."""
    if count >= x.shape[0]:
        return x
    order = torch.randperm(x.shape[0], generator=generator)[:count]
    return x[order.to(x.device)]


def _mean_squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """Compute the mean of |x_i - y_j|² over all pairs, exactly and in O(n)."""
    mean_x, mean_y = x.detach().mean(0), y.detach().mean(0)
    spread = (x.detach() - mean_x).square().sum(1).mean() + (y.detach() - mean_y).square().sum(
        1
    ).mean()
    return spread + (mean_x - mean_y).square().sum()


def _linear_kernel(x: Tensor, y: Tensor, unbiased: bool) -> Tensor:
    if not unbiased:
        return (x.mean(0) - y.mean(0)).square().sum()
    return (
        _off_diagonal(x.sum(0).square().sum(), x.square().sum(), x.shape[0])
        + _off_diagonal(y.sum(0).square().sum(), y.square().sum(), y.shape[0])
        - 2 * x.mean(0) @ y.mean(0)
    )


def _quadratic_kernel(x: Tensor, y: Tensor, unbiased: bool) -> Tensor:
    """Compute MMD² for (x·y)², whose sum over all pairs is a product of Gram matrices."""
    n, m = x.shape[0], y.shape[0]
    gram_x, gram_y = x.T @ x, y.T @ y
    if not unbiased:
        return (gram_x / n - gram_y / m).square().sum()
    return (
        _off_diagonal(gram_x.square().sum(), x.square().sum(1).square().sum(), n)
        + _off_diagonal(gram_y.square().sum(), y.square().sum(1).square().sum(), m)
        - 2 * (gram_x * gram_y).sum() / (n * m)
    )


def _off_diagonal(everything: Tensor, diagonal: Tensor, count: int) -> Tensor:
    return (everything - diagonal) / (count * (count - 1))


def _mean_of_pairs(
    a: Tensor, b: Tensor, values: Callable[[Tensor, Tensor], Tensor], skip_diagonal: bool
) -> Tensor:
    rows = max(1, _BLOCK // b.shape[0])
    total = a.new_zeros(())
    for start in range(0, a.shape[0], rows):
        block = values(a[start : start + rows], b)
        total = total + block.sum()
        if skip_diagonal:
            total = total - block.diagonal(start).sum()
    pairs = a.shape[0] * (b.shape[0] - 1 if skip_diagonal else b.shape[0])
    return total / pairs


def _linear_time(x: Tensor, y: Tensor, kernel: Kernel, generator: torch.Generator | None) -> Tensor:
    """Compute the mean of k(x, x') + k(y, y') - k(x, y') - k(x', y) over disjoint random pairs."""
    pairs = min(x.shape[0], y.shape[0]) // 2
    x = x[torch.randperm(x.shape[0], generator=generator).to(x.device)]
    y = y[torch.randperm(y.shape[0], generator=generator).to(y.device)]
    x0, x1, y0, y1 = x[:pairs], x[pairs : 2 * pairs], y[:pairs], y[pairs : 2 * pairs]
    couples = ((x0, x1), (y0, y1), (x0, y1), (x1, y0))
    if isinstance(kernel, Gaussian):
        distances = [(a - b).square().sum(1) for a, b in couples]
        gamma = kernel.gamma(torch.cat(distances))
        xx, yy, xy, yx = (torch.exp(-gamma * d) for d in distances)
    else:
        products = [(a * b).sum(1) for a, b in couples]
        if isinstance(kernel, Polynomial):
            products = [(p + kernel.offset) ** kernel.degree for p in products]
        xx, yy, xy, yx = products
    return (xx + yy - xy - yx).mean()


def check_shapes(x: Tensor, y: Tensor) -> None:
    """Raise :class:`InputError` unless two sets are (N, C) and (M, C)."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise InputError(
            f"two sets of vectors (N, C) and (M, C) are wanted, "
            f"not {tuple(x.shape)} and {tuple(y.shape)}"
        )


def _check_sets(x: Tensor, y: Tensor, estimator: str) -> None:
    check_choice("estimator", estimator, ESTIMATORS)
    check_shapes(x, y)
    smallest = 1 if estimator == "biased" else 2
    if min(x.shape[0], y.shape[0]) < smallest:
        raise InputError(f"the {estimator} estimator needs at least {smallest} vectors in each set")
