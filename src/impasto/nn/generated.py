"""A small variant of Johnson's network whose weights another network generates.

Shen, Yan and Zeng, "Neural Style Transfer via Meta Networks", CVPR 2018: the image transformation
network of the paper's table and of the authors' released prototxt files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.blocks import InstanceNorm, convolution, initialize
from impasto.nn.johnson import TransformNet, add_border, squash
from impasto.nn.upsampling import INTERPOLATIONS, UPSAMPLINGS, check_upsampling, upsample2x


class GeneratedLayer(nn.Module):
    """A convolution without bias, instance norm, and optionally ReLU, with generated weights.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        stride: 2 halves the size.
        enlarge: Double the size instead, with a 4x4 kernel: one of :data:`UPSAMPLINGS`, or None.
        unpadded: Lose two pixels of each axis instead of reflecting the border.
        affine: Whether the norm has a scale and a shift for each channel.
        relu: Whether a ReLU follows.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int = 1,
        enlarge: str | None = None,
        unpadded: bool = False,
        affine: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.relu, self.enlarge = relu, enlarge
        self.convolution: nn.Conv2d | nn.ConvTranspose2d
        if enlarge == "transposed":
            self.convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        elif enlarge:
            self.convolution = nn.Conv2d(inputs, outputs, 4, bias=False)
        else:
            padding = 0 if unpadded else 1
            self.convolution = nn.Conv2d(
                inputs, outputs, 3, stride, padding, bias=False, padding_mode="reflect"
            )
        self.norm = InstanceNorm(outputs)
        if not affine:
            for name in ("weight", "bias"):
                fixed = self.norm.get_parameter(name).detach()
                delattr(self.norm, name)
                self.norm.register_buffer(name, fixed, persistent=False)

    @property
    def taps(self) -> int:
        """Return the fan-in: the number of products that are summed for each output value."""
        height, width = self.convolution.kernel_size
        stride = self.convolution.stride[0] if self.enlarge == "transposed" else 1
        return self.convolution.in_channels * height * width // stride**2

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W')."""
        if self.enlarge in INTERPOLATIONS:
            x = upsample2x(x, self.enlarge, training=self.training)
            x = F.pad(x, (1, 2, 1, 2), mode="reflect")
        x = self.norm(self.convolution(x))
        return F.relu_(x) if self.relu else x


