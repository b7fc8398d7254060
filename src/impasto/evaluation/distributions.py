"""Compare distributions of colours and of features that no method is trained on.

Both distances are sliced Wasserstein distances along directions of a fixed seed, so that they
depend on the images only. Features are those of VGG-16 where its weights are in the cache, and
otherwise of layers of VGG-19 that no method that stylizes uses by default. Those are close to the
layers that are used, so that a method with an advantage in style distance has it here too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.image.color_transfer import oklab
from impasto.losses.sliced import quantiles, random_directions
from impasto.nn.features import feature_vectors
from impasto.nn.vgg import Encoder
from impasto.nn.vgg_weights import DEFAULT, ENTRIES

SLICED_LAYERS = {
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    "vgg19": ("pool1", "pool2", "relu3_4", "relu4_4"),
}

_DIRECTIONS = 64
_SEED = 0
_RANKS = 2048  # quantiles that are stored for each direction


def find_encoder() -> tuple[str, Encoder | None]:
    """Return the weights for the features, and VGG-16 if they are its; see the module."""
    for item in ENTRIES.values():
        if item.arch == "vgg16" and item.path.is_file():
            depth = SLICED_LAYERS["vgg16"][-1]
            return item.name, Encoder("vgg16", flavor=item.flavor, weights=item.name, depth=depth)
    return DEFAULT["vgg19"], None


def feature_projections(features: Tensor) -> Tensor:
    """Return the sorted projections (n, 64) of features (1, C, h, w), 2048 quantiles at most."""
    return _projections(feature_vectors(features)[0])


def color_projections(picture: Tensor) -> Tensor:
    """Return the sorted projections (n, 64) of an image's colours in OKLab, 2048 at most.

    Args:
        picture: (1, 3, H, W), sRGB in [0, 1].
    """
    return _projections(oklab(picture).T)


def sliced_distance(one: Tensor, other: Tensor) -> float:
    """Return the squared sliced Wasserstein distance of two distributions.

    Args:
        one: (n, D), sorted projections.
        other: (m, D), the same for another image; where m is not n, its quantiles are interpolated.
    """
    return float((one - quantiles(other, len(one))).square().mean())


def color_distance(one: Tensor, other: Tensor) -> float:
    """Return the distance of two distributions of colours, in hundredths of OKLab's units.

    Black and white are about 100 apart, and colours that one just tells apart about 2.

    Args:
        one: (n, D), from :func:`color_projections`.
        other: (m, D), the same for another image.
    """
    return 100 * (3 * sliced_distance(one, other)) ** 0.5  # a third of a shift is along a direction


def _projections(vectors: Tensor) -> Tensor:
    """Project vectors (N, C) onto fixed random directions; each column is sorted."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        directions = random_directions(vectors.shape[1], _DIRECTIONS, vectors)
    ordered = (vectors @ directions).sort(0).values
    return quantiles(ordered, min(_RANKS, len(ordered)))
