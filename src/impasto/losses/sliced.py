"""Sliced Wasserstein distance: compare two sets of vectors along random directions.

Heitz, Vanhoey, Chambon and Belcour, "A Sliced Wasserstein Loss for Neural Texture Synthesis",
CVPR 2021. Along one direction, sorting both sets gives their optimal transport.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.losses.batches import pairs
from impasto.nn.features import feature_vectors


def random_directions(channels: int, count: int, like: Tensor) -> Tensor:
    """Draw directions uniformly from the sphere with PyTorch's global generator.

    Args:
        channels: C.
        count: D.
        like: Gives format and device.

    Returns:
        (C, D), columns of length 1.
    """
    drawn = torch.randn(channels, count, dtype=like.dtype).to(like.device)
    return drawn / torch.linalg.vector_norm(drawn, dim=0).clamp_min(1e-12)


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Compute the mean squared difference of the sorted projections of two sets of vectors.

    Source: Heitz et al. 2021, equations 3 and 4. Sets of different sizes are compared by their
    quantiles: those of ``y`` are interpolated linearly at as many ranks as ``x`` has.

    Args:
        x: (N, C); the gradient flows here.
        y: (M, C).
        directions: (C, D) of length 1.

    Returns:
        A scalar.

    Raises:
        InputError: The vectors have different numbers of channels.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> sliced_wasserstein(x, x.flip(0) + 2, torch.ones(1, 1))
        tensor(4.)
    """
    if x.shape[1] != y.shape[1]:
        raise InputError(f"vectors of {x.shape[1]} and of {y.shape[1]} channels do not compare")
    found = (x @ directions).sort(0).values
    wanted = quantiles((y @ directions).sort(0).values, len(found))
    return (found - wanted).square().mean()


def quantiles(ordered: Tensor, count: int) -> Tensor:
    """Return values (count, D) at the centres of equal ranks of sorted columns (M, D).

    Example:
        >>> quantiles(torch.tensor([[0.0], [1.0], [2.0], [3.0]]), 2).flatten()
        tensor([0.5000, 2.5000])
    """
    if len(ordered) == count:
        return ordered
    ranks = (torch.arange(count, device=ordered.device, dtype=ordered.dtype) + 0.5) / count
    position = (ranks * len(ordered) - 0.5).clamp(0, len(ordered) - 1)
    low = position.floor().long()
    high = (low + 1).clamp_max(len(ordered) - 1)
    return torch.lerp(ordered[low], ordered[high], (position - low).unsqueeze(1))


@dataclass(frozen=True)
class SlicedLoss:
    """Sliced Wasserstein loss on random directions drawn anew, see :func:`sliced_wasserstein`.

    The paper takes as many directions as a layer has channels, and all positions.

    Attributes:
        directions: Number of directions, at least 1.
        positions: Maximum number of vectors per image, at least 2; more are drawn at random.

    Raises:
        InputError: A value is out of range.
    """

    directions: int = 64
    positions: int = 16384

    def __post_init__(self) -> None:
        """Raise an error for values out of range."""
        if self.directions < 1 or self.positions < 2:
            raise InputError(
                f"sliced(directions={self.directions}, positions={self.positions}): "
                f"at least 1 direction and 2 positions"
            )

    @property
    def stochastic(self) -> bool:
        """Return True: each call draws its own directions."""
        return True

    def target(self, features: Tensor) -> list[Tensor]:
        """Return the feature vectors of each style image, (N, C), at most ``positions``."""
        return [x.clone() for x in self.describe(features)]

    def describe(self, features: Tensor, guide: Tensor | None = None) -> list[Tensor]:
        """Return the feature vectors of each image; with ``guide``, drawn in proportion to it."""
        return [self._drawn(x, guide) for x in feature_vectors(features)]

    def _drawn(self, x: Tensor, guide: Tensor | None) -> Tensor:
        count = min(self.positions, len(x))
        if guide is not None:
            return x[guide.flatten().float().multinomial(count, replacement=True)]
        return x if count == len(x) else x[torch.randperm(len(x))[:count].to(x.device)]

    def distance(self, found: list[Tensor], target: list[Tensor]) -> Tensor:
        """Return the distance of each image from its target along new random directions, (B,)."""
        directions = random_directions(found[0].shape[1], self.directions, found[0])
        each = (sliced_wasserstein(x, y, directions) for x, y in pairs(found, target))
        return torch.stack(list(each))
