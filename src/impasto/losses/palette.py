"""Palette loss: penalise colours that the style image does not contain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class Palette(NamedTuple):
    """Range of the colours of images.

    Attributes:
        low: (B, 3), the minimum of each channel.
        high: (B, 3), the maximum of each channel.
    """

    low: Tensor
    high: Tensor


def palette_of(picture: Tensor, outside: float = 0.002) -> Palette:
    """Compute the range of each channel of images, ignoring a small fraction of outliers.

    Args:
        picture: (B, 3, H, W) in [0, 1].
        outside: Fraction of the pixels below the range, and of those above.
    """
    values = picture.flatten(2).float()  # (B, 3, H*W)
    low, high = (torch.quantile(values, q, dim=2) for q in (outside, 1 - outside))
    return Palette(low, high)


def palette_loss(picture: Tensor, palette: Palette) -> Tensor:
    """Compute the mean distance of an image's colours from a palette; 0 if all lie within it.

    A network with instance norms can lower a Gram loss by a small patch of a colour that does not
    occur in the style image: it changes the statistics of the channels, and with them the contrast
    of the rest. Gram matrices hardly depend on so few pixels; this loss does.

    Args:
        picture: (B, 3, H, W) in [0, 1].
        palette: One range for each image, or one for all.

    Returns:
        A scalar.
    """
    low, high = (bound[..., None, None] for bound in palette)
    return ((low - picture).relu() + (picture - high).relu()).mean()


def with_palette(
    losses: Mapping[str, Tensor], picture: Tensor, palette: Palette, weight: float
) -> dict[str, Tensor]:
    """Add the weighted :func:`palette_loss` to the losses of a batch.

    Args:
        losses: Losses by name, among them ``total``.
        picture: (B, 3, H, W) in [0, 1].
        palette: The range for each image.
        weight: 0 leaves the losses as they are.
    """
    if not weight:
        return dict(losses)
    outside = weight * palette_loss(picture, palette)
    return {**losses, "total": losses["total"] + outside, "palette": outside.detach()}
