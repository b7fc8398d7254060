"""Upsampling by 2, by interpolation or by a transposed convolution.

Networks trained with either interpolation draw a fine mesh in plain areas, because a style loss
requires fine texture everywhere. With ``nearest`` the mesh follows its pixel steps. Training with
``nearest`` and running with the mean of both interpolations reduces the mesh and keeps the style:
``nearest-bilinear``. What is left of the mesh after training with ``bilinear`` and shift
consistency has a period of two pixels: :func:`notch` removes that frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.errors import check_choice
from impasto.nn.blocks import convolution, norm_layer
from impasto.nn.exporting import is_exporting
from impasto.nn.fast import interleaved, pad_map

BOTH = "nearest-bilinear"
INTERPOLATIONS = ("nearest", "bilinear", BOTH)
UPSAMPLINGS = (*INTERPOLATIONS, "transposed")

# The identity minus a binomial filter of alternating signs: 1 - sin(ω/2)⁶, 0 at a period of two
# pixels, 0.88 at four, 0.998 at eight.
_NOTCH = (1 / 64, -6 / 64, 15 / 64, 44 / 64, 15 / 64, -6 / 64, 1 / 64)

_BAND = 3  # rows of a small map that determine the outermost row of the result


def check_upsampling(upsamplings: Sequence[str], upsampling: str) -> str:
    """Return an upsampling if it is one of ``upsamplings``.

    Raises:
        InputError: It is not.
    """
    check_choice("upsampling", upsampling, upsamplings)
    return upsampling


def upsample2x(x: Tensor, upsampling: str, *, training: bool = False) -> Tensor:
    """Upsample maps (B, C, H, W) by a factor of 2.

    A constant map stays exactly constant: rounding errors of bilinear interpolation in float32
    would be its only variance, and norms would amplify them to a pattern. In bfloat16 the result is
    rounded to the constant anyway.

    Args:
        x: The maps.
        upsampling: One of :data:`INTERPOLATIONS`: ``nearest``, ``bilinear``, or
            ``nearest-bilinear``, which is ``nearest`` in training and the mean of both otherwise.
        training: Whether the network is in training mode.

    Returns:
        (B, C, 2*H, 2*W).
    """
    if has_torch_function_unary(x):  # a map in strips
        made: Tensor = handle_torch_function(upsample2x, (x,), x, upsampling, training=training)
        return made
    if upsampling == "nearest" or (upsampling == BOTH and training):
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    if x.dtype is torch.bfloat16:
        smooth = F.interpolate(x, scale_factor=2.0, mode="bilinear")
    else:
        corner = x[..., :1, :1]
        smooth = F.interpolate(x - corner, scale_factor=2.0, mode="bilinear").add_(corner)
    if upsampling == "bilinear":
        return smooth
    near = F.interpolate(x, scale_factor=2.0, mode="nearest")
    if is_exporting():  # torch.onnx writes a lerp as six operations
        return (smooth + near) * 0.5
    return smooth.lerp_(near, 0.5)


def upsampled_convolution(
    layer: nn.Conv2d, x: Tensor, upsampling: str, *, training: bool = False
) -> Tensor:
    """Upsample maps by a factor of 2, and apply a convolution of 3x3 with reflected borders.

    In 16 bits on CPUs both are one convolution of the small map, of which the kernel at each of
    four offsets gives every second position: as many products, in a quarter of the passes over
    memory. Its border is repeated, not reflected, so the outermost pixels are computed again.

    Args:
        layer: The convolution.
        x: (B, C, H, W).
        upsampling: See :func:`upsample2x`.
        training: See :func:`upsample2x`.

    Returns:
        (B, C', 2*H, 2*W).
    """
    kind = x.device.type
    half = x.dtype is torch.bfloat16 or (kind == "cpu" and torch.is_autocast_enabled(kind))
    fits = layer.padding_mode == "reflect" and layer.kernel_size == (3, 3) and kind == "cpu"
    fits = fits and min(x.shape[2:]) >= _BAND
    if not (half and fits) or is_exporting() or has_torch_function_unary(x) or _any_constant(x):
        made: Tensor = layer(upsample2x(x, upsampling, training=training))
        return made
    if upsampling == BOTH and training:
        upsampling = "nearest"
    # weights of the nearer and of the farther neighbour, each way of interpolation
    ways = {"nearest": [(1.0, 0.0)], "bilinear": [(0.75, 0.25)]}
    ways[BOTH] = [*ways["nearest"], *ways["bilinear"]]
    with torch.autocast(kind, enabled=False):
        kernels = [_folded(layer.weight.float(), *way) for way in ways[upsampling]]
    kernel = torch.stack(kernels).mean(0).to(x.dtype)
    bias = None if layer.bias is None else layer.bias.repeat(4)
    padded = pad_map(x, (1, 1, 1, 1), "replicate")
    made = interleaved(F.conv2d(padded, kernel, bias))
    for axis in (2, 3):
        for position, first in ((0, 0), (made.shape[axis] - 1, x.shape[axis] - _BAND)):
            band = upsample2x(x.narrow(axis, first, _BAND), upsampling)
            edge = layer(band).narrow(axis, min(position, 2 * _BAND - 1), 1)
            made.narrow(axis, position, 1).copy_(edge)
    return made


def _any_constant(x: Tensor) -> bool:
    """Check whether all channels of an image are constant: a norm would amplify rounding."""
    corner = x[..., :1, :1]
    parts = (x[..., :1, :], x)  # most maps differ in the first row
    return all(bool((part == corner).flatten(1).all(1).any()) for part in parts)


def _folded(weight: Tensor, near: float, far: float) -> Tensor:
    """Return the kernel (4*C', C, 3, 3) on a small map that equals (C', C, 3, 3) on the large one.

    Args:
        weight: The kernel on the large map.
        near: Weight of the nearer position of the small map, on each axis.
        far: That of the farther one.
    """
    # at even and odd positions, for each tap: weights of the three positions of the small map
    taps = weight.new_tensor(
        [
            [[near, far, 0], [far, near, 0], [0, near, far]],
            [[far, near, 0], [0, near, far], [0, far, near]],
        ]
    )
    return torch.einsum("pkj,qml,oikm->pqoijl", taps, taps, weight).flatten(0, 2)


def notch(image: Tensor, upsampling: str) -> Tensor:
    """Remove the highest frequency of both axes from the result of a network.

    Args:
        image: (B, 3, H, W), float32 also where autocast is enabled; sides of at least 4.
        upsampling: That of the network; others than ``bilinear`` return the image itself: their
            mesh has further periods.

    Returns:
        (B, 3, H, W); constant areas stay as they are.

    Example:
        >>> stripes = torch.tensor([0.0, 1.0]).repeat(1, 3, 8, 4)
        >>> notch(stripes, "bilinear").unique()
        tensor([0.5000])
    """
    if upsampling != "bilinear":
        return image
    taps = torch.tensor(_NOTCH, device=image.device).expand(image.shape[1], 1, 1, -1)
    reach = len(_NOTCH) // 2
    if not has_torch_function_unary(image):  # on a CPU five times as fast as channels first
        image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, enabled=False):  # colours keep float32
        across = F.conv2d(F.pad(image, (reach, reach, 0, 0), "reflect"), taps, groups=len(taps))
        return F.conv2d(F.pad(across, (0, 0, reach, reach), "reflect"), taps.mT, groups=len(taps))


class Upsample2x(nn.Module):
    """Upsampling by a factor of 2, by one of :data:`INTERPOLATIONS`."""

    def __init__(self, upsampling: str) -> None:
        super().__init__()
        self.upsampling = check_upsampling(INTERPOLATIONS, upsampling)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2*H, 2*W)."""
        return upsample2x(x, self.upsampling, training=self.training)


class UpConvNorm(nn.Sequential):
    """Upsampling by 2 and a convolution, or a transposed convolution; then norm and ReLU.

    Interpolation avoids the checkerboards of transposed convolutions (Odena, Dumoulin and Olah,
    Distill 2016; Dumoulin et al., ICLR 2017, section 2.2). With ``nearest``, even and odd pixels
    still depend on different neighbours, and a network for arbitrary styles can learn to draw dots
    with that; ``bilinear`` treats them equally.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        upsampling: str = "nearest",
        norm: str = "instance",
        padding: str = "reflect",
    ) -> None:
        if check_upsampling(UPSAMPLINGS, upsampling) != "transposed":
            grow: list[nn.Module] = [
                Upsample2x(upsampling),
                convolution(inputs, outputs, kernel, padding=padding),
            ]
        else:
            half = kernel // 2
            grow = [nn.ConvTranspose2d(inputs, outputs, kernel, 2, half, output_padding=1)]
        super().__init__(*grow, norm_layer(norm, outputs), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', 2*H, 2*W)."""
        first, *others = self
        if isinstance(first, Upsample2x):
            layer = cast("nn.Conv2d", others.pop(0))
            x = upsampled_convolution(layer, x, first.upsampling, training=self.training)
        else:
            x = first(x)
        for part in others:
            x = part(x)
        return x