class GeneratedNet(nn.Module):
    """Network of 9x9, two strided 3x3, ten 3x3, two upsampling 4x4 and 9x9 convolutions.

    The first and the last are ordinary convolutions with a bias and without a norm; all others are
    a :class:`GeneratedLayer`. With a width of 8 the convolutions have 112,048 weights, 448,192
    bytes in float32.

    Args:
        width: Channels of the first convolution.
        blocks: Pairs of 3x3 convolutions.
        shortcuts: Whether the input of a pair is added to its output, as in the residual blocks of
            the paper's table; the authors' prototxt has none.
        upsampling: ``transposed`` for the paper's transposed 4x4 convolutions; or ``nearest`` or
            ``bilinear`` interpolation and an ordinary 4x4 convolution with as many weights. Only
            ``bilinear`` leaves no grid: with the others, even and odd output pixels depend on
            different neighbours.
        unpadded: Use no padding in the pairs, but pad the image by reflection.
        affine: Whether norms have a scale and a shift; not in the paper.

    Raises:
        InputError: The upsampling is unknown.
    """

    def __init__(
        self,
        width: int = 8,
        blocks: int = 5,
        *,
        shortcuts: bool = True,
        upsampling: str = "nearest",
        unpadded: bool = False,
        affine: bool = True,
    ) -> None:
        super().__init__()
        check_upsampling(UPSAMPLINGS, upsampling)
        self.shortcuts, self.border = shortcuts, 8 * blocks if unpadded else 0
        full = 4 * width
        layers = [
            GeneratedLayer(width, 2 * width, stride=2, affine=affine),
            GeneratedLayer(2 * width, full, stride=2, affine=affine),
        ]
        for _ in range(blocks):
            for relu in (True, not shortcuts):  # no ReLU after a sum
                layers.append(
                    GeneratedLayer(full, full, unpadded=unpadded, affine=affine, relu=relu)
                )
        layers += [
            GeneratedLayer(full, 2 * width, enlarge=upsampling, affine=affine),
            GeneratedLayer(2 * width, width, enlarge=upsampling, affine=affine),
        ]
        self.first = convolution(3, width, 9)
        self.layers = nn.ModuleList(layers)
        self.last = convolution(width, 3, 9)
        initialize(self, last=0.1)

    @property
    def convolutions(self) -> list[nn.Conv2d | nn.ConvTranspose2d]:
        """Return all convolutions, in the order in which they run."""
        return [self.first, *(layer.convolution for layer in self._generated()), self.last]

    def _generated(self) -> list[GeneratedLayer]:
        return cast("list[GeneratedLayer]", list(self.layers))

    @property
    def weights(self) -> int:
        """Return the number of weights of all convolutions, without biases."""
        return sum(part.weight.numel() for part in self.convolutions)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (B, 3, H, W) in [0, 1], H and W multiples of 4, to the same shape."""
        x = add_border(image * 2 - 1, self.border)
        x = F.relu_(self.first(x))  # (B, width, H, W)
        layers = self._generated()
        for layer in layers[:2]:
            x = layer(x)  # finally (B, 4*width, H/4, W/4)
        for first, second in zip(layers[2:-2:2], layers[3:-2:2], strict=True):
            made = second(first(x))
            crop = (x.shape[-1] - made.shape[-1]) // 2  # 2 without padding, else 0
            inner = x[..., crop : x.shape[-2] - crop, crop : x.shape[-1] - crop]
            x = inner + made if self.shortcuts else made
        for layer in layers[-2:]:
            x = layer(x)  # finally (B, width, H, W)
        return squash(self.last(x).float(), "tanh")

    @torch.no_grad()
    def initialize_from(self, other: TransformNet, photos: Sequence[Tensor]) -> None:
        """Copy the convolutions and norms of a Johnson network.

        Its first norm has no counterpart here; the norm's average effect is folded into the first
        convolution.

        Args:
            other: With instance norms and interpolation, as this one.
            photos: Content images (1, 3, H, W), over which that average is taken.

        Raises:
            InputError: The network has another shape.
        """
        theirs = [part for part in other.modules() if isinstance(part, nn.Conv2d)]
        norms = [part for part in other.modules() if isinstance(part, InstanceNorm)]
        weights = [part.weight for part in theirs]
        weights[-3:-1] = [F.pad(weight, (0, 1, 0, 1)) for weight in weights[-3:-1]]  # to 4x4
        shapes = [part.weight.shape for part in self.convolutions]
        if [weight.shape for weight in weights] != shapes or len(norms) != len(shapes) - 1:
            raise InputError(
                "the network to start from has another shape: train with its width and blocks"
            )
        for own, weight in zip(self.convolutions, weights, strict=True):
            own.weight.copy_(weight)
        for layer, norm in zip(self._generated(), norms[1:], strict=True):
            layer.norm.load_state_dict(norm.state_dict(), strict=False)
        _bias(self.last).copy_(_bias(theirs[-1]))
        seen = torch.cat([theirs[0](photo * 2 - 1).flatten(2) for photo in photos], 2)[0]  # (C, N)
        slope = norms[0].weight / seen.std(1)
        self.first.weight.mul_(slope.view(-1, 1, 1, 1))
        _bias(self.first).copy_((_bias(theirs[0]) - seen.mean(1)) * slope + norms[0].bias)


def _bias(part: nn.Conv2d) -> Tensor:
    assert part.bias is not None  # ordinary convolutions have one
    return part.bias
