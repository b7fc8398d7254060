"""What VGG's channels tell of a painting: their means and deviations, at several layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.losses.moments import moments
from impasto.methods.arbitrary.tiled_encoding import tiled_moments
from impasto.methods.network import with_short_side
from impasto.methods.style import Style
from impasto.nn.style_prediction import Predictor
from impasto.nn.vgg import (
    BLOCKS,
    WIDTHS,
    Encoder,
    Features,
    block_of,
    layer_names,
    smallest_side,
)

_MEASURED = 192  # short side of the package's pictures


@dataclass(frozen=True)
class Reader:
    """Which numbers tell of a painting.

    Attributes:
        arch: Of the encoder, see :class:`~impasto.nn.vgg.Encoder`.
        flavor: Of the encoder.
        pooling: Of the encoder.
        weights: Of the encoder.
        layers: Whose statistics are taken.
    """

    arch: str
    flavor: str
    pooling: str
    weights: str | None
    layers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse to read nothing, or what is not there."""
        if not self.layers:
            raise InputError("style_layers is empty: name layers such as relu1_1,relu2_1")
        if self.arch not in BLOCKS:
            raise InputError(f"unknown encoder {self.arch!r}: choose {', '.join(BLOCKS)}")
        for layer in self.layers:
            if layer not in layer_names(self.arch):
                raise InputError(f"unknown layer {layer!r}: {self.arch} has such as relu4_1")

    @property
    def groups(self) -> list[int]:
        """How many of them are means, and how many deviations, layer by layer."""
        return [WIDTHS[block_of(layer) - 1] for layer in self.layers for _ in range(2)]

    @property
    def numbers(self) -> int:
        """How many there are: two for each channel, 1,920 for relu1_1 to relu4_1."""
        return sum(self.groups)

    def encoder(self, runtime: Runtime, depth: str | None = None) -> Encoder:
        """The encoder, in its place.

        Args:
            runtime: Where it runs.
            depth: The deepest layer that will be asked for; None is the deepest of its own.
        """
        if depth is None:
            depth = max(self.layers, key=lambda layer: (block_of(layer), layer))
        encoder = Encoder(
            self.arch, flavor=self.flavor, weights=self.weights, pooling=self.pooling, depth=depth
        )
        return encoder.place(runtime)

    @torch.no_grad()
    def read(self, encoder: Encoder, pictures: Tensor, runtime: Runtime | None = None) -> Tensor:
        """The statistics of pictures (B, 3, H, W): (B, numbers), in float32.

        What is too small for the encoder is enlarged.

        Args:
            encoder: Of :meth:`encoder`.
            pictures: In [0, 1]; only one where there is a runtime.
            runtime: Whose memory budget is kept: a larger picture is encoded in tiles.
        """
        least = max(map(smallest_side, self.layers))
        height, width = (max(side, least) for side in pictures.shape[-2:])
        if pictures.shape[-2:] != (height, width):
            pictures = Image(pictures.cpu()).resized(height, width).rgb.to(pictures)
        if runtime is not None:
            found = tiled_moments(encoder, pictures, self.layers, runtime)
            return torch.cat([part for layer in self.layers for part in found[layer]], 1)
        return statistics(encoder(pictures.to(encoder.mean.device), self.layers), self.layers)

    def kept(self, style: Style, name: str) -> Tensor:
        """The statistics of a style's parts, (P, numbers), by the name they are kept under.

        Raises:
            InputError: They are of other layers.
        """
        rows = [part.tensors.get(name, torch.empty(0)) for part in style]
        if any(row.shape != (1, self.numbers) for row in rows):
            raise InputError("this style is of other layers of the encoder: encode it anew")
        return torch.cat([row.float() for row in rows])


class Embedding(nn.Module):
    """From a painting to its embedding in one module.

    Args:
        encoder: Of the statistics; None where the predictor sees the image itself.
        layers: Whose statistics are taken.
        predictor: What makes embeddings of them.
    """

    def __init__(
        self, encoder: Encoder | None, layers: Sequence[str], predictor: Predictor
    ) -> None:
        super().__init__()
        self.encoder, self.layers, self.predictor = encoder, layers, predictor

    def forward(self, style: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to (B, embedding)."""
        if self.encoder is None:
            return self.predictor.embed(style)
        return self.predictor.embed(statistics(self.encoder(style, self.layers), self.layers))


def statistics(features: Features, layers: Sequence[str]) -> Tensor:
    """(B, C, h, w) each to (B, N): means, then deviations of a layer, then those of the next."""
    return torch.cat([part for layer in layers for part in moments(features[layer])], 1)


@lru_cache(maxsize=4)
def known(reader: Reader, device: torch.device) -> Tensor:
    """The statistics of the package's photos and paintings and of their quarters, (P, numbers).

    In float32 on every machine.
    """
    encoder = reader.encoder(Runtime(device, torch.float32))
    return torch.cat([reader.read(encoder, image.to(device)) for image in known_images()])


def known_images() -> Iterator[Tensor]:
    """Yield the package's photos and paintings and their quarters, (1, 3, H, W) each."""
    for name in (*samples.PHOTOS, *samples.PAINTINGS):
        picture = with_short_side(samples.load(name).rgb, _MEASURED)
        height, width = (side // 2 for side in picture.shape[-2:])
        yield picture
        for y in (0, height):
            for x in (0, width):
                yield picture[..., y : y + height, x : x + width]
