"""A painting encoded tile by tile has the statistics that it has as a whole."""

from dataclasses import replace

import pytest
import torch

from impasto.core.device import Runtime
from impasto.image import samples
from impasto.methods.arbitrary import tiled_encoding
from impasto.methods.arbitrary.tiled_encoding import feature_tiles, tiled_moments
from impasto.methods.arbitrary.wct import LAYERS, Wct
from impasto.nn.vgg import Encoder

pytestmark = pytest.mark.slow  # large images are encoded

WHOLE = Runtime(torch.device("cpu"), torch.float32, memory=1 << 33)
SHORT = replace(WHOLE, memory=1)  # the least tiles there are


@pytest.fixture(scope="module")
def painting():
    """Sides that are no multiples of a deep layer's stride; one exceeds a tile and its halo."""
    return samples.load("swirls").resized(243, 75).rgb


def test_moments_of_tiles_are_those_of_the_whole(painting):
    layers = ["relu1_1", "relu3_1", "relu5_1"]
    encoder = Encoder("vgg19", depth="relu5_1").to_runtime(WHOLE)
    assert len(list(feature_tiles(encoder, painting, layers, WHOLE))) == 1
    assert len(list(feature_tiles(encoder, painting, layers, SHORT))) > 4
    whole, tiled = (tiled_moments(encoder, painting, layers, one) for one in (WHOLE, SHORT))
    for layer in layers:
        for found, expected in zip(tiled[layer], whole[layer], strict=True):
            scale = float(expected.abs().max())
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * scale)


def test_a_halo_too_small_would_show(painting, monkeypatch):
    encoder = Encoder("vgg19", depth="relu4_1").to_runtime(WHOLE)
    (whole,) = (tiled_moments(encoder, painting, ["relu4_1"], WHOLE)["relu4_1"],)
    monkeypatch.setattr(tiled_encoding, "reach", lambda layer: 1)
    tiled = tiled_moments(encoder, painting, ["relu4_1"], SHORT)["relu4_1"]
    assert float((tiled.std - whole.std).abs().max() / whole.std.max()) > 1e-4


def test_covariances_of_tiles_are_those_of_the_whole(painting):
    torch.manual_seed(0)
    whole, short = (Wct(None, one).encode(painting.mT) for one in (WHOLE, SHORT))
    for layer in LAYERS:
        for name in (f"{layer}.mean", f"{layer}.covariance"):
            (expected,), (found,) = ([part.tensors[name] for part in s] for s in (whole, short))
            scale = float(expected.abs().max())
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * scale)
