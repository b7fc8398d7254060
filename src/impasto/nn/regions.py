"""Regions of one picture with styles of their own, in networks whose norms are the styles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.nn import norm_statistics
from impasto.nn.blocks import instance_norm

_EPS = 1e-5  # of the norms


def regional_norm(
    x: Tensor, regions: Tensor, gamma: Tensor, beta: Tensor, eps: float = _EPS
) -> Tensor:
    """Give each region of a picture its style, as the whole picture has it in that style.

    A picture in several styles has the statistics of none of them: normalised by its own, each
    style would drift away from its colours, and by those of its region alone still further, where
    that shows nothing but sky. So a region is normalised as the whole in its style is, and what
    comes over its border is added, in units of the channel's root mean square: deviations would
    blow up what is all but nothing in flat pictures.

    Args:
        x: (1 + P, C, H, W): the picture in its regions, then in each style as a whole.
        regions: (1, P, h, w), sums of 1 at each position; taken as means over the areas that
            become one position here.
        gamma: (P, C), the scales of the styles.
        beta: (P, C), the shifts.
        eps: Added to the variance.

    Returns:
        (1 + P, C, H, W) in the format of ``x``.
    """
    with torch.autocast(x.device.type, enabled=False):
        wholes, inner = instance_norm(x[1:], gamma, beta, eps), x[1:].to(gamma.dtype)
        (power,) = norm_statistics.settled(inner.square().mean((2, 3)))  # (P, C)
        slope = gamma / (power + eps).sqrt()
        from_outside = (x[:1] - inner) * slope[..., None, None]  # (P, C, H, W)
        here = F.adaptive_avg_pool2d(regions, (x.shape[2], x.shape[3]))  # (1, P, H, W)
        parts = (here.transpose(0, 1) * (wholes + from_outside)).sum(0, keepdim=True)
        return torch.cat([parts.to(x.dtype), wholes])


def region_maps(shares: Tensor, regions: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """How much of each part of a blend there is at each position.

    Args:
        shares: (P,) of the parts, a sum of 1: what counts where their regions meet.
        regions: A soft mask (1, 1, h, w) for each part.
        size: H and W of the picture that is painted.

    Returns:
        (1, P, H, W), sums of 1 at each position; where no region reaches, the shares.
    """
    masks = torch.cat([region.cpu() for region in regions], 1)  # (1, P, h, w)
    if masks.shape[-2:] != tuple(size):
        masks = F.interpolate(masks, tuple(size), mode="bilinear", antialias=True)
    shares = shares[None, :, None, None]  # (1, P, 1, 1)
    total = (masks * shares).sum(1, keepdim=True)
    return torch.where(total > 1e-6, masks * shares / total.clamp_min(1e-6), shares)
