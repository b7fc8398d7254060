"""Content loss: the distance of two feature maps, position by position."""

from __future__ import annotations

from torch import Tensor

from impasto.errors import InputError, check_choice
from impasto.nn.features import at_least_float32

REDUCTIONS = ("mean", "sum", "half_sum")


def content_loss(features: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Compute the squared error between two feature maps.

    Source: Gatys, Ecker and Bethge, CVPR 2016, equation 1 is ``half_sum``; the authors' code and
    Johnson et al. 2016, equation 2, take the ``mean`` over channels and positions.

    Args:
        features: (B, C, H, W), or images for the pixel loss of Johnson et al., section 3.2.
        target: The same shape.
        reduction: ``mean``, ``sum`` or ``half_sum``.

    Returns:
        A scalar in float32 or better.

    Raises:
        InputError: The shapes differ, or the reduction is unknown.

    Example:
        >>> import torch
        >>> content_loss(torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), reduction="half_sum")
        tensor(9.)
    """
    if features.shape != target.shape:
        raise InputError(
            f"content features are {tuple(features.shape)}, their target {tuple(target.shape)}"
        )
    squares = (at_least_float32(features) - at_least_float32(target)).square()
    check_choice("reduction", reduction, REDUCTIONS)
    return (
        squares.mean()
        if reduction == "mean"
        else squares.sum() * (0.5 if reduction == "half_sum" else 1.0)
    )
