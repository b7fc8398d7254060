"""Pictures that tile: the step across the seam is no larger than the steps inside."""

from __future__ import annotations

import pytest
import torch

import impasto
from helpers import seam
from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.methods.optimization.cnnmrf import CNNMRF, CNNMRFConfig
from impasto.methods.optimization.gatys import Gatys, GatysConfig
from impasto.methods.optimization.levels import Level, StyleImage
from impasto.methods.optimization.sizes import resize
from impasto.methods.optimization.texture import Texture, TextureConfig
from impasto.methods.registry import get
from stub_method import noise

FLOAT32 = choose("cpu", "float32")
SHORT = {"steps": 6, "levels": 2, "coarse_steps": 12, "smallest_level": 32}


def sample(side=64):
    return samples.painting("fjord", 256).resized(side, side).rgb


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (Texture, TextureConfig()),
        (CNNMRF, CNNMRFConfig(tv_weight=0)),
        (Gatys, GatysConfig(tv_weight=0)),
    ],
)
def test_the_objective_is_the_same_wherever_the_torus_is_cut(method, config):
    """A multiple of 16 pixels shifts all layers by whole positions; only rounding differs."""
    made = method(config, FLOAT32)
    picture, content = noise(32, 48, seed=0), noise(32, 48, seed=1)

    def values():
        found = []
        for shift in (0, 16):
            photo = None if method is Texture else content.roll((shift, shift), (2, 3))
            level = Level(32, 48, photo, (StyleImage(sample(), 1.0, None),))
            torch.manual_seed(0)
            losses = made.objective(level)(picture.roll((shift, shift), (2, 3)))
            found.append(float(losses["total"]))
        return found

    with made.seamless(32, 48):
        first, second = values()
    assert second == pytest.approx(first, rel=1e-4)
    first, second = values()  # with padding of zeros again
    assert second != pytest.approx(first, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "config"),
    [(Texture, TextureConfig(**SHORT, histogram=False)), (CNNMRF, CNNMRFConfig(steps=6, levels=1))],
)
def test_optimised_textures_tile(method, config):
    made = method(config, FLOAT32)
    with made.seamless(64, 64):
        picture = made.synthesize(made.encode(sample()), 64, 64)
    assert picture.shape == (1, 3, 64, 64)
    assert seam(picture) <= 1
    assert made.config == config


def test_circular_enlarging_is_the_same_wherever_the_torus_is_cut():
    picture = noise(8, 12)
    large = resize(picture.roll(4, 3), 16, 24, circular=True)
    torch.testing.assert_close(large, resize(picture, 16, 24, circular=True).roll(8, 3))


def test_copied_textures_tile():
    made = impasto.synthesize(
        Image(sample(24)),
        method="resample",
        size=(30, 22),
        seamless=True,
        settings={"algorithm": "wei-levoy", "windows": (5, 5)},
    )
    assert seam(made.rgb) <= 1


def test_a_learned_texture_tiles():
    assert seam(impasto.synthesize("bricks", size=64, seamless=True).rgb) <= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "resample"}, "set algorithm=wei-levoy"),
        (
            {"method": "resample", "settings": {"algorithm": "wei-levoy", "passes": 1}},
            "set passes=2",
        ),
        ({"size": (100, 64)}, "multiples of 16, such as 96x64"),
        ({"style": "bricks", "size": 40}, "multiples of 16, such as"),
    ],
)
def test_textures_that_would_not_tile_are_refused(options, said):
    style = options.pop("style", Image(sample()))
    with pytest.raises(InputError, match=said):
        impasto.synthesize(style, seamless=True, **options)


@pytest.mark.parametrize("name", ["wct", "nnst"])
def test_other_methods_say_that_they_do_not_tile(name):
    method = get(name).build
    with pytest.raises(InputError, match=f"{name} makes no pictures that tile"):
        method.seamless(method, 64, 64)
