"""Whitening and colouring transform: match the mean and the covariance of the style's features.

Li, Fang, Yang, Wang, Lu and Yang, "Universal Style Transfer via Feature Transforms", NIPS 2017,
section 3.2; and, as the alternative, the optimal transport between two Gaussians. Both are an
affine map, one matrix and two means, which can be computed once and then applied to other features:
those of another tile or of the next frame.

Every result is finite for finite features. Directions in which the features hardly vary are
dropped, not divided by: the features of a constant image, of a mask of one position and of a 1x1
map become the style's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.alignment.adain import position_weights

_SHORT = (torch.bfloat16, torch.float16)
_BLOCK = 1 << 20  # values per block, so that a block fits in the CPU's cache


class Gaussian(NamedTuple):
    """Mean and covariance of a feature map, in float64.

    Attributes:
        mean: (B, C).
        covariance: (B, C, C).
    """

    mean: Tensor
    covariance: Tensor


class Roots(NamedTuple):
    """Mean and square roots of the covariance Σ of a feature map, in float64.

    Attributes:
        mean: (B, C).
        root: Σ^½ without the dropped directions, (B, C, C), symmetric.
        inverse: Σ^-½ on the other directions and 0 on the dropped ones, (B, C, C), symmetric.
    """

    mean: Tensor
    root: Tensor
    inverse: Tensor


class Transport(NamedTuple):
    """An affine map of feature vectors: x -> M (x - μ_c) + μ_s.

    Attributes:
        matrix: M, (B, C, C).
        source: μ_c, (B, C).
        target: μ_s, (B, C).
    """

    matrix: Tensor
    source: Tensor
    target: Tensor

    def __call__(self, features: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Apply the map to features.

        Args:
            features: (B, C, H, W) in any float format. Positions are processed in blocks, so
                only the result takes memory of their size.
            dtype: Format of the result; None is the format of the features, but at least float32.

        Returns:
            (B, C, H, W), channels last in memory.
        """
        exact = torch.promote_types(features.dtype, torch.float32)
        matrix, source, target = (part.to(features.device, exact) for part in self)
        last, device = torch.channels_last, features.device  # flattens H and W without a copy
        made = torch.empty(features.shape, dtype=dtype or exact, device=device, memory_format=last)
        for x, out in zip(_blocks(features), _blocks(made), strict=True):  # (B, C, n)
            moved = matrix @ (x.to(exact) - source.unsqueeze(2))
            out.copy_(moved.add_(target.unsqueeze(2)))
        return made


def gaussian(features: Tensor, *, guide: Tensor | None = None) -> Gaussian:
    """Compute the mean and the covariance of feature vectors over all positions.

    Sums are divided by the number of positions N. The authors' N - 1 is 0 for a 1x1 map; the factor
    cancels in a transport between two maps of one size.

    Args:
        features: (B, C, H, W) in any float format.
        guide: Weight of each position, (B or 1, 1, H, W), not negative; None or all zeros weights
            all positions equally.
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
    """Combine the means and covariances of parts of a feature map into those of the whole.

    Args:
        parts: One for each part.
        counts: Number of positions of each part.
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
    """Compute the square root of a covariance matrix and its inverse.

    Args:
        of: Mean and covariance.
        floor: Directions with eigenvalues up to this are dropped; the authors' 1e-5, for features
            whose channels have a mean square of about 1.
        relative: Directions with eigenvalues up to this fraction of the largest are dropped, too:
            they may be rounding errors of 0.
    """
    symmetric = (of.covariance + of.covariance.mT) / 2
    values, vectors = torch.linalg.eigh(symmetric)  # (B, C) ascending, (B, C, C)
    least = (relative * values[:, -1:]).clamp_min(floor)
    retained = values > least
    root = torch.where(retained, values, 0.0).sqrt()
    inverse = torch.where(retained, values, 1.0).rsqrt() * retained
    return Roots(of.mean, _compose(vectors, root), _compose(vectors, inverse))


