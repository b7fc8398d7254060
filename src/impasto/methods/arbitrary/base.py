"""What all any-style methods share: a fixed encoder, learned decoders, and styles with shares."""

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
from impasto.methods.network import NetworkMethod, pad_to, with_short_side
from impasto.methods.style import Style
from impasto.nn import tiled_inference
from impasto.nn.decoder import LAYERS, Decoder, Scales
from impasto.nn.vgg import Encoder

POOLINGS = ("max", "average")
UNITS = ("rms", "none")
STATISTICS = ("whole", "region")

_CHANNELS = 400  # at full size, that a whole pass takes the room of, measured
_MEASURED = 192  # short side of the pictures that the units are measured on


@dataclass(frozen=True, kw_only=True)
class AnyStyleConfig:
    """Numbers of the encoder.

    Attributes:
        flavor: Of the VGG-19.
        weights: Of the VGG-19: a name or a file; ``none`` is the default.
        pooling: Of the VGG-19: ``max`` or ``average``.
        padding: Of the VGG-19: ``reflect``, ``zeros``, ``replicate`` or ``circular``.
        units: What features are measured in: ``rms`` for the root mean square of each channel over
            the package's photos, or ``none`` for the flavour's own numbers.
        upsampling: Of the decoders: ``nearest`` as in the papers, or ``bilinear``.
    """

    flavor: str = "caffe"
    weights: str | None = None
    pooling: str = "max"
    padding: str = "reflect"  # of the authors' vgg_normalised
    units: str = "rms"  # ours: all channels count alike
    upsampling: str = "nearest"

    def __post_init__(self) -> None:
        """Refuse what makes no encoder."""
        self.check_words(pooling=POOLINGS, units=UNITS, upsampling=("nearest", "bilinear"))

    def check_words(self, **known: Iterable[str]) -> None:
        """Refuse a field, by its name, that is none of the words known for it."""
        for name, words in known.items():
            if getattr(self, name) not in words:
                found = getattr(self, name)
                raise InputError(f"unknown {name} {found!r}: choose {', '.join(words)}")


class Decoders(nn.Module):
    """What a model of an any-style method holds: decoders, and the units of what they read.

    The encoder is not in it: it comes with the package and is never changed.

    Args:
        layers: Where decoders begin.
        upsampling: See :class:`~impasto.nn.decoder.Decoder`.
    """

    def __init__(self, layers: Sequence[str], upsampling: str) -> None:
        super().__init__()
        self.decoders = nn.ModuleDict({layer: Decoder(layer, upsampling) for layer in layers})
        self.scales = Scales(up_to(max(layers)))

    def forward(self, features: Tensor, layer: str) -> Tensor:
        """Features of a layer (B, C, h, w) to pictures (B, 3, H, W), about [0, 1]."""
        picture: Tensor = self.decoders[layer](features)
        return picture

    def take_over(self, other: Decoders) -> None:
        """Let all decoders begin with the weights of the only one of another network."""
        (donor,) = other.decoders.values()
        for decoder in self.decoders.values():
            assert isinstance(decoder, Decoder) and isinstance(donor, Decoder)  # noqa: PT018
            decoder.take_over(donor)

    def encoder(self, config: AnyStyleConfig, runtime: Runtime) -> Encoder:
        """The encoder whose features these decoders read."""
        return self.scales.applied_to(_plain(*self._options(config))).place(runtime)

    def measure(self, config: AnyStyleConfig, runtime: Runtime) -> None:
        """Begin a training: measure the units, if the config asks for any."""
        if config.units == "rms":
            self.scales.load_state_dict(_measured(*self._options(config), runtime.device))

    def _options(self, config: AnyStyleConfig) -> tuple[str, str | None, str, str, str]:
        depth = self.scales.layers[-1]
        return config.flavor, config.weights, config.pooling, config.padding, depth


def _plain(flavor: str, weights: str | None, pooling: str, padding: str, depth: str) -> Encoder:
    return Encoder(
        "vgg19", flavor=flavor, weights=weights, pooling=pooling, padding=padding, depth=depth
    )


