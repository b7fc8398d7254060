"""Base classes of methods with a fixed encoder and trained decoders, which paint in any style."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.methods.network import NetworkMethod
from impasto.methods.style import Style
from impasto.nn import tiled_inference
from impasto.nn.decoder import LAYERS, Decoder, Scales
from impasto.nn.sizes import pad_to, with_short_side
from impasto.nn.vgg import Encoder

POOLINGS = ("max", "average")
UNITS = ("rms", "none")
STATISTICS = ("whole", "region")

_PEAK_CHANNELS = 400  # peak memory of a pass, in channels at full resolution; measured
_MEASURED_EDGE = 192  # short side in pixels of the photos that the units are measured on


@dataclass(frozen=True, kw_only=True)
class AnyStyleConfig:
    """Hyperparameters of the encoder and the decoders.

    Attributes:
        flavor: Preprocessing of the VGG-19: ``caffe``, ``torchvision`` or ``normalised``.
        weights: Weights of the VGG-19: a name or a file; ``none`` is the default.
        pooling: Pooling of the VGG-19: ``max`` or ``average``.
        padding: Padding of the VGG-19: ``reflect``, ``zeros``, ``replicate`` or ``circular``.
        units: Scaling of features: ``rms`` divides each channel by its root mean square over the
            package's photos, ``none`` leaves features as they are.
        upsampling: Of the decoders: ``nearest`` as in the papers, or ``bilinear``.
    """

    flavor: str = "caffe"
    weights: str | None = None
    pooling: str = "max"
    padding: str = "reflect"  # as in the authors' vgg_normalised
    units: str = "rms"  # ours: all channels have the same weight
    upsampling: str = "nearest"

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for unknown values."""
        self.check_choices(pooling=POOLINGS, units=UNITS, upsampling=("nearest", "bilinear"))

    def check_choices(self, **known: Iterable[str]) -> None:
        """Raise :class:`InputError` for a field that is none of the values known for its name."""
        for name, words in known.items():
            if getattr(self, name) not in words:
                found = getattr(self, name)
                raise InputError(f"unknown {name} {found!r}: choose {', '.join(words)}")


class Decoders(nn.Module):
    """Decoders of features of one or more layers, and the units of these features.

    The encoder is no part of it: it ships with the package and is not trained.

    Args:
        layers: Layers whose features are decoded, one decoder for each.
        upsampling: See :class:`~impasto.nn.decoder.Decoder`.
    """

    def __init__(self, layers: Sequence[str], upsampling: str) -> None:
        super().__init__()
        self.decoders = nn.ModuleDict({layer: Decoder(layer, upsampling) for layer in layers})
        self.scales = Scales(up_to(max(layers)))

    def forward(self, features: Tensor, layer: str) -> Tensor:
        """Decode features of a layer (B, C, h, w) to images (B, 3, H, W), about [0, 1]."""
        picture: Tensor = self.decoders[layer](features)
        return picture

    def initialize_from(self, other: Decoders) -> None:
        """Initialise all decoders from the only decoder of another network."""
        (donor,) = other.decoders.values()
        for decoder in self.decoders.values():
            assert isinstance(decoder, Decoder) and isinstance(donor, Decoder)  # noqa: PT018
            decoder.initialize_from(donor)

    def encoder(self, config: AnyStyleConfig, runtime: Runtime) -> Encoder:
        """Return the encoder whose features these decoders read."""
        return self.scales.applied_to(_fixed_encoder(*self._options(config))).to_runtime(runtime)

    def measure(self, config: AnyStyleConfig, runtime: Runtime) -> None:
        """Measure the units before training, if the config has ``units="rms"``."""
        if config.units == "rms":
            self.scales.load_state_dict(_measured_units(*self._options(config), runtime.device))

    def _options(self, config: AnyStyleConfig) -> tuple[str, str | None, str, str, str]:
        depth = self.scales.layers[-1]
        return config.flavor, config.weights, config.pooling, config.padding, depth


def _fixed_encoder(
    flavor: str, weights: str | None, pooling: str, padding: str, depth: str
) -> Encoder:
    return Encoder(
        "vgg19", flavor=flavor, weights=weights, pooling=pooling, padding=padding, depth=depth
    )


