"""Noise of one 8-bit level, added to photos before trained networks see them.

An instance norm divides by the deviation of what it sees. In a sky without noise that deviation is
made by the steps between 8-bit levels, so a network paints each step as a hard line; a photo of one
colour has no deviation at all, and comes out in one flat colour that is not the painting's. Noise
of one level is what rounding to 8 bits took away: nobody sees it, and it hides the steps (Roberts,
"Image Coding Using Pseudo-Random Noise", IRE Transactions on Information Theory, 1962).
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVEL = 1 / 255


def dithered(picture: Tensor, seed: int) -> Tensor:
    """Add uniform noise of one 8-bit level, the same to all three channels.

    The noise depends on the seed and the size alone: equal pictures stay equal, and frames of one
    video get one pattern that does not move. Rounded to 8 bits, the picture is what it was. Grey
    pictures stay grey.

    Args:
        picture: (1, 3, H, W) in [0, 1].
        seed: Of the noise.

    Returns:
        (1, 3, H, W) in [0, 1], at most half a level from ``picture``.

    Example:
        >>> plain = torch.full((1, 3, 4, 4), 100 / 255)
        >>> noisy = dithered(plain, seed=0)
        >>> bool((noisy != plain).any()), bool(((noisy * 255).round() == 100).all())
        (True, True)
    """
    chance = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, *picture.shape[-2:], generator=chance).sub_(0.5).mul_(LEVEL)
    return (picture + noise.to(picture.device)).clamp_(0, 1)
