"""VGG-16 and VGG-19 with named layers: ``encode(image, ["relu1_1", "relu4_2"])``.

One pass computes all the requested layers, and stops at the deepest of them. Simonyan and
Zisserman, "Very Deep Convolutional Networks", ICLR 2015, table 1, columns D and E.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError, check_choice
from impasto.nn.fast import Convolution
from impasto.nn.vgg_file import State
from impasto.nn.vgg_layers import BLOCKS, check_size, layer_names
from impasto.nn.vgg_state import FLAVORS, load_state

Features = dict[str, Tensor]

POOLINGS = ("max", "average", "l2")
Padding = Literal["zeros", "reflect", "replicate", "circular"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)


class Encoder(nn.Module):
    """A frozen VGG that returns the features of named layers.

    Args:
        arch: ``vgg19`` or ``vgg16``.
        flavor: ``caffe``, ``torchvision`` or ``normalised``: the preprocessing, which must fit the
            weights; ``normalised`` rescales Caffe weights on loading.
        pooling: ``max``, ``average`` or ``l2``.
        padding: ``zeros`` (as trained), ``reflect``, ``replicate`` or ``circular``.
        weights: A name of the weights table or a path; None is the default of the architecture.
        depth: The deepest layer that can be requested; deeper ones are not stored.

    Raises:
        InputError: An option is unknown.
        WeightsError: The weights are missing or of another network.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        arch: str = "vgg19",
        *,
        flavor: str = "caffe",
        pooling: str = "max",
        padding: str = "zeros",
        weights: str | os.PathLike[str] | None = None,
        depth: str = "pool5",
    ) -> None:
        super().__init__()
        check_choice("architecture", arch, BLOCKS)
        check_choice("flavour", flavor, FLAVORS)
        check_choice("pooling", pooling, POOLINGS)
        check_choice("padding", padding, PADDINGS)
        self.arch, self.pooling = arch, pooling
        self.flavor = FLAVORS[flavor]
        names = layer_names(arch)
        self.layers = names[: names.index(self._known(depth)) + 1]
        self.register_buffer("mean", torch.tensor(self.flavor.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(self.flavor.std).view(1, 3, 1, 1))
        state = load_state(arch, flavor, None if weights is None else os.fspath(weights))
        self.convolutions = nn.ModuleDict(
            {name: _convolution(name, state, padding) for name in self.layers if "conv" in name}
        )
        self.requires_grad_(False).eval()

    def to_runtime(self, runtime: Runtime) -> Encoder:
        """Move to a device and number format, with channels last in memory."""
        for convolution in self.convolutions.values():
            convolution.to(runtime.device, runtime.dtype)
            convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean, self.std = self.mean.to(runtime.device), self.std.to(runtime.device)
        return self

    @property
    def dtype(self) -> torch.dtype:
        """Return the number format of the weights and of the features."""
        return next(self.parameters()).dtype

    def forward(self, image: Tensor, layers: Sequence[str]) -> Features:
        """Compute the features of a batch of images.

        Args:
            image: (B, 3, H, W), RGB in [0, 1]; values outside are not clamped.
            layers: Names such as ``relu4_1``; duplicates are allowed.

        Returns:
            The requested layers, each (B, C, h, w) in the encoder's number format.

        Raises:
            InputError: A layer is unknown, or the image is too small for it.
        """
        wanted = {self._known(layer) for layer in layers}
        if not wanted:
            return {}
        deepest = max(wanted, key=self.layers.index)
        check_size(image.shape[-2], image.shape[-1], deepest)
        x = self.preprocess(image).to(self.dtype, memory_format=torch.channels_last)
        features: Features = {}
        for name in self.layers[: self.layers.index(deepest) + 1]:
            x = self._step(name, x, features)
            if name in wanted:
                features[name] = x
        return features

    def preprocess(self, image: Tensor) -> Tensor:
        """Convert RGB in [0, 1] to the input that the weights were trained on."""
        x = (image * self.flavor.scale - self.mean) / self.std
        return x.flip(1) if self.flavor.bgr else x

    def _step(self, name: str, x: Tensor, features: Features) -> Tensor:
        if name.startswith("conv"):
            result: Tensor = self.convolutions[name](x)
            return result
        if name.startswith("relu"):
            # in place, which halves the memory, unless the convolution's output was requested
            return F.relu(x, inplace=name.replace("relu", "conv") not in features)
        return pool(x, self.pooling)

    def _known(self, layer: str) -> str:
        names = getattr(self, "layers", layer_names(self.arch))
        if layer not in names:
            raise InputError(
                f"unknown layer {layer!r}: {self.arch} has conv, relu and pool layers such as "
                f"relu1_1, up to {names[-1]}"
            )
        return layer


def pool(x: Tensor, kind: str) -> Tensor:
    """Halve the resolution of (B, C, H, W) by ``max``, ``average`` or ``l2`` pooling."""
    if kind == "max":
        return F.max_pool2d(x, 2)
    if kind == "average":
        return F.avg_pool2d(x, 2)
    return (F.avg_pool2d(x.square(), 2) + 1e-8).sqrt()  # finite gradient at 0


def _convolution(name: str, state: State, padding: str) -> nn.Conv2d:
    weight, mode = state[f"{name}.weight"], cast("Padding", padding)
    outputs, inputs = weight.shape[:2]
    convolution = Convolution(inputs, outputs, 3, padding=1, padding_mode=mode, device="meta")
    convolution.weight = nn.Parameter(weight)
    convolution.bias = nn.Parameter(state[f"{name}.bias"])
    return convolution
