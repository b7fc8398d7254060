"""Style losses: what each keeps of a style picture, finds in the picture in the making, compares.

Those whose statistics are sums over positions say so (:class:`Additive`): of a large picture they
can be gathered tile by tile, and so can their gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.losses import mmd, patches
from impasto.losses.batches import pairs, zeros
from impasto.losses.gram import divisor, gram_distance, gram_matrix
from impasto.losses.moments import Moments, moments, moments_distance, moments_of, power_sums
from impasto.nn.features import at_least_float32, feature_vectors

Sums = tuple[Tensor, ...]


class StyleLoss(Protocol):
    """What a style loss has: a target side, computed once, and an image side for every step.

    Both are of a batch: tensors (B, ...), tuples of them, or lists of B, see
    :mod:`impasto.losses.batches`. A target of one style image serves all images of a batch.
    """

    def target(self, features: Any) -> Any:
        """Keep what counts of style images' features (B, C, H, W), or of a list of views of one."""

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        """Return the same of images in the making, within the region that ``guide`` weighs."""

    def distance(self, found: Any, target: Any) -> Tensor:
        """Return how far each image is from its target: (B,), in float32 or better."""


class Additive(StyleLoss, Protocol):
    """A style loss whose statistics are sums over positions: those of tiles add up."""

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The sums over the positions of (1, C, h, w), each weighed by ``guide``."""

    def of_sums(self, sums: Sums, positions: int) -> Any:
        """What ``describe`` finds in a picture of so many positions with these sums."""


def additive(loss: StyleLoss) -> TypeGuard[Additive]:
    """Whether a loss, with the options that it has, can be gathered tile by tile."""
    return hasattr(loss, "sums") and getattr(loss, "exact", True)


def unit(loss: StyleLoss, target: Any) -> Tensor:
    """Return the loss (B,) that images without any features would have: what makes losses compare.

    A loss whose images are kept in another form than its targets has a method ``unit`` of its own.
    """
    if hasattr(loss, "unit"):
        own: Tensor = loss.unit(target)
        return own
    return loss.distance(zeros(target), target)


class _StatisticLoss:
    """Keeps of a style image what is found in the image in the making."""

    def target(self, features: Tensor) -> Any:
        """Return the statistic of style images, see ``describe``."""
        return self.describe(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class GramLoss(_StatisticLoss):
    """Squared distance of Gram matrices, see :mod:`impasto.losses.gram`."""

    normalization: str = "hw"
    reduction: str = "mean"

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Return the (guided) Gram matrices (B, C, C)."""
        return gram_matrix(features, normalization=self.normalization, guide=guide)

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The products of channels, (1, C, C)."""
        return (gram_matrix(features, normalization="none", guide=guide),)

    def of_sums(self, sums: Sums, positions: int) -> Tensor:
        """The Gram matrix (1, C, C)."""
        return sums[0] / divisor(self.normalization, sums[0].shape[-1], positions)

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Return the squared errors of Gram matrices, (B,)."""
        return gram_distance(found, target, reduction=self.reduction)


@dataclass(frozen=True)
class MomentsLoss(_StatisticLoss):
    """Squared distance of batch-norm statistics, see :mod:`impasto.losses.moments`."""

    reduction: str = "mean"

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Moments:
        """Return the (guided) mean and standard deviation, each (B, C)."""
        return moments(features, guide=guide)

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The values of each channel and their squares, (1, C) each."""
        return power_sums(features, guide=guide)

    def of_sums(self, sums: Sums, positions: int) -> Moments:
        """The mean and standard deviation, each (1, C)."""
        return moments_of(sums[0] / positions, sums[1] / positions)

    def distance(self, found: Moments, target: Moments) -> Tensor:
        """Return the mean or the sum over channels of the squared differences, (B,)."""
        return moments_distance(found, target, reduction=self.reduction)


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

    def target(self, features: Tensor) -> list[Tensor]:
        """Keep each style image's feature vectors, (H*W, C)."""
        return [x.clone() for x in feature_vectors(features)]

    def describe(self, features: Tensor, guide: Tensor | None = None) -> list[Tensor]:
        """Return each image's feature vectors, (H*W, C); of a region, drawn by its weights."""
        vectors = list(feature_vectors(features))
        if guide is None:
            return vectors
        count, weights = min(self.subsample, len(vectors[0])), guide.flatten().float()
        return [x[weights.multinomial(count, replacement=True)] for x in vectors]

    def distance(self, found: list[Tensor], target: list[Tensor]) -> Tensor:
        """Return MMD² (B,) by the chosen estimator, on a draw from torch's generator each time."""
        measure = partial(
            mmd.mmd2, kernel=self.kernel, estimator=self.estimator, subsample=self.subsample
        )
        return torch.stack([measure(x, y) for x, y in pairs(found, target)])


@dataclass(frozen=True)
class LinearLoss(_StatisticLoss):
    """MMD² with k = x·y, which is the distance of means: exact, and cheap."""

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Return the (guided) mean of each channel (B, C)."""
        return moments(features, guide=guide).mean

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """The values of each channel, (1, C)."""
        return power_sums(features, guide=guide)[:1]

    def of_sums(self, sums: Sums, positions: int) -> Tensor:
        """The mean of each channel (1, C)."""
        return sums[0] / positions

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Return the squared distance of the means, (B,)."""
        return (found - target).square().sum(1)


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
        """Return MMD² (B,), from the Gram matrices where that is exact."""
        if not self.exact:
            return super().distance(found, target)
        squared = gram_distance(found[0], target[0], reduction="sum")
        if not self.offset:
            return squared
        return squared + 2 * self.offset * (found[1] - target[1]).square().sum(1)

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

    def target(self, features: Tensor | Sequence[Tensor]) -> list[patches.PatchTarget]:
        """Keep the patches and norms of each style map, or of several views of one."""
        maps = features.split(1) if isinstance(features, Tensor) else [features]
        return [patches.patch_target(x, size=self.size, stride=self.style_stride) for x in maps]

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The features themselves; patches know no guide."""
        if guide is not None:
            raise InputError("the patch loss takes no masks; the pipeline blends regions instead")
        return features

    def unit(self, target: list[patches.PatchTarget]) -> Tensor:
        """Return the mean square of each style map, (B,)."""
        return torch.stack([at_least_float32(one.pixels).square().mean() for one in target])

    def distance(self, found: Tensor, target: list[patches.PatchTarget]) -> Tensor:
        """Return the mean or the sum of squares between patches and their matches, (B,)."""
        measure = partial(
            patches.patch_loss,
            stride=self.stride,
            average_overlaps=self.average_overlaps,
            reduction=self.reduction,
        )
        return torch.stack([measure(x, y) for x, y in pairs(found.split(1), target)])
