"""The super-resolution network of Johnson et al. 2016.

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

SMALLEST = 5  # smallest side that can be reflected into the 4-pixel border of a 9x9 convolution


class UpscaleNet(nn.Module):
    """Network of 9x9, residual blocks, log2(factor) upsampling 3x3 and 9x9 convolutions.

    Args:
        factor: Factor on height and width: 2, 4, 8, ...
        width: Channels of all convolutions but the last; the paper's 64.
        blocks: Number of residual blocks; the paper's 4.
        norm: ``batch`` (the paper's), ``instance`` or ``none``.
        upsampling: ``nearest``, ``bilinear`` or ``transposed`` (the paper's).
        padding: Padding of all convolutions, see :func:`~impasto.nn.blocks.convolution`.
        residual: Not in the paper: the output of the last convolution, smoothed by (1, 2, 1) / 4,
            is added to the bicubic enlargement. Its weights start at 0, so that the network starts
            as bicubic. Otherwise the last convolution computes the whole image, through
            (tanh + 1) / 2.

    Attributes:
        reach: Radius of the receptive field, in pixels of the input; without meaning for instance
            normalisation, whose statistics depend on the whole image.

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
        # 9x9: 4; two 3x3 a block; the upsampling: 1 + 1/2 + ...; the last 9x9, smoothed: 5 / factor
        self.reach = 4 + 2 * blocks + 2 + 3
        self.body = nn.Sequential(
            ConvNorm(3, width, 9, norm=norm, padding=padding),
            *(Residual(width, norm=norm, padding=padding) for _ in range(blocks)),
            *(
                UpConvNorm(width, width, upsampling=upsampling, norm=norm, padding=padding)
                for _ in range(doublings)
            ),
        )
        self.last = convolution(width, 3, 9, padding=padding)
        # Adam changes each weight by about the learning rate, however small the gradient, and the
        # last convolution sums 81 * width values: without this factor the first steps change the
        # image by more than its range, and recovering takes hundreds of steps.
        self.gain = (81 * width) ** -0.5 if residual else 1.0
        initialize(self, last=0.0 if residual else 0.1)
        if norm == "none":
            _scale_residuals(self)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge images (B, 3, H, W) in [0, 1] to (B, 3, f*H, f*W).

        Args:
            image: Sides of at least :data:`SMALLEST` pixels.

        Returns:
            float32 in [0, 1]. In training mode the residual network is not clamped, because clamped
            values would get no gradient.
        """
        x = self.body(image * 2 - 1)  # (B, width, f*H, f*W)
        x = self.last(x).float() * self.gain
        if not self.residual:
            return (torch.tanh(x) + 1) / 2
        painted = enlarge(image.float(), self.factor) + smooth(x)
        return painted if self.training else painted.clamp(0, 1)


def _scale_residuals(module: nn.Module) -> None:
    """Scale the residual blocks down: without a norm each would double the variance.

    Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops
    2017, section 3.3, multiply the residual branch of a block by 0.1.
    """
    for part in module.modules():
        if isinstance(part, Residual):
            second = part.body.get_submodule("1.0")  # the convolution of the second ConvNorm
            assert isinstance(second, nn.Conv2d)
            with torch.no_grad():
                second.weight.mul_(0.1)


def smooth(image: Tensor) -> Tensor:
    """Filter (B, C, H, W) by (1, 2, 1) / 4 in both directions, with replicated edges.

    Each upsampling treats even and odd pixels differently, which the trained convolutions turn into
    a grid of two pixels. This filter is 0 at its frequency, and so makes them alike.
    """
    tap = torch.tensor([0.25, 0.5, 0.25], dtype=image.dtype, device=image.device)
    channels = image.shape[1]
    x = F.pad(image, (1,) * 4, mode="replicate")
    with torch.autocast(image.device.type, enabled=False):  # colours keep float32
        return F.conv2d(x, (tap[:, None] * tap).expand(channels, 1, 3, 3), groups=channels)


def enlarge(image: Tensor, factor: int) -> Tensor:
    """Enlarge (B, 3, H, W) to (B, 3, f*H, f*W) by bicubic interpolation.

    Values may lie a little outside [0, 1]. Keys' kernel with a = -0.75, PyTorch's default. Over 32
    photographs it was better than a = -0.5 by 0.01 to 0.2 dB at factors 2 and 4, and 0.08 dB worse
    at 8.
    """
    height, width = image.shape[-2:]
    size = (height * factor, width * factor)
    return F.interpolate(image, size, mode="bicubic", align_corners=False)


def check_factor(factor: int) -> int:
    """Return the factor if it is a power of two from 2 on.

    Raises:
        InputError: It is not.
    """
    if factor < 2 or factor & (factor - 1):
        raise InputError(f"factor is {factor}: it must be 2, 4, 8 or a higher power of two")
    return factor
