"""Style losses that compare features as sets of vectors, by the maximum mean discrepancy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from impasto.errors import InputError, check_choice
from impasto.losses import mmd
from impasto.losses.batches import pairs
from impasto.losses.gram import gram_distance, gram_matrix
from impasto.losses.moments import moments, power_sums
from impasto.losses.style import Sums
from impasto.nn.features import feature_vectors


class _MMDLoss:
    """Base class of MMD² losses: compares the features as sets of vectors."""

    estimator: str
    subsample: int

    def __post_init__(self) -> None:
        """Raise an error for values out of range."""
        _ = self.kernel
        check_choice("estimator", self.estimator, mmd.ESTIMATORS)
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
