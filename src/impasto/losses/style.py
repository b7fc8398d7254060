"""Style losses: the statistics that each computes of an image, and their distance.

Losses whose statistics are sums over positions implement :class:`Additive`: statistics and
gradients of a large image can then be computed tile by tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from torch import Tensor

from impasto.losses.batches import zeros
from impasto.losses.gram import divisor, gram_distance, gram_matrix
from impasto.losses.moments import Moments, moments, moments_distance, moments_of, power_sums

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
