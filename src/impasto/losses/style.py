"""Style losses: what each keeps of a style picture, finds in the picture in the making, compares.

Those whose statistics are sums over positions say so (:class:`Additive`): of a large picture they
can be gathered tile by tile, and so can their gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.losses import mmd, patches
from impasto.losses.gram import divisor, gram_distance, gram_matrix
from impasto.losses.moments import Moments, moments, moments_distance, moments_of, power_sums
from impasto.nn.features import feature_vectors

Sums = tuple[Tensor, ...]


class StyleLoss(Protocol):
    """What a style loss has: a target side, computed once, and a picture side for every step."""

    def target(self, features: Any) -> Any:
        """What to keep of the style picture's features (1, C, H, W), or of several views' list."""

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        """The same of the picture in the making, within the region that ``guide`` weighs."""

    def distance(self, found: Any, target: Any) -> Tensor:
        """A scalar in float32 or better."""


class Additive(StyleLoss, Protocol):
    """A style loss whose statistics are sums over positions: those of tiles add up."""

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The sums over the positions of (1, C, h, w), each weighed by ``guide``."""

    def of_sums(self, sums: Sums, positions: int) -> Any:
        """What ``describe`` finds in a picture of so many positions with these sums."""


def additive(loss: StyleLoss) -> TypeGuard[Additive]:
    """Whether a loss, with the options that it has, can be gathered tile by tile."""
    return hasattr(loss, "sums") and getattr(loss, "exact", True)


