"""Stylise regions of one image with different styles, in networks whose norms hold the styles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.nn.fast import instance_norm
from impasto.nn.norm_statistics import Settle

_EPS = 1e-5  # default of the norms


def regional_norm(
    x: Tensor,
    regions: Tensor,
    gamma: Tensor,
    beta: Tensor,
    *,
    eps: float = _EPS,
    settle: Settle | None = None,
) -> Tensor:
    """Normalise each region of an image with its style's scales and shifts.

    Normalised by the statistics of the image with its regions, each style's colours drift;
    normalised by those of its own region they drift further, if the region is plain, such as a
    sky. So the whole image is also processed in each style, and a region takes its normalised
    values from there. The difference of its features from those of that image is divided by the
    root mean square of the channel and added. Division by the standard deviation would amplify the
    difference without limit in plain images.

    Args:
        x: (1 + P, C, H, W): the image with its regions, then the whole image in each style.
        regions: (1, P, h, w), with a sum of 1 at each position; averaged down to H and W.
        gamma: (P, C), the scales of the styles.
        beta: (P, C), the shifts.
        eps: Added to the variance.
        settle: See :func:`~impasto.nn.fast.instance_norm`; called for the mean squares, too.

    Returns:
        (1 + P, C, H, W) in the format of ``x``.
    """
    with torch.autocast(x.device.type, enabled=False):
        wholes, inner = instance_norm(x[1:], gamma, beta, eps, settle), x[1:].to(gamma.dtype)
        power = inner.square().mean((2, 3))  # (P, C)
        if settle is not None:
            (power,) = settle(power)
        slope = gamma / (power + eps).sqrt()
        from_outside = (x[:1] - inner) * slope[..., None, None]  # (P, C, H, W)
        here = F.adaptive_avg_pool2d(regions, (x.shape[2], x.shape[3]))  # (1, P, H, W)
        parts = (here.transpose(0, 1) * (wholes + from_outside)).sum(0, keepdim=True)
        return torch.cat([parts.to(x.dtype), wholes])


def region_maps(shares: Tensor, regions: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Compute the weight of each part of a blend at each position.

    Args:
        shares: (P,), the weights of the parts, with a sum of 1; they decide where regions overlap.
        regions: A soft mask (1, 1, h, w) for each part.
        size: H and W of the image.

    Returns:
        (1, P, H, W), with a sum of 1 at each position; ``shares`` where no region is.
    """
    masks = torch.cat([region.cpu() for region in regions], 1)  # (1, P, h, w)
    if masks.shape[-2:] != tuple(size):
        masks = F.interpolate(masks, tuple(size), mode="bilinear", antialias=True)
    shares = shares[None, :, None, None]  # (1, P, 1, 1)
    total = (masks * shares).sum(1, keepdim=True)
    return torch.where(total > 1e-6, masks * shares / total.clamp_min(1e-6), shares)
