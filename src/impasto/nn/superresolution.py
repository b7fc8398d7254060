"""The super-resolution network of Johnson et al. 2016: one pass from a picture to a larger one.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 3.1 and the second table of its supplementary material.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.blocks import ConvNorm, Residual, convolution, initialize
from impasto.nn.upsampling import UpConvNorm

SMALLEST = 5  # the least side whose mirror image fills the border of the 9x9 convolution


class UpscaleNet(nn.Module):
    """9x9, residual blocks, log2(factor) upsampling 3x3, 9x9.

    Args:
        factor: How many times as high and as wide the picture becomes: 2, 4, 8, ...
        width: Channels of all convolutions but the last; the paper's 64.
        blocks: Residual blocks; the paper's 4.
        norm: ``batch`` (the paper's), ``instance`` or ``none``.
        upsampling: ``nearest``, ``bilinear`` or ``transposed`` (the paper's).
        padding: Of all convolutions.
        residual: Ours, not the paper's: the last convolution is a correction that is added to the
            bicubic enlargement. It starts at 0, so that the network starts as bicubic. Otherwise
            the last convolution makes the whole picture, through (tanh + 1) / 2.

    Attributes:
        reach: How far a pixel acts at most, in pixels of the small picture; of no meaning with
            instance normalisation, whose statistics are of the whole picture.

    Raises:
        InputError: The factor is no power of two, or an option is unknown.
    """

    def __init__(
        self,
        factor: int = 4,
        *,
        width: int = 64,
        blocks: int = 4,
        norm: str = "batch",
        upsampling: str = "nearest",
        padding: str = "reflect",
        residual: bool = True,
    ) -> None:
        super().__init__()
        doublings = check_factor(factor).bit_length() - 1
        self.factor, self.residual = factor, residual
        # 9x9: 4; two 3x3 a block; the upsampling: 1 + 1/2 + ...; the last 9x9: 4 / factor
        self.reach = 4 + 2 * blocks + 2 + 2
        self.body = nn.Sequential(
            ConvNorm(3, width, 9, norm=norm, padding=padding),
            *(Residual(width, norm=norm, padding=padding) for _ in range(blocks)),
            *(
                UpConvNorm(width, width, upsampling=upsampling, norm=norm, padding=padding)
                for _ in range(doublings)
            ),
        )
        self.last = convolution(width, 3, 9, padding=padding)
        # Adam moves each weight by the learning rate, however small the gradient, and the last
        # convolution sums 81 * width values: without this the first steps miss by whole pictures,
        # and it takes hundreds to come back.
        self.gain = (81 * width) ** -0.5 if residual else 1.0
        initialize(self, last=0.0 if residual else 0.1)
        if norm == "none":
            _quieten(self)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to (B, 3, f*H, f*W).

        Args:
            image: Sides of at least :data:`SMALLEST` pixels.

        Returns:
            float32 in [0, 1]. In training the residual network is not clamped: a value beyond
            white would get no gradient that leads it back.
        """
        x = self.body(image * 2 - 1)  # (B, width, f*H, f*W)
        x = self.last(x).float() * self.gain
        if not self.residual:
            return (torch.tanh(x) + 1) / 2
        painted = enlarge(image.float(), self.factor) + x
        return painted if self.training else painted.clamp(0, 1)


def _quieten(module: nn.Module) -> None:
    """Start the residual blocks near the identity: without a norm each would double the variance.

    Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops
    2017, section 3.3, multiply what a block adds by 0.1.
    """
    for part in module.modules():
        if isinstance(part, Residual):
            second = part.body.get_submodule("1.0")  # the convolution of the second ConvNorm
            assert isinstance(second, nn.Conv2d)
            with torch.no_grad():
                second.weight.mul_(0.1)


def enlarge(image: Tensor, factor: int) -> Tensor:
    """Bicubic enlargement, (B, 3, H, W) to (B, 3, f*H, f*W); it may pass a little beyond [0, 1].

    Keys' kernel with a = -0.75, PyTorch's own. Over 32 photographs it was better than a = -0.5 by
    0.01 to 0.2 dB at factors 2 and 4, and 0.08 dB worse at 8.
    """
    height, width = image.shape[-2:]
    size = (height * factor, width * factor)
    return F.interpolate(image, size, mode="bicubic", align_corners=False)


def check_factor(factor: int) -> int:
    """The factor, if it is a power of two from 2 on.

    Raises:
        InputError: It is not.
    """
    if factor < 2 or factor & (factor - 1):
        raise InputError(f"factor is {factor}: it must be 2, 4, 8 or a higher power of two")
    return factor
