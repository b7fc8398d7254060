"""Adaptive instance normalisation: match the channel means and deviations of a style image.

Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
ICCV 2017, section 5, equation 8.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.nn.features import at_least_float32
from impasto.nn.norm_statistics import Settle

_POSITIONS = (2, 3)
_EMPTY = 1e-12  # masks with a smaller mean count as empty


def adain(
    content: Tensor,
    mean: Tensor,
    std: Tensor,
    *,
    guide: Tensor | None = None,
    eps: float = 1e-5,
    settle: Settle | None = None,
) -> Tensor:
    """Return σ(y) (x - μ(x)) / σ(x) + μ(y) for each channel of each image (equation 8).

    The result is linear in μ(y) and σ(y): styles blend by averaging means and deviations.

    Args:
        content: x, (B, C, H, W) in any float format; computed in float32 or better.
        mean: μ(y), (B or 1, C).
        std: σ(y), (B or 1, C).
        guide: Weight of each position in μ(x) and σ(x), (B or 1, 1, H, W), not negative; None or
            all zeros weights all positions equally.
        eps: Lower bound of the variance of x, so that a constant channel becomes μ(y). The authors
            add it instead, which makes every deviation slightly smaller than σ(y).
        settle: Returns the mean and the variance to use, (B, C) each, from those of x, see
            :mod:`impasto.nn.norm_statistics`; None uses those of x.

    Returns:
        (B, C, H, W), float32 or better.

    Example:
        >>> x = torch.tensor([[[[1.0, 3.0]]]])
        >>> adain(x, torch.tensor([[10.0]]), torch.tensor([[2.0]]))
        tensor([[[[ 8., 12.]]]])
    """
    if has_torch_function_unary(content):  # a LazyMap, computed in strips
        made: Tensor = handle_torch_function(
            adain, (content,), content, mean, std, guide=guide, eps=eps, settle=settle
        )
        return made
    x = at_least_float32(content)
    weight = 1.0 if guide is None else position_weights(guide).to(x.dtype)
    centre = (x * weight).mean(_POSITIONS)  # (B, C)
    centred = x - centre[..., None, None]  # (B, C, H, W)
    variance = (centred.square() * weight).mean(_POSITIONS)  # (B, C)
    if settle is not None:
        centre, variance = settle(centre, variance)
        centred = x - centre[..., None, None]
    normal = centred * variance.clamp_min(eps).rsqrt()[..., None, None]
    return std.to(x.dtype)[..., None, None] * normal + mean.to(x.dtype)[..., None, None]


def position_weights(guide: Tensor) -> Tensor:
    """Return the position weights of a soft mask, scaled to mean 1.

    Args:
        guide: (B, 1, H, W), not negative.

    Returns:
        The same shape; 1 everywhere for an all-zero mask.

    Example:
        >>> position_weights(torch.tensor([[[[0.0, 0.5]]]]))
        tensor([[[[0., 2.]]]])
    """
    covered = guide.mean(_POSITIONS, keepdim=True)
    return torch.where(covered > _EMPTY, guide / covered.clamp_min(_EMPTY), 1.0)
