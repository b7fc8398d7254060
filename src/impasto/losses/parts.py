"""The summands of an objective: statistic, weight and target of each loss."""

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
    """Content loss at one layer, or pixel loss.

    Attributes:
        layer: Name of the layer; empty for pixels.
        weight: Weight of the loss.
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
        """Return the summand; if ``relative``, its loss is divided by that of zero features."""
        if not relative:
            return cls(layer, weight, target, reduction)
        zeros = target.new_zeros(()).expand_as(target)
        reference = content_loss(zeros, target, reduction=reduction).clamp_min(TINY)
        return cls(layer, weight / reference, target, reduction)

    def loss(self, found: Tensor) -> Tensor:
        """Return the weighted loss of features or pixels (B, C, h, w), a scalar."""
        return self.weight * content_loss(found, self.target, reduction=self.reduction)


class Statistic(NamedTuple):
    """A statistic of an image, which style losses with the same fields compute only once.

    Attributes:
        loss: The style loss whose ``describe`` computes it.
        layer: Name of the layer.
        region: Index of the mask; None is the whole image.
    """

    loss: StyleLoss
    layer: str
    region: int | None


@dataclass(frozen=True)
class Style:
    """A style loss at one layer.

    Attributes:
        statistic: What it compares.
        weight: Weight of the loss.
        target: Statistic of B style images or of one, see
            :meth:`impasto.losses.style.StyleLoss.target`.
        unit: (B or 1,), divisor of the distance of each image; None is 1.
    """

    statistic: Statistic
    weight: float
    target: Any
    unit: Tensor | None = None

    @classmethod
    def of(cls, statistic: Statistic, weight: float, target: Any, relative: bool) -> Style:
        """Return the summand; if ``relative``, its loss is divided by that of zero features."""
        measure = unit(statistic.loss, target).abs().clamp_min(TINY) if relative else None
        return cls(statistic, weight, target, measure)

    def loss(self, found: Mapping[Statistic, Any]) -> Tensor:
        """Return the weighted mean over a batch, a scalar."""
        values = self.statistic.loss.distance(found[self.statistic], self.target)  # (B,)
        # divided per image, so that a style with small features counts as much as others
        return self.weight * (values if self.unit is None else values / self.unit).mean()

    def pick(self, index: Tensor) -> Style:
        """Return the same loss with the targets of the style images ``index``, (N,)."""
        target, measure = (batches.pick(part, index) for part in (self.target, self.unit))
        return replace(self, target=target, unit=measure)

    @staticmethod
    def stack(styles: Sequence[Style]) -> Style:
        """Combine losses that differ in their targets only into that of a batch."""
        targets, units = ([getattr(one, name) for one in styles] for name in ("target", "unit"))
        return replace(styles[0], target=batches.stack(targets), unit=batches.stack(units))


@dataclass(frozen=True)
class Smoothness:
    """Weighted total variation, see :func:`impasto.losses.smoothness.total_variation`."""

    weight: float
    kind: str
    beta: float
    reduction: str

    def loss(self, image: Tensor) -> Tensor:
        """Return the weighted loss of images (B, 3, H, W), a scalar."""
        return self.weight * total_variation(
            image, kind=self.kind, beta=self.beta, reduction=self.reduction
        )
