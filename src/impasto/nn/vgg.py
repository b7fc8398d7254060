"""VGG-16 and VGG-19 with named layers: ``encode(image, ["relu1_1", "relu4_2"])``.

One pass computes all the requested layers, and stops at the deepest of them. Simonyan and
Zisserman, "Very Deep Convolutional Networks", ICLR 2015, table 1, columns D and E.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError, TooSmallError, WeightsError
from impasto.nn import vgg_weights as weights_table
from impasto.nn.vgg_file import State

Features = dict[str, Tensor]

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions in each block
WIDTHS = (64, 128, 256, 512, 512)  # channels of each block
POOLINGS = ("max", "average", "l2")
Padding = Literal["zeros", "reflect", "replicate", "circular"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)


@dataclass(frozen=True)
class Flavor:
    """Preprocessing that a set of weights requires.

    Attributes:
        scale: Factor on images in [0, 1].
        mean: Subtracted from each channel after scaling, in RGB order.
        std: Divides each channel.
        bgr: Whether the channels are reversed to BGR.
    """

    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool


_CAFFE = Flavor(255.0, (123.68, 116.779, 103.939), (1.0, 1.0, 1.0), bgr=True)
FLAVORS = {
    "caffe": _CAFFE,  # the original weights: Gatys, Johnson, CNNMRF, Texture Networks
    "torchvision": Flavor(1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), bgr=False),
    # Caffe's, rescaled so that each filter's mean activation is 1 (Gatys 2015, section 2)
    "normalised": _CAFFE,
}


def layer_names(arch: str) -> tuple[str, ...]:
    """Return all layers of ``vgg16`` or ``vgg19`` in the order in which they run.

    Example:
        >>> layer_names("vgg19")[:5]
        ('conv1_1', 'relu1_1', 'conv1_2', 'relu1_2', 'pool1')
        >>> len(layer_names("vgg16")), layer_names("vgg16")[-1]
        (31, 'pool5')
    """
    names: list[str] = []
    for block, depth in enumerate(BLOCKS[arch], start=1):
        for index in range(1, depth + 1):
            names += [f"conv{block}_{index}", f"relu{block}_{index}"]
        names.append(f"pool{block}")
    return tuple(names)


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
        _check("architecture", arch, BLOCKS)
        _check("flavour", flavor, FLAVORS)
        _check("pooling", pooling, POOLINGS)
        _check("padding", padding, PADDINGS)
        self.arch, self.pooling = arch, pooling
        self.flavor = FLAVORS[flavor]
        names = layer_names(arch)
        self.layers = names[: names.index(self._known(depth)) + 1]
        self.register_buffer("mean", torch.tensor(self.flavor.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(self.flavor.std).view(1, 3, 1, 1))
        state = _state(arch, flavor, None if weights is None else os.fspath(weights))
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
        self._check_size(image, deepest)
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

    def _check_size(self, image: Tensor, deepest: str) -> None:
        smallest = smallest_side(deepest)
        if any(side < smallest for side in image.shape[-2:]):
            height, width = image.shape[-2:]
            message = f"a {width}x{height} picture is too small for {deepest}"
            message += f": its sides must be at least {smallest} pixels"
            raise TooSmallError(message, smallest)


def smallest_side(layer: str) -> int:
    """Return the smallest side of an image, in pixels, that leaves two positions at a layer.

    Example:
        >>> smallest_side("relu1_2"), smallest_side("relu4_1"), smallest_side("pool4")
        (2, 16, 32)
    """
    return 1 << block_of(layer) + layer.startswith("pool")


def block_of(layer: str) -> int:
    """Return the number of a layer's block, from 1.

    Raises:
        InputError: The name is not that of a layer.
    """
    match = re.match(r"(?:conv|relu|pool)(\d)", layer)
    if match is None:
        raise InputError(f"unknown layer {layer!r}: names are like relu4_1, conv4_2 or pool4")
    return int(match[1])


def pool(x: Tensor, kind: str) -> Tensor:
    """Halve the resolution of (B, C, H, W) by ``max``, ``average`` or ``l2`` pooling."""
    if kind == "max":
        return F.max_pool2d(x, 2)
    if kind == "average":
        return F.avg_pool2d(x, 2)
    return (F.avg_pool2d(x.square(), 2) + 1e-8).sqrt()  # finite gradient at 0


def _check(what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise InputError(f"unknown {what} {value!r}: choose {', '.join(known)}")


def _convolution(name: str, state: State, padding: str) -> nn.Conv2d:
    weight = state[f"{name}.weight"]
    convolution = nn.Conv2d(
        weight.shape[1],
        weight.shape[0],
        3,
        padding=1,
        padding_mode=cast("Padding", padding),
        device="meta",
    )
    convolution.weight = nn.Parameter(weight)
    convolution.bias = nn.Parameter(state[f"{name}.bias"])
    return convolution


@lru_cache(maxsize=4)
def _state(arch: str, flavor: str, source: str | None) -> State:
    name = weights_table.DEFAULT[arch] if source is None else source
    if source is None and flavor == "torchvision":
        name = f"{arch}-torchvision"
    entry = weights_table.ENTRIES.get(name)
    if entry and FLAVORS[entry.flavor] != FLAVORS[flavor]:
        raise InputError(f"the weights {name} want the flavour {entry.flavor}, not {flavor}")
    state = weights_table.load(name)
    _check_shapes(state, arch, name)
    return _normalise(state, arch) if flavor == "normalised" else state


def _check_shapes(state: State, arch: str, source: str) -> None:
    previous = 3
    for layer in layer_names(arch):
        if not layer.startswith("conv"):
            continue
        expected = (WIDTHS[int(layer[4]) - 1], previous, 3, 3)
        for name, shape in ((f"{layer}.weight", expected), (f"{layer}.bias", expected[:1])):
            found = state.get(name)
            if found is None or tuple(found.shape) != shape:
                is_now = "missing" if found is None else "x".join(map(str, found.shape))
                raise WeightsError(
                    f"{source}: these are not the weights of a {arch}: {name} is {is_now}, "
                    f"expected {'x'.join(map(str, shape))}"
                )
        previous = expected[0]
    # the weights of VGG-19 include all names of VGG-16
    if extra := sorted({key.split(".")[0] for key in state} - set(layer_names(arch))):
        raise WeightsError(f"{source}: these are not the weights of a {arch}: they have {extra[0]}")


def _normalise(state: State, arch: str) -> State:
    """Rescale each filter so that its mean activation over a set of images is 1.

    ReLU and pooling commute with a positive factor, so the features change only by one factor per
    channel. The factors are in ``data/``, computed by ``tools/mean_activations.py``.
    """
    from safetensors.torch import load as load_safetensors

    file = resources.files("impasto") / "data" / f"{arch}-mean-activations.safetensors"
    if not file.is_file():
        raise InputError(f"the normalised flavour is measured for vgg19 only, not for {arch}")
    means = load_safetensors(file.read_bytes())
    normalised, before = {}, torch.ones(3)
    for layer in (name for name in layer_names(arch) if name.startswith("conv")):
        after = means[layer].float()
        weight = state[f"{layer}.weight"]
        normalised[f"{layer}.weight"] = weight * before.view(1, -1, 1, 1) / after.view(-1, 1, 1, 1)
        normalised[f"{layer}.bias"] = state[f"{layer}.bias"] / after
        before = after
    return normalised
