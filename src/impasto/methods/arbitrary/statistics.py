"""Means and standard deviations of a style image's VGG features, as the input of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError, check_choice
from impasto.image import Image, samples
from impasto.losses.moments import moments
from impasto.methods.arbitrary.tiled_encoding import tiled_moments
from impasto.methods.style import Style
from impasto.nn.sizes import with_short_side
from impasto.nn.style_prediction import Predictor
from impasto.nn.vgg import Encoder, Features
from impasto.nn.vgg_layers import BLOCKS, WIDTHS, block_of, layer_names, smallest_side

_MEASURED = 192  # short side in pixels that the package's images are resized to


@dataclass(frozen=True)
class StatsReader:
    """Reads the statistics of style images.

    Attributes:
        arch: ``vgg19`` or ``vgg16``.
        flavor: Preprocessing of the encoder, see :class:`~impasto.nn.vgg.Encoder`.
        pooling: Pooling of the encoder.
        weights: Weights of the encoder.
        layers: Layers whose means and deviations are computed.
    """

    arch: str
    flavor: str
    pooling: str
    weights: str | None
    layers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for an unknown encoder or layer, or no layers at all."""
        if not self.layers:
            raise InputError("style_layers is empty: name layers such as relu1_1,relu2_1")
        check_choice("encoder", self.arch, BLOCKS)
        for layer in self.layers:
            if layer not in layer_names(self.arch):
                raise InputError(f"unknown layer {layer!r}: {self.arch} has such as relu4_1")

    @property
    def groups(self) -> list[int]:
        """Return the sizes of the groups: for each layer the number of means and of deviations."""
        return [WIDTHS[block_of(layer) - 1] for layer in self.layers for _ in range(2)]

    @property
    def numbers(self) -> int:
        """Return the number of statistics: two for each channel, 1,920 for relu1_1 to relu4_1."""
        return sum(self.groups)

    def encoder(self, runtime: Runtime, depth: str | None = None) -> Encoder:
        """Return the encoder on its device.

        Args:
            runtime: Device and number format.
            depth: Deepest layer that the encoder computes; None is the deepest of ``layers``.
        """
        if depth is None:
            depth = max(self.layers, key=lambda layer: (block_of(layer), layer))
        encoder = Encoder(
            self.arch, flavor=self.flavor, weights=self.weights, pooling=self.pooling, depth=depth
        )
        return encoder.to_runtime(runtime)

    @torch.no_grad()
    def read(self, encoder: Encoder, pictures: Tensor, runtime: Runtime | None = None) -> Tensor:
        """Compute the statistics of images; images too small for the encoder are enlarged.

        Args:
            encoder: See :meth:`encoder`.
            pictures: (B, 3, H, W) in [0, 1]; B is 1 if there is a runtime.
            runtime: An image that exceeds its memory budget is encoded in tiles; None is never.

        Returns:
            (B, numbers), float32.
        """
        least = max(map(smallest_side, self.layers))
        height, width = (max(side, least) for side in pictures.shape[-2:])
        if pictures.shape[-2:] != (height, width):
            pictures = Image(pictures.cpu()).resized(height, width).rgb.to(pictures)
        if runtime is not None:
            found = tiled_moments(encoder, pictures, self.layers, runtime)
            return torch.cat([part for layer in self.layers for part in found[layer]], 1)
        return statistics(encoder(pictures.to(encoder.mean.device), self.layers), self.layers)

    def stored_stats(self, style: Style, name: str) -> Tensor:
        """Return the statistics that are stored in a style's parts, (P, numbers).

        Args:
            style: Of P parts.
            name: Name of the tensor in each part.

        Raises:
            InputError: They are of other layers.
        """
        rows = [part.tensors.get(name, torch.empty(0)) for part in style]
        if any(row.shape != (1, self.numbers) for row in rows):
            raise InputError("this style is of other layers of the encoder: encode it anew")
        return torch.cat([row.float() for row in rows])


class Embedding(nn.Module):
    """A module that computes the embedding of a style image.

    Args:
        encoder: Encoder of the statistics; None where the predictor reads the image itself.
        layers: Layers whose statistics are computed.
        predictor: Predicts embeddings from the statistics or the image.
    """

    def __init__(
        self, encoder: Encoder | None, layers: Sequence[str], predictor: Predictor
    ) -> None:
        super().__init__()
        self.encoder, self.layers, self.predictor = encoder, layers, predictor

    def forward(self, style: Tensor) -> Tensor:
        """Compute the embeddings (B, E) of style images (B, 3, H, W) in [0, 1]."""
        if self.encoder is None:
            return self.predictor.embed(style)
        return self.predictor.embed(statistics(self.encoder(style, self.layers), self.layers))


def statistics(features: Features, layers: Sequence[str]) -> Tensor:
    """Compute the means and deviations of features, one layer after another.

    Args:
        features: (B, C, h, w) for each layer.
        layers: Names of the layers, in order.

    Returns:
        (B, N): the C means of the first layer, its C deviations, those of the next, and so on.
    """
    return torch.cat([part for layer in layers for part in moments(features[layer])], 1)


@lru_cache(maxsize=4)
def sample_stats(reader: StatsReader, device: torch.device) -> Tensor:
    """Compute the statistics of :func:`sample_images`, (P, numbers), in float32."""
    encoder = reader.encoder(Runtime(device, torch.float32))
    return torch.cat([reader.read(encoder, image.to(device)) for image in sample_images()])


def sample_images() -> Iterator[Tensor]:
    """Yield the package's photos and paintings, and the quarters of each, (1, 3, H, W)."""
    for name in (*samples.PHOTOS, *samples.PAINTINGS):
        picture = with_short_side(samples.load(name).rgb, _MEASURED)
        height, width = (side // 2 for side in picture.shape[-2:])
        yield picture
        for y in (0, height):
            for x in (0, width):
                yield picture[..., y : y + height, x : x + width]
