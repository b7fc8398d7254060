"""Style as batch-norm statistics: the mean and standard deviation of each channel.

Li et al., "Demystifying Neural Style Transfer", IJCAI 2017, section 4.2, equation 13.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from impasto.errors import InputError
from impasto.nn.features import feature_vectors


class Moments(NamedTuple):
    """Statistics of a feature map, each (B, C)."""

    mean: Tensor
    std: Tensor


def moments(features: Tensor, *, guide: Tensor | None = None, eps: float = 1e-8) -> Moments:
    """The mean and the (biased) standard deviation of each channel.

    Args:
        features: (B, C, H, W).
        guide: (B or 1, 1, H, W) position weights with mean 1, or None for all positions alike.
        eps: Added to the variance, since the root has no slope at 0.

    Example:
        >>> moments(torch.tensor([[[[1.0, 3.0]]]]))
        Moments(mean=tensor([[2.]]), std=tensor([[1.]]))
    """
    x = feature_vectors(features)  # (B, N, C)
    weight = 1.0 if guide is None else guide.to(x.dtype).flatten(1).unsqueeze(2)
    mean = (x * weight).mean(dim=1)
    variance = ((x - mean.unsqueeze(1)).square() * weight).mean(dim=1)
    return Moments(mean, (variance + eps).sqrt())


def power_sums(features: Tensor, *, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The sums over positions of each channel's values and of their squares, each (B, C).

    They add up over the tiles of a picture.

    Args:
        features: (B, C, H, W).
        guide: (B or 1, 1, H, W) position weights, or None for all positions alike.
    """
    x = feature_vectors(features)
    weight = 1.0 if guide is None else guide.to(x.dtype).flatten(1).unsqueeze(2)
    return (x * weight).sum(dim=1), (x.square() * weight).sum(dim=1)


def moments_of(mean: Tensor, square: Tensor, *, eps: float = 1e-8) -> Moments:
    """The statistics of channels (B, C) of whose values and squares the means are known.

    The difference of large numbers: float64 keeps six digits of it where float32 has none.
    """
    return Moments(mean, ((square - mean.square()).clamp_min(0) + eps).sqrt())


def moments_distance(found: Moments, target: Moments, *, reduction: str = "mean") -> Tensor:
    """Return the squared differences of means and of standard deviations, for each image (B,).

    Over channels their ``sum``; or their ``mean``, with one 1/C in front, as the authors' code of
    equation 13 has it.

    Raises:
        InputError: The reduction is unknown.
    """
    if reduction not in {"mean", "sum"}:
        raise InputError(f"unknown reduction {reduction!r}: choose mean or sum")
    squares = (found.mean - target.mean).square() + (found.std - target.std).square()  # (B, C)
    return squares.sum(1) if reduction == "sum" else squares.mean(1)
