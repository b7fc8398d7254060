"""Base classes of methods with a fixed encoder and trained decoders, which paint in any style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import check_choice
from impasto.image import Image
from impasto.methods.arbitrary.units import measured, plain, up_to
from impasto.methods.network import NetworkMethod
from impasto.methods.sample_task import SampleTask
from impasto.methods.style import Style
from impasto.nn.decoder import Decoder
from impasto.nn.norm_statistics import Settle
from impasto.nn.scales import Scales
from impasto.nn.upsampling import INTERPOLATIONS
from impasto.nn.vgg import Encoder
from impasto.nn.vgg_layers import block_of

POOLINGS = ("max", "average")
UNITS = ("rms", "none")
STATISTICS = ("whole", "region")

_PEAK_CHANNELS = 400  # peak memory of a pass, in channels at full resolution; measured


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
        check_choice("pooling", self.pooling, POOLINGS)
        check_choice("units", self.units, UNITS)
        check_choice("upsampling", self.upsampling, INTERPOLATIONS)


class Decoders(nn.Module):
    """Decoders of features of one or more layers, and the units of these features.

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

    def encoder(self, config: AnyStyleConfig, runtime: Runtime) -> Encoder:
        """Return the encoder whose features these decoders read."""
        return self.scales.applied_to(plain(*self._options(config))).to_runtime(runtime)

    def measure(self, config: AnyStyleConfig, runtime: Runtime) -> None:
        """Measure the units before training, if the config has ``units="rms"``."""
        if config.units == "rms":
            self.scales.load_state_dict(measured(*self._options(config), runtime.device))

    def _options(self, config: AnyStyleConfig) -> tuple[str, str | None, str, str, str]:
        depth = self.scales.layers[-1]
        return config.flavor, config.weights, config.pooling, config.padding, depth


class DecodersTask(SampleTask):
    """Base class of tasks that train decoders for the features of a fixed encoder."""

    module: Decoders

    def __init__(self, config: Any, module: Decoders, runtime: Runtime) -> None:
        self.config, self.module, self._runtime = config, module, runtime
        module.measure(config, runtime)

    @cached_property
    def encoder(self) -> Encoder:
        """Return the encoder, built on first use since a checkpoint may change the units."""
        return self.module.encoder(self.config, self._runtime)


class AnyStyleMethod(NetworkMethod):
    """Base class of methods that encode, align features with those of any style, and decode."""

    kind = "any"
    config: AnyStyleConfig
    module: Decoders

    @cached_property
    def encoder(self) -> Encoder:
        """Return the encoder, with features in the units of the decoders."""
        return self.module.encoder(self.config, self.runtime)

    @cached_property
    def bytes_per_pixel(self) -> int:
        """Return the number of bytes that a pass on a whole image takes for each pixel."""
        return _PEAK_CHANNELS * self.runtime.dtype.itemsize

    def settle(self, layer: str) -> Settle | None:
        """Return what gives a layer the statistics of the shot, for frames of a video, or None."""
        return None if self.statistics is None else partial(self.statistics.settle, layer)

    def units(self, layer: str) -> Tensor:
        """Return the unit of each channel of a layer, (C,), which divides features.

        A style holds features without units, so that it fits every model with this encoder.
        """
        return self.module.scales.get_buffer(layer)

    def enlarged(self, picture: Tensor) -> Tensor:
        """Enlarge a style image (1, 3, H, W) that is too small for the encoder."""
        height, width = (max(side, self.least) for side in picture.shape[-2:])
        return Image(picture.cpu()).resized(height, width).rgb

    def shares(self, style: Style, regions: Sequence[Tensor], layer: str) -> list[Tensor]:
        """Return the weight of each part of a style at each position of a layer.

        Args:
            style: A style of this method.
            regions: A soft mask (1, 1, H, W) for each part.
            layer: Layer of the features of the padded content image.

        Returns:
            (1, 1, h, w) each; at each position their sum is that of the masks, and the rest is the
            weight of the content image.

        Raises:
            InputError: The weights are negative or all 0.
        """
        weights = style.shares().to(self.runtime.device)
        masks = [self.padded(region) for region in regions]
        size = [side >> block_of(layer) - 1 for side in masks[0].shape[-2:]]
        small = [F.interpolate(mask, size, mode="area") for mask in masks]
        covered = torch.stack(small).sum(0)
        weighted = [weight * region for weight, region in zip(weights, small, strict=True)]
        total = torch.stack(weighted).sum(0).clamp_min(1e-12)
        return [region / total * covered for region in weighted]
