"""The units of features: the root mean square of each channel over the package's photos."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from impasto.core.device import Runtime
from impasto.image import samples
from impasto.nn.decoder import LAYERS
from impasto.nn.scales import Scales
from impasto.nn.sizes import with_short_side
from impasto.nn.vgg import Encoder

_MEASURED = 192  # short side in pixels of the photos that the units are measured on


def plain(flavor: str, weights: str | None, pooling: str, padding: str, depth: str) -> Encoder:
    """Return an encoder with features in its own units."""
    return Encoder(
        "vgg19", flavor=flavor, weights=weights, pooling=pooling, padding=padding, depth=depth
    )


@lru_cache(maxsize=4)
def measured(
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
    encoder = plain(flavor, weights, pooling, padding, depth).to_runtime(exact)
    photos = [samples.photo(name).rgb for name in samples.PHOTOS]
    scales.measure(encoder, [with_short_side(photo, _MEASURED).to(device) for photo in photos])
    return dict(scales.state_dict())


def up_to(layer: str) -> tuple[str, ...]:
    """Return the first layers of all blocks up to that of ``layer``.

    Example:
        >>> up_to("relu3_1")
        ('relu1_1', 'relu2_1', 'relu3_1')
    """
    return LAYERS[: LAYERS.index(layer) + 1]
