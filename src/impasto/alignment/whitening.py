"""Whitening and colouring: a picture's features get the mean and the covariance of another's.

Li, Fang, Yang, Wang, Lu and Yang, "Universal Style Transfer via Feature Transforms", NIPS 2017,
section 3.2; and, as the alternative, the optimal transport between two Gaussians. Both are one
matrix and two means, which may be computed once and then applied to any features: of another tile,
of the next frame.

Everything here is finite for any finite features. A direction in which they hardly vary is dropped
and not divided by: a constant picture, a mask of one position and a map of 1x1 become the style's
mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.alignment.adain import position_weights
from impasto.nn.lazy_map import LazyMap, Measured, in_strips

_SHORT = (torch.bfloat16, torch.float16)
_BLOCK = 1 << 20  # numbers that are worked on at a time: they stay in the processor's cache


class Gaussian(NamedTuple):
    """Statistics of a feature map, in float64.

    Attributes:
        mean: (B, C).
        covariance: (B, C, C).
    """

    mean: Tensor
    covariance: Tensor


class Roots(NamedTuple):
    """A Gaussian as both transports want it, in float64.

    Attributes:
        mean: (B, C).
        root: Σ^½ without the directions that are dropped, (B, C, C), symmetric.
        inverse: Σ^-½ on the directions that are kept, and 0 on the others, (B, C, C), symmetric.
    """

    mean: Tensor
    root: Tensor
    inverse: Tensor


class Transport(NamedTuple):
    """An affine map of feature vectors: x goes to M (x - μ_c) + μ_s.

    Attributes:
        matrix: M, (B, C, C).
        source: μ_c, (B, C).
        target: μ_s, (B, C).
    """

    matrix: Tensor
    source: Tensor
    target: Tensor

    def __call__(self, features: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Apply it to (B, C, H, W) in any float format.

        Args:
            features: Positions are taken a block at a time, so nothing of their size is made but
                the result.
            dtype: Of the result; float32 or better when None.
        """
        exact = torch.promote_types(features.dtype, torch.float32)
        matrix, source, target = (part.to(features.device, exact) for part in self)
        last, device = torch.channels_last, features.device  # positions of it are one axis
        made = torch.empty(features.shape, dtype=dtype or exact, device=device, memory_format=last)
        for x, out in zip(_blocks(features), _blocks(made), strict=True):  # (B, C, n)
            moved = matrix @ (x.to(exact) - source.unsqueeze(2))
            out.copy_(moved.add_(target.unsqueeze(2)))
        return made


def gaussian(features: Tensor, *, guide: Tensor | None = None) -> Gaussian:
    """The mean and the covariance of feature vectors over all positions.

    Sums are divided by the number of positions N; the authors' N - 1 leaves nothing of a map of
    1x1, and cancels in a transport between two maps of one size.

    Args:
        features: (B, C, H, W) in any float format.
        guide: (B or 1, 1, H, W), not negative: how much each position counts; None, or a guide
            that covers nothing, counts all alike.
    """
    count = features.shape[2] * features.shape[3]
    channels = features.shape[1]
    weights = None if guide is None else position_weights(guide).double()
    mean = _zeros(features, channels)
    for x, w in _weighed(features, weights):
        mean += (x if w is None else x * w).sum(2) / count
    covariance = _zeros(features, channels, channels)
    for x, w in _weighed(features, weights):
        centred = x - mean.to(x.dtype).unsqueeze(2)  # (B, C, n)
        covariance += (centred if w is None else centred * w) @ centred.mT / count
    return Gaussian(mean, covariance)


def merged(parts: Sequence[Gaussian], counts: Sequence[int]) -> Gaussian:
    """The mean and the covariance of all positions, from those of parts of them.

    Args:
        parts: Of one feature map each.
        counts: How many positions each has.
    """
    total, first, *_ = sum(counts), *parts
    mean, covariance = torch.zeros_like(first.mean), torch.zeros_like(first.covariance)
    for part, count in zip(parts, counts, strict=True):
        mean += part.mean * (count / total)
    for part, count in zip(parts, counts, strict=True):
        apart = part.mean - mean  # (B, C)
        spread = apart.unsqueeze(2) * apart.unsqueeze(1)  # (B, C, C)
        covariance += (part.covariance + spread) * (count / total)
    return Gaussian(mean, covariance)


def roots(of: Gaussian, *, floor: float = 1e-5, relative: float = 1e-10) -> Roots:
    """The square root of a covariance matrix and the inverse of it.

    Args:
        of: The Gaussian.
        floor: Eigenvalues up to this are dropped; the authors' 1e-5, for features whose channels
            have a mean square of about 1.
        relative: And those up to this share of the largest: what rounding leaves of zero.
    """
    symmetric = (of.covariance + of.covariance.mT) / 2
    values, vectors = torch.linalg.eigh(symmetric)  # (B, C) ascending, (B, C, C)
    least = (relative * values[:, -1:]).clamp_min(floor)
    kept = values > least
    root = torch.where(kept, values, 0.0).sqrt()
    inverse = torch.where(kept, values, 1.0).rsqrt() * kept
    return Roots(of.mean, _compose(vectors, root), _compose(vectors, inverse))