def wct(content: Roots, style: Roots) -> Transport:
    """Return the map that whitens by the content's covariance and colours by the style's.

    Section 3.2: M = Σ_s^½ Σ_c^-½. If no direction of the content is dropped, the result has exactly
    the style's covariance; else Σ_s^½ P Σ_s^½, where P projects on the directions that remain.
    """
    return Transport(style.root @ content.inverse, content.mean, style.mean)


def monge(content: Roots, style: Roots) -> Transport:
    """Return the optimal transport between two Gaussians, with the least mean squared displacement.

    M = Σ_c^-½ (Σ_c^½ Σ_s Σ_c^½)^½ Σ_c^-½. Olkin and Pukelsheim, "The distance between two random
    vectors with given dispersion matrices", Linear Algebra and its Applications 48, 1982. As with
    :func:`wct` the result has the style's mean and, on the content's directions that are not
    dropped, its covariance; but M is symmetric and contains no rotation.
    """
    inner = content.root @ style.root
    values, vectors = torch.linalg.eigh(inner @ inner.mT)
    middle = _compose(vectors, values.clamp_min(0).sqrt())
    return Transport(content.inverse @ middle @ content.inverse, content.mean, style.mean)


def transported(features: Tensor, settle: Callable[[Gaussian], Transport]) -> Tensor:
    """Apply a map that depends on the features' own mean and covariance.

    Args:
        features: (1, C, H, W) in any float format.
        settle: Returns the map for a mean and covariance.

    Returns:
        The same shape and format.
    """
    if has_torch_function_unary(features):  # a LazyMap, computed in strips
        made: Tensor = handle_torch_function(transported, (features,), features, settle)
        return made
    return settle(gaussian(features))(features, features.dtype)


def part_way(transport: Transport, amount: float) -> Transport:
    """Return the map x + amount (T x - x), where T is the transport."""
    matrix, source, target = transport
    still = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return Transport(torch.lerp(still, matrix, amount), source, torch.lerp(source, target, amount))


def blend(transports: Sequence[Transport], weights: Sequence[float]) -> Transport:
    """Return the weighted sum of transports of one content.

    Args:
        transports: All with the same ``source``.
        weights: One for each; they should sum to 1.
    """

    def mixed(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack([w * part for w, part in zip(weights, parts, strict=True)]).sum(0)

    matrices, _, targets = zip(*transports, strict=True)
    return Transport(mixed(matrices), transports[0].source, mixed(targets))


def _compose(vectors: Tensor, values: Tensor) -> Tensor:
    """Return E diag(D) E^T for E (B, C, C) and D (B, C)."""
    return vectors * values.unsqueeze(1) @ vectors.mT


def _blocks(maps: Tensor, channels: int | None = None) -> Iterator[Tensor]:
    """Yield the positions of (B, C, H, W) in blocks of bounded size, as views (B, C, n).

    Args:
        maps: The features.
        channels: Number of channels by which the block size is computed; None takes that of the
            maps.
    """
    size = max(1, _BLOCK // (channels or maps.shape[1]))
    return iter(maps.flatten(2).split(size, 2))


def _weighed(features: Tensor, weights: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield blocks of positions and their weights in the format for computing statistics.

    Features of 16 bits are exact in float32, and the sum over a block nearly is; others are
    converted to float64. Apple's GPUs lack float64, so there the CPU computes.
    """
    exact = torch.float32 if features.dtype in _SHORT else torch.float64
    rows = None if weights is None else _blocks(weights, features.shape[1])
    for part in _blocks(features):
        x = (part.cpu() if features.device.type == "mps" else part).to(exact)
        yield x, None if rows is None else next(rows).to(x)


def _zeros(like: Tensor, *shape: int) -> Tensor:
    """Return zeros (B, *shape) in float64, on the CPU where the device lacks float64."""
    device = "cpu" if like.device.type == "mps" else like.device
    return torch.zeros(like.shape[0], *shape, dtype=torch.float64, device=device)
