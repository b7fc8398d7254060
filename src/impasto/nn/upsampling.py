"""Twice the size: by interpolation or by a transposed convolution.

A network that learns a style with either interpolation draws a fine mesh in plain parts, for a
style loss asks for fine texture everywhere, and the network has nothing else to make it of. With
nearest neighbours the mesh is made of their steps. So what has learned with those and paints with
the mean of both interpolations shows less of it, and keeps the style: ``nearest-bilinear``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.errors import InputError
from impasto.nn.blocks import convolution, norm_layer

BOTH = "nearest-bilinear"
INTERPOLATIONS = ("nearest", "bilinear", BOTH)
UPSAMPLINGS = (*INTERPOLATIONS, "transposed")


def one_of(upsamplings: Sequence[str], upsampling: str) -> str:
    """An upsampling, if it is one of those.

    Raises:
        InputError: It is not.
    """
    if upsampling not in upsamplings:
        raise InputError(f"unknown upsampling {upsampling!r}: choose {', '.join(upsamplings)}")
    return upsampling


def doubled(x: Tensor, upsampling: str, *, training: bool = False) -> Tensor:
    """Maps (B, C, H, W) of twice the size.

    A plain map stays plain, to the last bit: norms would blow up what bilinear interpolation rounds
    in float32 to a pattern, as it is all the variance that there is. In 16 bits it rounds back.

    Args:
        x: The maps.
        upsampling: One of :data:`INTERPOLATIONS`: ``nearest`` neighbours, ``bilinear``, or in
            training the one and else the mean of the two.
        training: Whether a network learns.
    """
    if has_torch_function_unary(x):  # a map in strips
        made: Tensor = handle_torch_function(doubled, (x,), x, upsampling, training=training)
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
    return smooth.lerp_(F.interpolate(x, scale_factor=2.0, mode="nearest"), 0.5)


class Doubled(nn.Module):
    """Maps (B, C, H, W) of twice the size, by one of :data:`INTERPOLATIONS`."""

    def __init__(self, upsampling: str) -> None:
        super().__init__()
        self.upsampling = one_of(INTERPOLATIONS, upsampling)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2*H, 2*W)."""
        return doubled(x, self.upsampling, training=self.training)


class UpConvNorm(nn.Sequential):
    """Twice the size: interpolation and a convolution, or a transposed convolution.

    The first does not leave the checkerboards of the second (Odena, Dumoulin and Olah, Distill
    2016; Dumoulin et al., ICLR 2017, section 2.2). With nearest neighbours even and odd pixels
    still see other neighbours, and a network that has to paint all styles can come to draw dots
    with that; bilinear interpolation treats them alike.
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
        if one_of(UPSAMPLINGS, upsampling) != "transposed":
            grow: list[nn.Module] = [
                Doubled(upsampling),
                convolution(inputs, outputs, kernel, padding=padding),
            ]
        else:
            half = kernel // 2
            grow = [nn.ConvTranspose2d(inputs, outputs, kernel, 2, half, output_padding=1)]
        super().__init__(*grow, norm_layer(norm, outputs), nn.ReLU(inplace=True))