def wct(content: Roots, style: Roots) -> Transport:
    """Section 3.2: whitened by the content's covariance, coloured by the style's.

    M = Σ_s^½ Σ_c^-½. Where nothing of the content is dropped, the result has the style's covariance
    exactly; else that of Σ_s^½ P Σ_s^½, P being the projection on what is kept of the content.
    """
    return Transport(style.root @ content.inverse, content.mean, style.mean)


def monge(content: Roots, style: Roots) -> Transport:
    """The map between two Gaussians that moves features least in the mean square.

    M = Σ_c^-½ (Σ_c^½ Σ_s Σ_c^½)^½ Σ_c^-½. Olkin and Pukelsheim, "The distance between two random
    vectors with given dispersion matrices", Linear Algebra and its Applications 48, 1982. The
    result has the style's mean and, on what is kept of the content, its covariance, as that of
    :func:`wct`; but M is symmetric and turns nothing that need not be turned.
    """
    inner = content.root @ style.root
    values, vectors = torch.linalg.eigh(inner @ inner.mT)
    middle = _compose(vectors, values.clamp_min(0).sqrt())
    return Transport(content.inverse @ middle @ content.inverse, content.mean, style.mean)


def transported(features: Tensor, settle: Callable[[Gaussian], Transport]) -> Tensor:
    """Move features by a map that depends on their own mean and covariance.

    Args:
        features: (1, C, H, W) in any float format.
        settle: Returns the map.

    Returns:
        The same shape and format.
    """
    if has_torch_function_unary(features):  # a map in strips
        made: Tensor = handle_torch_function(transported, (features,), features, settle)
        return made
    return settle(gaussian(features))(features, features.dtype)


@in_strips(transported)
def _transported(features: LazyMap, settle: Callable[[Gaussian], Transport]) -> LazyMap:
    return Measured(features, lambda: _GaussianOfStrips(settle))


class _GaussianOfStrips:
    """The mean and the covariance of a map, gathered from its strips."""

    def __init__(self, settle: Callable[[Gaussian], Transport]) -> None:
        self._settle = settle
        self._parts: list[Gaussian] = []
        self._counts: list[int] = []

    def add(self, rows: Tensor) -> None:
        self._parts.append(gaussian(rows))
        self._counts.append(rows.shape[2] * rows.shape[3])

    def finish(self) -> Callable[[Tensor], Tensor]:
        moved = self._settle(merged(self._parts, self._counts))
        return lambda rows: moved(rows, rows.dtype)


def part_way(transport: Transport, amount: float) -> Transport:
    """The map that goes only a share of the way: x + amount (T x - x)."""
    matrix, source, target = transport
    still = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return Transport(torch.lerp(still, matrix, amount), source, torch.lerp(source, target, amount))


def blend(transports: Sequence[Transport], weights: Sequence[float]) -> Transport:
    """A weighted sum of transports of one content, which sends features to the weighted sum."""

    def mixed(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack([w * part for w, part in zip(weights, parts, strict=True)]).sum(0)

    matrices, _, targets = zip(*transports, strict=True)
    return Transport(mixed(matrices), transports[0].source, mixed(targets))


def _compose(vectors: Tensor, values: Tensor) -> Tensor:
    """E D E^T of (B, C, C) and (B, C)."""
    return vectors * values.unsqueeze(1) @ vectors.mT


def _blocks(maps: Tensor, channels: int | None = None) -> Iterator[Tensor]:
    """The positions of (B, C, H, W), a bounded number at a time: views (B, C, n).

    Args:
        maps: The features.
        channels: That a block is measured by, those of the maps when None.
    """
    size = max(1, _BLOCK // (channels or maps.shape[1]))
    return iter(maps.flatten(2).split(size, 2))


def _weighed(features: Tensor, weights: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Positions and their weights in the format that statistics are taken in.

    Features of 16 bits are exact in float32, and so is nearly what a block of them sums up to; of
    finer ones float64 keeps what they have. Apple's GPUs lack it: the processor does that then.
    """
    exact = torch.float32 if features.dtype in _SHORT else torch.float64
    rows = None if weights is None else _blocks(weights, features.shape[1])
    for part in _blocks(features):
        x = (part.cpu() if features.device.type == "mps" else part).to(exact)
        yield x, None if rows is None else next(rows).to(x)


def _zeros(like: Tensor, *shape: int) -> Tensor:
    """(B, *shape) in float64."""
    device = "cpu" if like.device.type == "mps" else like.device
    return torch.zeros(like.shape[0], *shape, dtype=torch.float64, device=device)
