"""The image transformation network of Johnson et al. 2016.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 3.1 and the table of its supplementary material.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import check_choice
from impasto.nn.blocks import ConvNorm, Residual, convolution, initialize, leaky
from impasto.nn.upsampling import UpConvNorm, notch

OUTPUTS = ("tanh", "tanh150")
CAFFE_MEAN = (123.68, 116.779, 103.939)  # mean of ImageNet, RGB, 0 to 255


class TransformNet(nn.Module):
    """Network of 9x9, two strided 3x3, residual blocks, two upsampling 3x3, 9x9 convolutions.

    Args:
        width: Channels of the first convolution; the paper's 32.
        blocks: Number of residual blocks.
        norm: ``instance``, ``batch`` or ``none``.
        upsampling: One of :data:`~impasto.nn.upsampling.UPSAMPLINGS`.
        padding: Padding of all convolutions, see :func:`~impasto.nn.blocks.convolution`.
        unpadded: Use no padding in the residual blocks, but pad the image by reflection, as in the
            paper's table: by 40 pixels for five blocks.
        output: ``tanh`` for (tanh + 1) / 2, as in the paper; ``tanh150`` for 150 tanh plus the mean
            colour, as in the authors' code, which reaches a little beyond [0, 1].

    Raises:
        InputError: An option is unknown.
    """

    def __init__(
        self,
        width: int = 32,
        blocks: int = 5,
        *,
        norm: str = "instance",
        upsampling: str = "nearest",
        padding: str = "reflect",
        unpadded: bool = False,
        output: str = "tanh",
    ) -> None:
        super().__init__()
        check_choice("output", output, OUTPUTS)
        inner = "none" if unpadded else padding
        self.border = 8 * blocks if unpadded else 0
        self.output, self.upsampling = output, upsampling
        self.encoder = nn.Sequential(
            ConvNorm(3, width, 9, norm=norm, padding=padding),
            ConvNorm(width, 2 * width, 3, stride=2, norm=norm, padding=padding),
            ConvNorm(2 * width, 4 * width, 3, stride=2, norm=norm, padding=padding),
        )
        self.residual = nn.Sequential(
            *(Residual(4 * width, norm=norm, padding=inner) for _ in range(blocks))
        )
        self.decoder = nn.Sequential(
            UpConvNorm(4 * width, 2 * width, upsampling=upsampling, norm=norm, padding=padding),
            UpConvNorm(2 * width, width, upsampling=upsampling, norm=norm, padding=padding),
        )
        self.last = convolution(width, 3, 9, padding=padding)
        initialize(self, last=0.1)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (B, 3, H, W) in [0, 1], H and W multiples of 4, to the same shape."""
        x = add_border(image * 2 - 1, self.border)  # (B, 3, H + 2*border, W + 2*border)
        x = self.encoder(x)  # (B, 4*width, (H + 2*border)/4, ...)
        x = self.residual(x)  # (B, 4*width, H/4, W/4)
        x = self.decoder(x)  # (B, width, H, W)
        return notch(squash(self.last(x).float(), self.output), self.upsampling)


def add_border(x: Tensor, border: int) -> Tensor:
    """Add pixels on all sides of (B, C, H, W), reflected or, in a smaller image, repeated."""
    if not border:
        return x
    mode = "reflect" if all(border < side for side in x.shape[-2:]) else "replicate"
    return F.pad(x, (border,) * 4, mode=mode)


def squash(x: Tensor, output: str) -> Tensor:
    """Map the output of the last convolution to colours, by one of :data:`OUTPUTS`."""
    if output == "tanh":
        return leaky((torch.tanh(x) + 1) / 2, x)
    mean = torch.tensor(CAFFE_MEAN, device=x.device).view(1, 3, 1, 1)
    return leaky((150 * torch.tanh(x) + mean) / 255, x)
