"""Every method of the table end to end, for two steps, in each of its presets."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch
from PIL import Image

import impasto
from helpers import is_picture
from impasto import video
from impasto.api import stylize as pipeline
from impasto.errors import InputError
from impasto.methods import config
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability
from stub_method import mask, smooth

SHALLOW = {
    "steps": 2,
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
    "style_weights": (1.0, 1.0),
}


def quick(entry, **more):
    """Settings that make a run short, as far as the method has them."""
    wanted = {"steps": 2, "coarse_steps": 2, **more}
    known = {field.name for field in dataclasses.fields(entry.build.Config)}
    return {name: value for name, value in wanted.items() if name in known}


def cases(ability):
    return [
        pytest.param(entry, preset, id=f"{entry.name}-{preset}")
        for entry in list_methods(ability)
        if Ability.TRAIN not in entry.abilities  # those are in test_load.py
        for preset in config.PRESETS
        if preset == "default" or hasattr(entry.build.Config, preset)
    ]


@pytest.mark.parametrize(("entry", "preset"), cases(Ability.STYLIZE))
def test_stylize(entry, preset):
    seen = []
    photo = smooth()
    result = pipeline.stylize(
        photo,
        smooth(50, 40, seed=1),
        method=entry.name,
        preset=preset,
        settings=quick(entry),
        size=64,
        style_scale=0.8,  # patches of many copies take time
        callback=lambda p: seen.append((p.step, p.total, p.preview().shape)),
    )
    assert is_picture(result.rgb, 48, 64)
    assert not torch.equal(result.rgb, photo.rgb)
    assert [step for step, *_ in seen] == list(range(1, seen[-1][1] + 1))
    assert {shape for *_, shape in seen} == {(1, 3, 48, 64)}


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "preset"), cases(Ability.SYNTHESIZE))
def test_synthesize(entry, preset):
    seen = []
    result = impasto.synthesize(
        smooth(48, 48, seed=1),
        size=(40, 36),
        method=entry.name,
        preset=preset,
        settings=quick(entry),
        callback=lambda p: seen.append((p.step, p.total)),
    )
    assert is_picture(result.rgb, 36, 40)
    assert seen
    assert seen[-1][0] <= seen[-1][1]
    assert seen == sorted(seen)


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [entry for entry in list_methods(Ability.STYLIZE) if Ability.TRAIN not in entry.abilities],
    ids=lambda entry: entry.name,
)
def test_masks_of_every_method(entry):
    photo = smooth()
    result = pipeline.stylize(
        photo,
        [smooth(seed=1), smooth(seed=2)],
        masks=[mask(0, 24, 64, 48), mask(24, 48, 64, 48)],
        method=entry.name,
        settings=quick(entry, **{**SHALLOW, "style_layers": ("relu2_1", "relu3_1")}),
    )
    assert is_picture(result.rgb, 48, 64)
    assert torch.equal(result.rgb[..., 48:], photo.rgb[..., 48:])
    assert not torch.equal(result.rgb[..., :48], photo.rgb[..., :48])


def gatys(seed=0):
    return pipeline.stylize(
        smooth(), smooth(seed=1), settings={**SHALLOW, "start": "noise"}, seed=seed
    ).rgb


def test_one_seed_gives_one_picture_bit_for_bit():
    first = gatys(seed=5)
    torch.rand(7)  # whatever else the caller draws
    assert torch.equal(gatys(seed=5), first)


def test_another_seed_gives_another_picture():
    assert float((gatys(seed=5) - gatys(seed=6)).abs().mean()) > 0.05


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    gatys()
    assert torch.equal(torch.rand(3), expected)


def test_the_inputs_are_left_alone():
    photo, style = smooth(), smooth(seed=1)
    before = photo.rgb.clone(), style.rgb.clone()
    pipeline.stylize(photo, style, settings=SHALLOW, strength=0.5)
    assert torch.equal(photo.rgb, before[0])
    assert torch.equal(style.rgb, before[1])


def test_narrow_photo_has_fewer_levels():
    """A panorama whose coarse levels would be too low for the network still works."""
    result = pipeline.stylize(
        smooth(40, 256), smooth(seed=1), settings={"steps": 1, "coarse_steps": 1}, size=256
    )
    assert result.size == (256, 40)


def test_cancelling_a_real_run_keeps_its_picture():
    steps = []

    def listen(progress):
        steps.append(progress.step)
        if progress.step == 2:
            progress.cancel()

    result = pipeline.stylize(
        smooth(), smooth(seed=1), settings={**SHALLOW, "steps": 50}, callback=listen
    )
    assert steps == [1, 2]
    assert is_picture(result.rgb, 48, 64)


def test_a_setting_given_as_an_option_is_told_where_it_goes():
    for call in (impasto.stylize, partial(video.stylize_video, "none.mp4")):
        with pytest.raises(InputError, match=r'give settings=\{"steps": 2\}'):
            call("sample:wave", "sample:wave", steps=2)
    with pytest.raises(InputError, match="unknown option bogus: there are size, "):
        impasto.stylize("sample:wave", "sample:wave", bogus=2)


@pytest.mark.parametrize(
    ("photo", "painting", "scale", "size"),
    [
        ((300, 12), (64, 64), 1.0, 400),  # 16 / (12 / 300); the square one needs 82
        ((64, 64), (300, 12), 1.0, 83),  # 16.5 / sqrt(12 / 300), rounded up
        ((64, 64), (64, 64), 0.25, 66),  # 16.5 / 0.25
    ],
)
def test_what_is_too_small_says_which_size_would_do(photo, painting, scale, size):
    settings = {"steps": 1, "content_layers": "relu4_2", "style_layers": "relu4_1"}
    settings |= {"style_weights": "1"}
    pictures = [Image.new("RGB", sides, (200, 100, 50)) for sides in (photo, painting)]
    options = {"method": "gatys", "settings": settings, "style_scale": scale}
    with pytest.raises(InputError, match=f"; `size={size}` is large enough$"):
        pipeline.stylize(*pictures, size=15, **options)
    assert max(pipeline.stylize(*pictures, size=size, **options).size) == size


def test_a_picture_that_no_size_helps():
    strip = Image.new("RGB", (2000, 1))
    with pytest.raises(InputError, match="too narrow: crop it"):
        pipeline.stylize(strip, "sample:wave", method="gatys", size=64, settings={"steps": 1})
