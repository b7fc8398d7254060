"""Colours that a painting does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class Palette(NamedTuple):
    """Within which values a picture's colours lie.

    Attributes:
        low: (B, 3), the least of each channel.
        high: (B, 3), the greatest.
    """

    low: Tensor
    high: Tensor


def palette_of(picture: Tensor, outside: float = 0.002) -> Palette:
    """The range of each channel of a picture (B, 3, H, W), but for a share of its pixels.

    Args:
        picture: In [0, 1].
        outside: The share that may lie below it, and as many above.
    """
    values = picture.flatten(2).float()  # (B, 3, H*W)
    low, high = (torch.quantile(values, q, dim=2) for q in (outside, 1 - outside))
    return Palette(low, high)


def palette_loss(picture: Tensor, palette: Palette) -> Tensor:
    """The mean distance of a picture's colours from a palette: 0 where all lie within it.

    A network with instance norms can win by a small patch of a colour that is nowhere in the
    painting: it moves the statistics of its channels, and with them the contrast of all the rest.
    Gram matrices hardly see so few pixels; this does.

    Args:
        picture: (B, 3, H, W) in [0, 1].
        palette: Of one painting for each picture.
    """
    low, high = (bound[..., None, None] for bound in palette)
    return ((low - picture).relu() + (picture - high).relu()).mean()


def with_palette(
    losses: Mapping[str, Tensor], picture: Tensor, palette: Palette, weight: float
) -> dict[str, Tensor]:
    """Losses of a batch with :func:`palette_loss` as one more part of their total.

    Args:
        losses: By name, among them ``total``.
        picture: (B, 3, H, W) in [0, 1].
        palette: Of one painting for each picture.
        weight: 0 leaves the losses as they are.
    """
    if not weight:
        return dict(losses)
    outside = weight * palette_loss(picture, palette)
    return {**losses, "total": losses["total"] + outside, "palette": outside.detach()}
