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

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.alignment.adain import position_weights
from impasto.losses.content import at_least_float32

_BLOCK = 1 << 16  # positions that are summed over at a time: 32 MB a layer of 64 channels


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

    def __call__(self, features: Tensor) -> Tensor:
        """Apply it to (B, C, H, W) in any float format; float32 or better comes out."""
        x = at_least_float32(features)
        matrix, source, target = (part.to(x.device, x.dtype) for part in self)
        centred = x.flatten(2) - source.unsqueeze(2)  # (B, C, N)
        return (matrix @ centred + target.unsqueeze(2)).view(*centred.shape[:2], *x.shape[2:])


def gaussian(features: Tensor, *, guide: Tensor | None = None) -> Gaussian:
    """The mean and the covariance of feature vectors over all positions.

    Sums are divided by the number of positions N; the authors' N - 1 leaves nothing of a map of
    1x1, and cancels in a transport between two maps of one size.

    Args:
        features: (B, C, H, W) in any float format.
        guide: (B or 1, 1, H, W), not negative: how much each position counts; None, or a guide
            that covers nothing, counts all alike.
    """
    x = at_least_float32(features).flatten(2)  # (B, C, N)
    ones = x.new_ones(1, 1, 1, 1).expand(1, 1, *features.shape[2:])
    weights = (ones if guide is None else position_weights(guide)).flatten(2)  # (B or 1, 1, N)
    mean = torch.stack([(part * w).sum(2) for part, w in _blocks(x, weights)]).sum(0) / x.shape[2]
    covariance = torch.zeros_like(mean).unsqueeze(2) * mean.unsqueeze(1)  # (B, C, C)
    for part, w in _blocks(x, weights):
        centred = part - mean.unsqueeze(2)
        covariance += (centred * w) @ centred.mT / x.shape[2]
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


def blend(transports: Sequence[Transport], weights: Sequence[float]) -> Transport:
    """A weighted sum of transports of one content, which sends features to the weighted sum."""

    def mixed(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack([w * part for w, part in zip(weights, parts, strict=True)]).sum(0)

    matrices, _, targets = zip(*transports, strict=True)
    return Transport(mixed(matrices), transports[0].source, mixed(targets))


def _compose(vectors: Tensor, values: Tensor) -> Tensor:
    """E D E^T of (B, C, C) and (B, C)."""
    return vectors * values.unsqueeze(1) @ vectors.mT


def _blocks(x: Tensor, weights: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions and their weights in float64, a bounded number at a time."""
    for start in range(0, x.shape[2], _BLOCK):
        part = slice(start, start + _BLOCK)
        yield _double(x[..., part]), _double(weights[..., part])


def _double(x: Tensor) -> Tensor:
    """In float64, which Apple's GPUs lack: on the processor then."""
    return (x.cpu() if x.device.type == "mps" else x).double()
