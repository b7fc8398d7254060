"""Mean and standard deviation of each channel as style statistics.

Li et al., "Demystifying Neural Style Transfer", IJCAI 2017, section 4.2, equation 13.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from impasto.losses.batches import reduced
from impasto.nn.features import feature_vectors


class Moments(NamedTuple):
    """Statistics of a feature map.

    Attributes:
        mean: Mean of each channel, (B, C).
        std: Standard deviation of each channel, (B, C).
    """

    mean: Tensor
    std: Tensor


def moments(features: Tensor, *, guide: Tensor | None = None, eps: float = 1e-8) -> Moments:
    """Compute the mean and the (biased) standard deviation of each channel.

    Args:
        features: (B, C, H, W) in any float format; computed in float32 or better.
        guide: (B or 1, 1, H, W) position weights with mean 1; None weights all positions equally.
        eps: Added to the variance, so that the gradient of the root is finite.

    Example:
        >>> import torch
        >>> moments(torch.tensor([[[[1.0, 3.0]]]]))
        Moments(mean=tensor([[2.]]), std=tensor([[1.]]))
    """
    x = feature_vectors(features)  # (B, N, C)
    weight = 1.0 if guide is None else guide.to(x.dtype).flatten(1).unsqueeze(2)
    mean = (x * weight).mean(dim=1)
    variance = ((x - mean.unsqueeze(1)).square() * weight).mean(dim=1)
    return Moments(mean, (variance + eps).sqrt())


def power_sums(features: Tensor, *, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Compute the sums over positions of each channel's values and of their squares.

    The sums of an image are those of its tiles added up.

    Args:
        features: (B, C, H, W).
        guide: (B or 1, 1, H, W) position weights; None weights all positions equally.

    Returns:
        Two tensors (B, C).
    """
    x = feature_vectors(features)
    weight = 1.0 if guide is None else guide.to(x.dtype).flatten(1).unsqueeze(2)
    return (x * weight).sum(dim=1), (x.square() * weight).sum(dim=1)


def moments_of(mean: Tensor, square: Tensor, *, eps: float = 1e-8) -> Moments:
    """Compute mean and standard deviation from the means of values and of squares.

    The variance is a difference of large numbers, so float64 is recommended: where float32 loses
    all digits, float64 keeps six.

    Args:
        mean: (B, C), means of the values.
        square: (B, C), means of the squares.
        eps: Added to the variance.
    """
    return Moments(mean, ((square - mean.square()).clamp_min(0) + eps).sqrt())


def moments_distance(found: Moments, target: Moments, *, reduction: str = "mean") -> Tensor:
    """Compute the squared differences of means and of standard deviations.

    Args:
        found: Moments of B images.
        target: Moments of B images or of one.
        reduction: ``sum`` over channels, or ``mean``: divided by C, as in the authors' code of
            equation 13.

    Returns:
        (B,).

    Raises:
        InputError: The reduction is unknown.
    """
    squares = (found.mean - target.mean).square() + (found.std - target.std).square()  # (B, C)
    return reduced(squares, reduction)
