"""Style losses: the statistics that each computes of an image, and their distance.

Losses whose statistics are sums over positions implement :class:`Additive`: statistics and
gradients of a large image can then be computed tile by tile.
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
    """Interface of a style loss: ``target`` for style images, ``describe`` for images that change.

    Both return statistics of a batch: tensors (B, ...), tuples of them, or lists of B, see
    :mod:`impasto.losses.batches`. The target of one style image serves all images of a batch.
    """

    def target(self, features: Any) -> Any:
        """Return the statistics of style images' features (B, C, H, W), or of a list of views."""

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        """Return the statistics of images, with positions weighted by ``guide``."""

    def distance(self, found: Any, target: Any) -> Tensor:
        """Return the distance of each image from its target: (B,), in float32 or better."""


class Additive(StyleLoss, Protocol):
    """A style loss whose statistics are sums over positions, so that those of tiles add up."""

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """Return the sums over the positions of (1, C, h, w), each weighted by ``guide``."""

    def of_sums(self, sums: Sums, positions: int) -> Any:
        """Return what ``describe`` returns, given the sums over so many positions."""


def additive(loss: StyleLoss) -> TypeGuard[Additive]:
    """Check whether a loss, with its options, can be computed tile by tile."""
    return hasattr(loss, "sums") and getattr(loss, "exact", True)


def unit(loss: StyleLoss, target: Any) -> Tensor:
    """Return the loss (B,) of images with zero features, which serves as a unit of the loss.

    A loss whose ``describe`` and ``target`` return different types has a method ``unit``.
    """
    if hasattr(loss, "unit"):
        own: Tensor = loss.unit(target)
        return own
    return loss.distance(zeros(target), target)


