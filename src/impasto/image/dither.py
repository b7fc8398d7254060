"""Dither images with noise of one 8-bit level, before trained networks process them.

An instance norm divides by the standard deviation of its input. In a sky without noise that
deviation comes from the steps between 8-bit levels, so a network draws each step as a hard line; an
image of one colour has no deviation, and the result is one flat colour that the style image does
not contain. Noise of one level is invisible and hides the steps (Roberts, "Image Coding Using
Pseudo-Random Noise", IRE Transactions on Information Theory, 1962).
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVEL = 1 / 255


def dithered(picture: Tensor, seed: int) -> Tensor:
    """Add uniform noise of one 8-bit level, the same to all three channels.

    The noise depends only on the seed and the size, so that equal images stay equal and the frames
    of a video get the same pattern. Rounding to 8 bits
    restores 8-bit images. Grey images stay grey.

    Args:
        picture: (1, 3, H, W) in [0, 1].
        seed: Seed of the noise.

    Returns:
        (1, 3, H, W) in [0, 1], at most half a level from ``picture``.

    Example:
        >>> plain = torch.full((1, 3, 4, 4), 100 / 255)
        >>> noisy = dithered(plain, seed=0)
        >>> bool((noisy != plain).any()), bool(((noisy * 255).round() == 100).all())
        (True, True)
    """
    random = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, *picture.shape[-2:], generator=random).sub_(0.5).mul_(LEVEL)
    return (picture + noise.to(picture.device)).clamp_(0, 1)