@dataclass(frozen=True)
class GramLoss:
    """Squared distance of Gram matrices, see :mod:`impasto.losses.gram`."""

    normalization: str = "hw"
    reduction: str = "mean"

    def target(self, features: Tensor) -> Tensor:
        """The Gram matrix (1, C, C)."""
        return self.describe(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The (guided) Gram matrix (1, C, C)."""
        return gram_matrix(features, normalization=self.normalization, guide=guide)

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The products of channels, (1, C, C)."""
        return (gram_matrix(features, normalization="none", guide=guide),)

    def of_sums(self, sums: Sums, positions: int) -> Tensor:
        """The Gram matrix (1, C, C)."""
        return sums[0] / divisor(self.normalization, sums[0].shape[-1], positions)

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Squared error of two Gram matrices."""
        return gram_distance(found, target, reduction=self.reduction)


@dataclass(frozen=True)
class MomentsLoss:
    """Squared distance of batch-norm statistics, see :mod:`impasto.losses.moments`."""

    def target(self, features: Tensor) -> Moments:
        """Mean and standard deviation, each (1, C)."""
        return moments(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Moments:
        """The (guided) mean and standard deviation, each (1, C)."""
        return moments(features, guide=guide)

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The values of each channel and their squares, (1, C) each."""
        return power_sums(features, guide=guide)

    def of_sums(self, sums: Sums, positions: int) -> Moments:
        """The mean and standard deviation, each (1, C)."""
        return moments_of(sums[0] / positions, sums[1] / positions)

    def distance(self, found: Moments, target: Moments) -> Tensor:
        """Mean over channels of the squared differences."""
        return moments_distance(found, target)


class _MMDLoss:
    """What the three kernels share: features as a set of vectors, compared by MMD²."""

    estimator: str
    subsample: int

    def __post_init__(self) -> None:
        """Refuse what can give no value as soon as it is written down."""
        _ = self.kernel
        if self.estimator not in mmd.ESTIMATORS:
            known = ", ".join(mmd.ESTIMATORS)
            raise InputError(f"unknown estimator {self.estimator!r}: choose {known}")
        if self.subsample < 2:
            raise InputError(f"a subsample of {self.subsample} vectors: it must be at least 2")

    @property
    def kernel(self) -> mmd.Kernel:
        raise NotImplementedError

    @property
    def stochastic(self) -> bool:
        """Check whether its values depend on random draws."""
        return True

    def target(self, features: Tensor) -> Tensor:
        """The feature vectors of the style picture, (H*W, C)."""
        return feature_vectors(features)[0].clone()

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The feature vectors of the picture, (H*W, C); of a region, drawn by its weights."""
        x = feature_vectors(features)[0]
        if guide is None:
            return x
        count = min(self.subsample, x.shape[0])
        return x[guide.flatten().float().multinomial(count, replacement=True)]

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """MMD² by the chosen estimator, on a draw from torch's generator at every call."""
        return mmd.mmd2(
            found, target, self.kernel, estimator=self.estimator, subsample=self.subsample
        )


@dataclass(frozen=True)
class LinearLoss:
    """MMD² with k = x·y, which is the distance of means: exact, and cheap."""

    def target(self, features: Tensor) -> Tensor:
        """The mean of each channel (1, C)."""
        return self.describe(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The (guided) mean of each channel (1, C)."""
        return moments(features, guide=guide).mean

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The values of each channel, (1, C)."""
        return power_sums(features, guide=guide)[:1]

    def of_sums(self, sums: Sums, positions: int) -> Tensor:
        """The mean of each channel (1, C)."""
        return sums[0] / positions

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Squared distance of the means."""
        return (found - target).square().sum()


@dataclass(frozen=True)
class PolynomialLoss(_MMDLoss):
    """MMD² with k = (x·y + offset)^degree; exact for degree 2, where it compares Gram matrices."""

    degree: int = 2
    offset: float = 0.0
    estimator: str = "biased"
    subsample: int = 2048

    @property
    def kernel(self) -> mmd.Kernel:
        """The kernel with this loss's numbers."""
        return mmd.Polynomial(self.degree, self.offset)

    def target(self, features: Tensor) -> Any:
        """Gram matrix and means where these are all that counts, else the vectors themselves."""
        return self.describe(features) if self.exact else super().target(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        """The same of the picture."""
        if not self.exact:
            return super().describe(features, guide)
        gram = gram_matrix(features, normalization="hw", guide=guide)
        return gram, moments(features, guide=guide).mean if self.offset else None

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The products of channels, (1, C, C), and with an offset their values, (1, C)."""
        gram = gram_matrix(features, normalization="none", guide=guide)
        return (gram, *(power_sums(features, guide=guide)[:1] if self.offset else ()))

    def of_sums(self, sums: Sums, positions: int) -> Any:
        """Gram matrix and means."""
        return sums[0] / positions, sums[1] / positions if self.offset else None

    def distance(self, found: Any, target: Any) -> Tensor:
        """MMD², from the Gram matrices where that is exact."""
        if not self.exact:
            return super().distance(found, target)
        squared = gram_distance(found[0], target[0], reduction="sum")
        if not self.offset:
            return squared
        return squared + 2 * self.offset * (found[1] - target[1]).square().sum()

    @property
    def stochastic(self) -> bool:
        """Check whether its values depend on random draws."""
        return not self.exact

    @property
    def exact(self) -> bool:
        """Whether Gram matrix and means are all that counts."""
        return self.degree == 2 and self.estimator == "biased"


@dataclass(frozen=True)
class GaussianLoss(_MMDLoss):
    """MMD² with k = exp(-γ|x - y|²), γ in units of 1 / mean squared distance.

    All pairs of ``subsample`` vectors a side; ``estimator=linear`` with a large subsample is the
    authors' way, noisier for the same time.
    """

    scale: float = 1.0
    estimator: str = "biased"
    subsample: int = 2048

    @property
    def kernel(self) -> mmd.Kernel:
        """The kernel with this loss's numbers."""
        return mmd.Gaussian(self.scale)


@dataclass(frozen=True)
class PatchLoss:
    """Each patch to its nearest style patch, see :func:`impasto.losses.patches.patch_loss`."""

    size: int = 3
    stride: int = 1
    style_stride: int = 1
    average_overlaps: bool = False
    reduction: patches.Reduction = "mean"

    def target(self, features: Tensor | Sequence[Tensor]) -> patches.PatchTarget:
        """The patches and norms of one style map, or of several views of it."""
        return patches.patch_target(features, size=self.size, stride=self.style_stride)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The features themselves; patches know no guide."""
        if guide is not None:
            raise InputError("the patch loss takes no masks; the pipeline blends regions instead")
        return features

    def distance(self, found: Tensor, target: patches.PatchTarget) -> Tensor:
        """The mean or the sum of the squared differences of the patches and their matches."""
        return patches.patch_loss(
            found,
            target,
            stride=self.stride,
            average_overlaps=self.average_overlaps,
            reduction=self.reduction,
        )


def guide_at(mask: Tensor, height: int, width: int) -> Tensor:
    """A soft mask as position weights with mean 1 at the resolution of a layer.

    Args:
        mask: (1, 1, H, W) in [0, 1].
        height: Of the layer.
        width: Of the layer.

    Raises:
        InputError: The mask is empty.
    """
    small = torch.nn.functional.interpolate(mask, (height, width), mode="area")
    if float(small.sum()) <= 0:
        raise InputError("a mask is black everywhere: paint its region white")
    return small / small.mean()
