"""The summands of an objective: what each compares, with its weight and its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import Tensor

from impasto.losses import batches
from impasto.losses.content import content_loss
from impasto.losses.smoothness import total_variation
from impasto.losses.style import StyleLoss, unit

TINY = 1e-12


@dataclass(frozen=True)
class Content:
    """The distance of feature maps, or of pixels.

    Attributes:
        layer: Of the features.
        weight: Of the distance.
        target: (B or 1, C, h, w).
        reduction: See :func:`impasto.losses.content.content_loss`.
    """

    layer: str
    weight: float | Tensor
    target: Tensor
    reduction: str

    @classmethod
    def of(
        cls, layer: str, weight: float, target: Tensor, reduction: str, relative: bool
    ) -> Content:
        """Return the summand; ``relative`` is in units of the loss that zeros would have."""
        if not relative:
            return cls(layer, weight, target, reduction)
        zeros = target.new_zeros(()).expand_as(target)
        nothing = content_loss(zeros, target, reduction=reduction).clamp_min(TINY)
        return cls(layer, weight / nothing, target, reduction)

    def loss(self, found: Tensor) -> Tensor:
        """Return the weighted loss of a batch, a scalar."""
        return self.weight * content_loss(found, self.target, reduction=self.reduction)


class Statistic(NamedTuple):
    """What is computed of an image: styles that share all three share the description."""

    loss: StyleLoss
    layer: str
    region: int | None


@dataclass(frozen=True)
class Style:
    """A style loss at one layer.

    Attributes:
        statistic: What it compares.
        weight: Of the distance.
        target: See :meth:`impasto.losses.style.StyleLoss.target`: of B style images or of one.
        unit: (B or 1,), what the distance of each image is measured in; None is 1.
    """

    statistic: Statistic
    weight: float
    target: Any
    unit: Tensor | None = None

    @classmethod
    def of(cls, statistic: Statistic, weight: float, target: Any, relative: bool) -> Style:
        """Return the summand; ``relative`` is in units of the loss of a style without features."""
        measure = unit(statistic.loss, target).abs().clamp_min(TINY) if relative else None
        return cls(statistic, weight, target, measure)

    def loss(self, found: Mapping[Statistic, Any]) -> Tensor:
        """Return the weighted mean over a batch, a scalar."""
        values = self.statistic.loss.distance(found[self.statistic], self.target)  # (B,)
        # each in its own unit: a faint style of a batch would drown in that of a strong one
        return self.weight * (values if self.unit is None else values / self.unit).mean()

    def pick(self, index: Tensor) -> Style:
        """Return the same with the targets of some style images, (N,), in any order."""
        target, measure = (batches.pick(part, index) for part in (self.target, self.unit))
        return replace(self, target=target, unit=measure)

    @staticmethod
    def stack(styles: Sequence[Style]) -> Style:
        """Return one with the targets of all, which differ in nothing else."""
        targets, units = ([getattr(one, name) for one in styles] for name in ("target", "unit"))
        return replace(styles[0], target=batches.stack(targets), unit=batches.stack(units))


@dataclass(frozen=True)
class Smoothness:
    """Total variation, see :func:`impasto.losses.smoothness.total_variation`."""

    weight: float
    kind: str
    beta: float
    reduction: str

    def loss(self, image: Tensor) -> Tensor:
        """Return the weighted loss of a batch, a scalar."""
        return self.weight * total_variation(
            image, kind=self.kind, beta=self.beta, reduction=self.reduction
        )