@lru_cache(maxsize=4)
def _measured_units(
    flavor: str,
    weights: str | None,
    pooling: str,
    padding: str,
    depth: str,
    device: torch.device,
) -> dict[str, Tensor]:
    """Return the units of an encoder, measured on the package's photos in float32."""
    scales = Scales(up_to(depth))
    exact = Runtime(device, torch.float32)
    encoder = _fixed_encoder(flavor, weights, pooling, padding, depth).to_runtime(exact)
    photos = [samples.photo(name).rgb for name in samples.PHOTOS]
    scales.measure(encoder, [with_short_side(photo, _MEASURED_EDGE).to(device) for photo in photos])
    return dict(scales.state_dict())


def up_to(layer: str) -> tuple[str, ...]:
    """Return the first layers of all blocks up to that of ``layer``.

    Example:
        >>> up_to("relu3_1")
        ('relu1_1', 'relu2_1', 'relu3_1')
    """
    return LAYERS[: LAYERS.index(layer) + 1]


class AnyStyleMethod(NetworkMethod):
    """Base class of methods that encode, align features with those of any style, and decode.

    Attributes:
        module: The decoders.
        adjustable: Names of hyperparameters that can be changed after training.
    """

    kind = "any"
    config: AnyStyleConfig
    module: Decoders
    adjustable: ClassVar[tuple[str, ...]]

    @cached_property
    def encoder(self) -> Encoder:
        """Return the encoder, with features in the units of the decoders."""
        return self.module.encoder(self.config, self.runtime)

    @torch.no_grad()
    def features(self, picture: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Compute features of an image (1, 3, H, W) at some layers, (1, C, h, w), in float32."""
        return [found.float() for found in self.encoded(picture, layers)]

    @torch.no_grad()
    def encoded(self, picture: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Compute features as :meth:`features` does, but in the runtime's number format."""
        found = self.encoder(picture.to(self.runtime.device), layers)
        return [found[layer] for layer in layers]

    @torch.no_grad()
    def decode(self, features: Tensor, layer: str) -> Tensor:
        """Decode features to an image (1, 3, H, W) in the runtime's number format, not clamped."""
        features = features.contiguous(memory_format=torch.channels_last)
        dtype = self.runtime.dtype
        with torch.autocast(self.runtime.device.type, dtype, enabled=dtype is not torch.float32):
            picture: Tensor = self.module(features, layer)
        return picture

    def run_on(self, function: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
        """Call a function on a padded image (1, 3, H, W): in strips, if it is too large."""
        if self.too_large(picture):
            return tiled_inference.run(function, picture, dtype=self.runtime.dtype)
        return function(picture)

    @cached_property
    def bytes_per_pixel(self) -> int:
        """Return the number of bytes that a pass on a whole image takes for each pixel."""
        return _PEAK_CHANNELS * self.runtime.dtype.itemsize

    def units(self, layer: str) -> Tensor:
        """Return the unit of each channel of a layer, (C,).

        A style holds features of the plain encoder, so that it fits every model with this encoder,
        whatever its units. Divided by these, they are in the units of the decoders.
        """
        return self.module.scales.get_buffer(layer)

    def padded(self, picture: Tensor) -> Tensor:
        """Pad an image or a mask (1, C, H, W) to multiples of :attr:`multiple`, by reflection."""
        return pad_to(picture.to(self.runtime.device), self.multiple, 2 * self.multiple)

    def enlarged(self, picture: Tensor) -> Tensor:
        """Enlarge a style image (1, 3, H, W) that is too small for the encoder."""
        height, width = (max(side, 2 * self.multiple) for side in picture.shape[-2:])
        return Image(picture.cpu()).resized(height, width).rgb

    def shares(
        self, style: Style, regions: Sequence[Tensor], height: int, width: int
    ) -> list[Tensor]:
        """Return the weight of each part of a style at each position of a layer.

        Args:
            style: A style of this method.
            regions: A soft mask (1, 1, H, W) for each part, or none at all.
            height: Of the layer's features, for the padded content image.
            width: Of the layer's features, for the padded content image.

        Returns:
            Without regions (1, 1, 1, 1) each, with a sum of 1. With regions (1, 1, height, width)
            each; at each position their sum is that of the masks, and the rest is the weight of
            the content image.

        Raises:
            InputError: The weights are negative or all 0.
        """
        weights = style.expect(self.name).shares().to(self.runtime.device)
        if not regions:
            return list(weights.view(-1, 1, 1, 1, 1))
        small = [F.interpolate(self.padded(r), (height, width), mode="area") for r in regions]
        covered = torch.stack(small).sum(0)
        weighted = [weight * region for weight, region in zip(weights, small, strict=True)]
        total = torch.stack(weighted).sum(0).clamp_min(1e-12)
        return [region / total * covered for region in weighted]
