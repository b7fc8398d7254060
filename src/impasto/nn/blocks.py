"""Convolutions with padding, norm and activation; residual blocks; normalisation layers."""

from __future__ import annotations

from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from impasto.errors import check_choice
from impasto.nn.fast import Convolution, instance_norm
from impasto.nn.norm_statistics import NormModule

NORMS = ("instance", "batch", "none")

Padding = Literal["zeros", "reflect", "replicate", "circular"]
PADDINGS = (*get_args(Padding), "none")


class InstanceNorm(NormModule):
    """Instance normalisation of each channel of each image: γ (x - μ) / √(σ² + ε) + β.

    Ulyanov, Vedaldi and Lempitsky, "Improved Texture Networks", CVPR 2017, section 3, equation 7.
    The statistics are those of the image, also in evaluation mode.

    Args:
        channels: C.
        eps: Added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) in any float format."""
        return instance_norm(x, self.weight, self.bias, self.eps, self.settle)


def norm_layer(kind: str, channels: int) -> nn.Module:
    """Create a norm layer by its name, one of :data:`NORMS`.

    Raises:
        InputError: The name is unknown.
    """
    check_choice("norm", kind, NORMS)
    if kind == "instance":
        return InstanceNorm(channels)
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.Identity()


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: str = "reflect",
    bias: bool = True,
) -> nn.Conv2d:
    """Create a convolution that keeps the size (divided by the stride) through its padding.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        kernel: Side of the kernel; odd.
        stride: 2 halves the size, rounding up.
        padding: ``reflect``, ``replicate``, ``circular`` (wraps around, so that the result can be
            tiled) or ``zeros``; ``none`` reduces the size by ``kernel`` - 1.
        bias: Whether it has a bias.

    Raises:
        InputError: The padding is unknown.
    """
    check_choice("padding", padding, PADDINGS)
    if padding == "none":
        return Convolution(inputs, outputs, kernel, stride, bias=bias)
    mode = cast("Padding", padding)
    return Convolution(inputs, outputs, kernel, stride, kernel // 2, bias=bias, padding_mode=mode)


class ConvNorm(nn.Sequential):
    """Convolution, norm and ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        norm: str = "instance",
        padding: str = "reflect",
        relu: bool = True,
    ) -> None:
        super().__init__(
            convolution(inputs, outputs, kernel, stride=stride, padding=padding),
            norm_layer(norm, outputs),
            nn.ReLU(inplace=True) if relu else nn.Identity(),
        )


class Residual(nn.Module):
    """Residual block of two 3x3 convolutions, without ReLU after the sum.

    Johnson et al. 2016, supplementary material: with padding ``none`` the shortcut is cropped by
    the two pixels that the convolutions lose on each side.
    """

    def __init__(self, channels: int, *, norm: str = "instance", padding: str = "reflect") -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(channels, channels, 3, norm=norm, padding=padding),
            ConvNorm(channels, channels, 3, norm=norm, padding=padding, relu=False),
        )
        self.crop = 2 if padding == "none" else 0

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape, or to (B, C, H - 4, W - 4) without padding."""
        shortcut = x[..., self.crop : -self.crop, self.crop : -self.crop] if self.crop else x
        return shortcut + self.body(x)


def leaky(colours: Tensor, before: Tensor, slope: float = 0.02) -> Tensor:
    """Return colours unchanged, but with a gradient that does not vanish.

    Where a sigmoid or a tanh saturates, its gradient vanishes, so that bleached skies and white
    spots stay. A small linear gradient, in the backward pass only, lets them recover.

    Args:
        colours: The activation of ``before``, of the same shape.
        before: The values before the activation.
        slope: The gradient that is added.

    Example:
        >>> x = torch.tensor([-50.0, 50.0], requires_grad=True)
        >>> leaky(torch.sigmoid(x), x).sum().backward()
        >>> x.grad
        tensor([0.0200, 0.0200])
    """
    if not before.requires_grad:
        return colours
    return colours + slope * (before - before.detach())


def initialize(module: nn.Module, *, last: float = 1.0) -> None:
    """Initialise all convolutions by He's method, with biases 0; norms are left unchanged.

    He et al., "Delving Deep into Rectifiers", ICCV 2015, section 2.2.

    Args:
        module: Changed in place.
        last: Factor on the weights of the last convolution; small values give a grey image first.
    """
    final: Tensor | None = None
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
            final = part.weight
    if final is not None:
        final.data.mul_(last)
