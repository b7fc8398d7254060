"""Convolutions with padding, norm and activation; residual blocks; normalisation layers."""

from __future__ import annotations

from typing import Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.errors import InputError
from impasto.nn import norm_statistics

NORMS = ("instance", "batch", "none")
_FEW_CHANNELS = 8
_OFFSETS = ((0, 0), (0, 1), (1, 0), (1, 1))

Padding = Literal["zeros", "reflect", "replicate", "circular"]
PADDINGS = (*get_args(Padding), "none")


class InstanceNorm(nn.Module):
    """Instance normalisation: zero mean and unit variance of each channel of each image.

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
        return instance_norm(x, self.weight, self.bias, self.eps)


def instance_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each channel of each image, then scale and shift it.

    Args:
        x: (B, C, H, W) in any float format.
        weight: Scales, (C,) for all images, or (B, C).
        bias: Shifts, shaped like ``weight``.
        eps: Added to the variance.

    Returns:
        (B, C, H, W) in the format of ``x``, never a view of an input.
    """
    if has_torch_function_unary(x):  # a map in strips
        made: Tensor = handle_torch_function(instance_norm, (x,), x, weight, bias, eps)
        return made
    if x.dtype is torch.float64:  # its kernels require one format; those for 16 bits do not
        weight, bias = weight.double(), bias.double()
    if x.shape[-1] * x.shape[-2] == 1:  # a single position has variance 0
        # a sum, not a view: a ReLU in place would change the bias
        return torch.zeros_like(x) + bias.to(x.dtype).view(-1, x.shape[1], 1, 1)
    exported = torch.onnx.is_in_onnx_export()
    if norm_statistics.inside() and not exported:
        return _shot_norm(x, weight, bias, eps)
    if x.shape[1] <= _FEW_CHANNELS and not exported and not x.is_contiguous():
        # with few channels, the channels_last kernel is slow
        made = instance_norm(x.contiguous(), weight, bias, eps)
        return made.contiguous(memory_format=torch.channels_last)
    # ONNX has an instance norm, but no batch norm that takes the statistics of its own batch.
    if weight.ndim == 1 and (exported or x.device.type != "cpu"):
        return F.instance_norm(x, weight=weight.to(x.dtype), bias=bias.to(x.dtype), eps=eps)
    # For a single image batch norm equals instance norm, and on CPUs with channels_last its kernel
    # is several times faster than torch's instance norm, forward and backward.
    rows = zip(x.split(1), _rows(weight, x), _rows(bias, x), strict=True)
    norm = F.instance_norm if exported else F.batch_norm
    return torch.cat([norm(p, None, None, w, b, True, eps=eps) for p, w, b in rows])


def _shot_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise by the statistics of a shot, see :mod:`impasto.nn.norm_statistics`."""
    variance, mean = torch.var_mean(x.float(), (2, 3), correction=0)  # (B, C) each
    mean, variance = norm_statistics.settled(mean, variance)
    rows = zip(x.split(1), mean, variance, _rows(weight, x), _rows(bias, x), strict=True)
    return torch.cat([F.batch_norm(p, m, v, w, b, False, eps=eps) for p, m, v, w, b in rows])


def _rows(table: Tensor, x: Tensor) -> list[Tensor]:
    return [table] * x.shape[0] if table.ndim == 1 else list(table)


def norm_layer(kind: str, channels: int) -> nn.Module:
    """Create a norm layer by its name, one of :data:`NORMS`.

    Raises:
        InputError: The name is unknown.
    """
    if kind not in NORMS:
        raise InputError(f"unknown norm {kind!r}: choose {', '.join(NORMS)}")
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
    if padding not in PADDINGS:
        raise InputError(f"unknown padding {padding!r}: choose {', '.join(PADDINGS)}")
    layer = ColorConv2d if 3 in {inputs, outputs} else nn.Conv2d
    if padding == "none":
        return layer(inputs, outputs, kernel, stride, bias=bias)
    mode = cast("Padding", padding)
    return layer(inputs, outputs, kernel, stride, kernel // 2, bias=bias, padding_mode=mode)


class ColorConv2d(nn.Conv2d):
    """A convolution from or to three channels, computed by :func:`valid_convolution`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # the optimisation is for torch's kernels
            return super()._conv_forward(input, weight, bias)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        padded = F.pad(input, self._reversed_padding_repeated_twice, mode=mode)
        return valid_convolution(padded, weight, bias, self.stride[0])


def valid_convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1
) -> Tensor:
    """Compute a convolution without padding, faster than torch from or to three channels.

    On CPUs, three input channels are padded with zeros to four: in 16 bits that takes half the
    time. A convolution to three channels is computed as one of stride 2 to twelve channels, with
    the kernel at each of four offsets, and the results are interleaved: CPU kernels always compute
    a multiple of sixteen channels. The results are the same.

    Args:
        x: (B, C, H, W).
        weight: (C', C, k, k).
        bias: (C',), or None.
        stride: Stride of the convolution.

    Returns:
        (B, C', (H - k) / stride + 1, (W - k) / stride + 1), rounded down.
    """
    if has_torch_function_unary(x):  # a map in strips
        made: Tensor = handle_torch_function(valid_convolution, (x,), x, weight, bias, stride)
        return made
    if weight.shape[1] == 3 and x.device.type == "cpu":
        x, weight = (F.pad(one, (0, 0, 0, 0, 0, 1)) for one in (x, weight))
    even = all((side - weight.shape[2] + 1) % 2 == 0 for side in x.shape[2:])
    if weight.shape[0] != 3 or stride != 1 or not even:
        return F.conv2d(x, weight, bias, stride)
    shifted = [F.pad(weight, (right, 1 - right, down, 1 - down)) for down, right in _OFFSETS]
    kernel = torch.stack(shifted, 1).flatten(0, 1)  # (4*C', C, k + 1, k + 1)
    four = None if bias is None else bias.repeat_interleave(4)
    return F.pixel_shuffle(F.conv2d(x, kernel, four, stride=2), 2)


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

    Johnson et al. 2016, supplementary material: with padding ``none`` the convolutions lose two
    pixels on each side, and the shortcut is cropped accordingly.
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
        shortcut = x
        if self.crop:
            shortcut = x[..., self.crop : -self.crop, self.crop : -self.crop]
        return shortcut + self.body(x)


def leaky(colours: Tensor, before: Tensor, slope: float = 0.02) -> Tensor:
    """Return colours unchanged, but with a gradient that does not vanish.

    Where a sigmoid or a tanh saturates, its gradient vanishes, so areas that have become plain
    white or black stay so, such as bleached skies and white spots. Adding a small linear gradient,
    in the backward pass only, lets them recover.

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
    final: nn.Module | None = None
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
            final = part
    if isinstance(final, (nn.Conv2d, nn.ConvTranspose2d)):
        with torch.no_grad():
            final.weight.mul_(last)