class _StatisticLoss:
    """Base class of losses whose ``target`` is the same statistic as ``describe``."""

    def target(self, features: Tensor) -> Any:
        """Return the statistics of style images, see ``describe``."""
        return self.describe(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class GramLoss(_StatisticLoss):
    """Squared distance of Gram matrices, with the options of :mod:`impasto.losses.gram`."""

    normalization: str = "hw"
    reduction: str = "mean"

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Return the (guided) Gram matrices (B, C, C)."""
        return gram_matrix(features, normalization=self.normalization, guide=guide)

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """Return the sums of products of channels, (1, C, C)."""
        return (gram_matrix(features, normalization="none", guide=guide),)

    def of_sums(self, sums: Sums, positions: int) -> Tensor:
        """Return the Gram matrix (1, C, C)."""
        return sums[0] / divisor(self.normalization, sums[0].shape[-1], positions)

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Return the squared errors of Gram matrices, (B,)."""
        return gram_distance(found, target, reduction=self.reduction)


@dataclass(frozen=True)
class MomentsLoss(_StatisticLoss):
    """Squared distance of channel means and deviations, see :mod:`impasto.losses.moments`."""

    reduction: str = "mean"

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Moments:
        """Return the (guided) mean and standard deviation, each (B, C)."""
        return moments(features, guide=guide)

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """Return the sums of the values of each channel and of their squares, (1, C) each."""
        return power_sums(features, guide=guide)

    def of_sums(self, sums: Sums, positions: int) -> Moments:
        """Return the mean and standard deviation, each (1, C)."""
        return moments_of(sums[0] / positions, sums[1] / positions)

    def distance(self, found: Moments, target: Moments) -> Tensor:
        """Return the mean or the sum over channels of the squared differences, (B,)."""
        return moments_distance(found, target, reduction=self.reduction)


class _MMDLoss:
    """Base class of MMD² losses: compares the features as sets of vectors."""

    estimator: str
    subsample: int

    def __post_init__(self) -> None:
        """Raise an error for values out of range."""
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
        """Return the feature vectors of each style image, (H*W, C)."""
        return [x.clone() for x in feature_vectors(features)]

    def describe(self, features: Tensor, guide: Tensor | None = None) -> list[Tensor]:
        """Return the feature vectors of each image, (H*W, C); ``guide`` weights a random draw."""
        vectors = list(feature_vectors(features))
        if guide is None:
            return vectors
        count, weights = min(self.subsample, len(vectors[0])), guide.flatten().float()
        return [x[weights.multinomial(count, replacement=True)] for x in vectors]

    def distance(self, found: list[Tensor], target: list[Tensor]) -> Tensor:
        """Return MMD² (B,) of random subsets, by the estimator of this loss."""
        measure = partial(
            mmd.mmd2, kernel=self.kernel, estimator=self.estimator, subsample=self.subsample
        )
        return torch.stack([measure(x, y) for x, y in pairs(found, target)])


@dataclass(frozen=True)
class LinearLoss(_StatisticLoss):
    """MMD² with k = x·y: the squared distance of means, computed exactly."""

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Return the (guided) mean of each channel (B, C)."""
        return moments(features, guide=guide).mean

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """Return the sums of the values of each channel, (1, C)."""
        return power_sums(features, guide=guide)[:1]

    def of_sums(self, sums: Sums, positions: int) -> Tensor:
        """Return the mean of each channel (1, C)."""
        return sums[0] / positions

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Return the squared distance of the means, (B,)."""
        return (found - target).square().sum(1)


@dataclass(frozen=True)
class PolynomialLoss(_MMDLoss):
    """MMD² with k = (x·y + offset)^degree; exact by Gram matrices if biased and of degree 2."""

    degree: int = 2
    offset: float = 0.0
    estimator: str = "biased"
    subsample: int = 2048

    @property
    def kernel(self) -> mmd.Kernel:
        """Return the kernel with this loss's parameters."""
        return mmd.Polynomial(self.degree, self.offset)

    def target(self, features: Tensor) -> Any:
        """Return Gram matrix and means if the loss is exact, else the feature vectors."""
        return self.describe(features) if self.exact else super().target(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        """Return the same of images, see ``target``."""
        if not self.exact:
            return super().describe(features, guide)
        gram = gram_matrix(features, normalization="hw", guide=guide)
        return gram, moments(features, guide=guide).mean if self.offset else None

    def sums(self, features: Tensor, guide: Tensor | None = None) -> Sums:
        """Return sums over positions: products of channels (1, C, C), and with an offset values."""
        gram = gram_matrix(features, normalization="none", guide=guide)
        return (gram, *(power_sums(features, guide=guide)[:1] if self.offset else ()))

    def of_sums(self, sums: Sums, positions: int) -> Any:
        """Return the Gram matrix and, with an offset, the means."""
        return sums[0] / positions, sums[1] / positions if self.offset else None

    def distance(self, found: Any, target: Any) -> Tensor:
        """Return MMD² (B,), from Gram matrices and means if the loss is exact."""
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
        """Check whether MMD² is a function of Gram matrices and means."""
        return self.degree == 2 and self.estimator == "biased"


@dataclass(frozen=True)
class GaussianLoss(_MMDLoss):
    """MMD² with k = exp(-γ|x - y|²), γ in units of 1 / mean squared distance.

    The authors' ``estimator=linear`` needs a larger ``subsample`` and is noisier at equal cost.
    """

    scale: float = 1.0
    estimator: str = "biased"
    subsample: int = 2048

    @property
    def kernel(self) -> mmd.Kernel:
        """Return the kernel with this loss's parameters."""
        return mmd.Gaussian(self.scale)


@dataclass(frozen=True)
class PatchLoss:
    """Distance of patches to their nearest style patches, see :mod:`impasto.losses.patches`."""

    size: int = 3
    stride: int = 1
    style_stride: int = 1
    average_overlaps: bool = False
    reduction: patches.Reduction = "mean"

    def target(self, features: Tensor | Sequence[Tensor]) -> list[patches.PatchTarget]:
        """Return the patches of each style image, or of several views of one."""
        maps = features.split(1) if isinstance(features, Tensor) else [features]
        return [patches.patch_target(x, size=self.size, stride=self.style_stride) for x in maps]

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Return the features themselves; raise InputError for a guide, which is not supported."""
        if guide is not None:
            raise InputError("the patch loss takes no masks; the pipeline blends regions instead")
        return features

    def unit(self, target: list[patches.PatchTarget]) -> Tensor:
        """Return the mean square of the features of each style image, (B,)."""
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