@lru_cache(maxsize=4)
def _measured(
    flavor: str,
    weights: str | None,
    pooling: str,
    padding: str,
    depth: str,
    device: torch.device,
) -> dict[str, Tensor]:
    """The units of an encoder on the package's photos, in float32 on every machine."""
    scales = Scales(up_to(depth))
    exact = Runtime(device, torch.float32)
    encoder = _plain(flavor, weights, pooling, padding, depth).place(exact)
    photos = [samples.photo(name).rgb for name in samples.PHOTOS]
    scales.measure(encoder, [with_short_side(photo, _MEASURED).to(device) for photo in photos])
    return dict(scales.state_dict())


def up_to(layer: str) -> tuple[str, ...]:
    """The first layers of all blocks up to one of them.

    Example:
        >>> up_to("relu3_1")
        ('relu1_1', 'relu2_1', 'relu3_1')
    """
    return LAYERS[: LAYERS.index(layer) + 1]


class AnyStyleMethod(NetworkMethod):
    """A method whose network paints in any style: encoder, alignment of features, decoder.

    Attributes:
        module: The decoders.
        adjustable: Numbers of the config that may be changed without learning anew.
    """

    kind = "any"
    config: AnyStyleConfig
    module: Decoders
    adjustable: ClassVar[tuple[str, ...]]

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder in the units of the model's decoders."""
        return self.module.encoder(self.config, self.runtime)

    @torch.no_grad()
    def features(self, picture: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Features of a picture (1, 3, H, W) at some layers, (1, C, h, w) each, in float32."""
        return [found.float() for found in self.encoded(picture, layers)]

    @torch.no_grad()
    def encoded(self, picture: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """The same in the runtime's format."""
        found = self.encoder(picture.to(self.runtime.device), layers)
        return [found[layer] for layer in layers]

    @torch.no_grad()
    def decode(self, features: Tensor, layer: str) -> Tensor:
        """A picture (1, 3, H, W) from features, in the runtime's format; not clamped."""
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
    def bytes_each(self) -> int:
        """Number of bytes that a whole pass takes for each pixel."""
        return _CHANNELS * self.runtime.dtype.itemsize

    def units(self, layer: str) -> Tensor:
        """What one is in the features of a layer, (C,): a Style is kept in the encoder's numbers.

        So it suits every model with this encoder, whatever units that measures in.
        """
        return self.module.scales.get_buffer(layer)

    def padded(self, picture: Tensor) -> Tensor:
        """A picture or a mask (1, C, H, W) with a mirrored border that gives it whole features."""
        return pad_to(picture.to(self.runtime.device), self.multiple, 2 * self.multiple)

    def enlarged(self, picture: Tensor) -> Tensor:
        """A style picture (1, 3, H, W) that is large enough to have features at all."""
        height, width = (max(side, 2 * self.multiple) for side in picture.shape[-2:])
        return Image(picture.cpu()).resized(height, width).rgb

    def shares(
        self, style: Style, regions: Sequence[Tensor], height: int, width: int
    ) -> list[Tensor]:
        """How much of each part of a style goes where, at the resolution of a layer.

        Args:
            style: Of this method.
            regions: A soft mask (1, 1, H, W) for each part, or none at all.
            height: Of the layer, for the padded photo.
            width: Of the layer, for the padded photo.

        Returns:
            (1, 1, 1, 1) each with a sum of 1, or (1, 1, height, width) with the masks' own sum:
            what no mask covers stays the photo.

        Raises:
            InputError: The weights are negative or all 0.
        """
        weights = style.expect(self.name).shares().to(self.runtime.device)
        if not regions:
            return list(weights.view(-1, 1, 1, 1, 1))
        small = [F.interpolate(self.padded(r), (height, width), mode="area") for r in regions]
        covered = torch.stack(small).sum(0)
        weighed = [weight * region for weight, region in zip(weights, small, strict=True)]
        total = torch.stack(weighed).sum(0).clamp_min(1e-12)
        return [region / total * covered for region in weighed]
