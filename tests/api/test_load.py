"""What networks have learned, through the pipeline: every network, with fresh weights."""

from __future__ import annotations

import pytest
import torch

import impasto
from helpers import FLOAT32, is_picture
from helpers import smooth_picture as smooth
from impasto.api import stylize
from impasto.errors import InputError, WeightsError
from impasto.image import Image, color_transfer, filters
from impasto.methods import config
from impasto.methods.registry import get, list_methods
from impasto.methods.spec import Ability
from impasto.models import checkpoint, zoo

NETWORKS = [
    pytest.param(entry, preset, id=f"{entry.name}-{preset}")
    for entry in list_methods(Ability.TRAIN)
    for preset in config.PRESETS
    if preset == "default" or hasattr(entry.build.Config, preset)
]


def fresh(path, name, preset="default", kind=None, styles=("fresh",), seed=0, **settings):
    """A model file with weights that learned nothing."""
    build = get(name).build
    numbers = config.change(config.preset(build.Config, preset), settings)
    torch.manual_seed(seed)
    method = build(numbers, FLOAT32)
    card = {"kind": kind or method.kind, "titles": {styles[0]: "A model of this test"}}
    made = method.model(method.module, styles, card)
    checkpoint.save(made, path)
    return str(path), card["kind"]


@pytest.mark.parametrize(("entry", "preset"), NETWORKS)
def test_every_network_does_what_its_model_is_for(entry, preset, tmp_path):
    # VGG-16 is to be downloaded, and those that look at paintings with it would want it here
    here = {"encoder": "vgg19"} if hasattr(entry.build.Config, "encoder") else {}
    path, kind = fresh(tmp_path / "m.safetensors", entry.name, preset, **here)
    seen = []
    if kind == "style":
        result = stylize.stylize(smooth(), path, shifts=1, callback=seen.append)
        assert is_picture(result.rgb, 36, 52)
    elif kind == "texture":
        result = impasto.synthesize(path, size=(40, 36), callback=seen.append)
        assert is_picture(result.rgb, 36, 40)
    elif kind == "any":
        result = stylize.stylize(
            smooth(), smooth(seed=1), method=path, shifts=1, callback=seen.append
        )
        assert is_picture(result.rgb, 36, 52)
    else:
        result = impasto.upscale(smooth(9, 13), model=path, callback=seen.append)
        factor = result.width // 13
        assert factor > 1
        assert is_picture(result.rgb, 9 * factor, 13 * factor)
    levels = {"default": 4, "paper": 5}
    steps = levels[preset] if entry.name == "wct" else 1
    assert [(p.step, p.total) for p in seen] == [(n + 1, steps) for n in range(steps)]


@pytest.fixture
def two(tmp_path):
    return [
        fresh(tmp_path / f"{seed}.safetensors", "johnson", seed=seed, width=4, blocks=1)[0]
        for seed in (1, 2)
    ]


def test_masks_put_two_networks_side_by_side(two):
    photo, mask = smooth(), torch.zeros(1, 3, 36, 52)
    mask[..., :26] = 1
    alone = [stylize.stylize(photo, one, sharpen=0).rgb for one in two]
    result = stylize.stylize(photo, two, masks=[Image(mask)], sharpen=0).rgb
    assert torch.allclose(result[..., :26], alone[0][..., :26], atol=1e-6)
    assert torch.allclose(result[..., 26:], alone[1][..., 26:], atol=1e-6)


def test_two_networks_do_not_blend(two):
    with pytest.raises(InputError, match="do not blend"):
        stylize.stylize(smooth(), two)


def test_one_network_takes_one_style(two):
    with pytest.raises(InputError, match="takes one style"):
        stylize.stylize(smooth(), [two[0], two[0]])


def test_style_scale_scales_the_photo_around_the_strokes(two, monkeypatch):
    seen = []
    johnson = get("johnson").build
    run = johnson.run
    monkeypatch.setattr(
        johnson, "run", lambda self, x, **to: (seen.append(x.shape), run(self, x, **to))[1]
    )
    result = stylize.stylize(smooth(), two[0], style_scale=2.0, shifts=1)
    assert seen == [(1, 3, 18, 26), (1, 3, 36, 52)]  # the strokes, then the finest detail
    assert (result.height, result.width) == (36, 52)


def test_photo_colors_can_be_kept(two):
    photo = smooth()
    matched = stylize.stylize(photo, two[0], colors="match").rgb
    plain = stylize.stylize(photo, two[0]).rgb
    means = [x.mean((2, 3)) for x in (matched, plain, photo.rgb)]
    assert (means[0] - means[2]).abs().max() < (means[1] - means[2]).abs().max()
    grey = stylize.stylize(photo, two[0], colors="luminance").rgb
    yiq = [
        color_transfer.with_luminance(x, torch.full((1, 1, 36, 52), 0.5)) for x in (grey, photo.rgb)
    ]
    assert (yiq[0] - yiq[1]).abs().mean() < 0.02  # colour differences are the photo's


def test_a_learned_style_has_no_histogram(two):
    with pytest.raises(InputError, match="no picture to take the histogram of"):
        stylize.stylize(smooth(), two[0], match_histogram=True)


def test_median(two):
    plain = stylize.stylize(smooth(), two[0], sharpen=0)
    clean = stylize.stylize(smooth(), two[0], median=True, sharpen=0)
    assert torch.equal(clean.rgb, filters.median(plain.rgb))


def test_the_method_may_be_named_if_it_is_the_models(two):
    named = stylize.stylize(smooth(), two[0], method="johnson").rgb
    assert torch.equal(named, stylize.stylize(smooth(), two[0]).rgb)
    with pytest.raises(InputError, match="was learned by johnson"):
        stylize.stylize(smooth(), two[0], method="gatys")


def test_numbers_that_may_still_change(tmp_path):
    path, _ = fresh(tmp_path / "c.safetensors", "cin", width=4, blocks=0)
    usual = stylize.stylize(smooth(), path).rgb
    for change in ({"settings": {"upsampling": "nearest"}}, {"preset": "paper"}):
        assert not torch.equal(stylize.stylize(smooth(), path, **change).rgb, usual)
    for settings, said in (
        ({"width": 8}, "width cannot be changed after training cin: change upsampling"),
        ({"steps": 9}, "unknown setting 'steps'"),
    ):
        with pytest.raises(InputError, match=said):
            stylize.stylize(smooth(), path, settings=settings)


def test_numbers_beside_a_painting_are_those_of_its_method(tmp_path):
    path, _ = fresh(tmp_path / "c.safetensors", "cin", width=4, blocks=0)
    half = torch.zeros(1, 3, 36, 52)
    half[..., :26] = 1
    steps = []
    result = stylize.stylize(
        smooth(),
        [path, "sample:wave"],
        masks=[Image(half), Image(1 - half)],
        settings={"steps": 2, "levels": 1},
        shifts=1,
        callback=lambda p: steps.append(p.step),
    )
    assert len(steps) == 3  # one of the network, two of gatys
    assert is_picture(result.rgb, 36, 52)


def test_a_network_without_a_model_says_what_to_do():
    with pytest.raises(InputError, match=r"impasto styles.*impasto train johnson"):
        stylize.stylize(smooth(), smooth(), method="johnson")


def test_a_model_for_something_else_says_so(two, tmp_path):
    with pytest.raises(InputError, match="model for 'stylize', not for 'texture'"):
        impasto.synthesize(two[0])
    with pytest.raises(InputError, match="model for 'stylize', not for 'upscale'"):
        impasto.upscale(smooth(), model=two[0])
    with pytest.raises(InputError, match="no model 'nobody'"):
        impasto.upscale(smooth(), model="nobody")


def test_missing_and_damaged_models(tmp_path):
    with pytest.raises(WeightsError, match="no such model"):
        stylize.stylize(smooth(), str(tmp_path / "none.safetensors"))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsError, match="cannot be read as a model"):
        stylize.stylize(smooth(), str(damaged))


def test_a_style_of_a_model_by_name(tmp_path):
    names = ("one", "two")
    path, _ = fresh(tmp_path / "m.safetensors", "johnson", styles=names, width=4, blocks=1)
    assert [one.name for one in zoo.learned_in(tmp_path / "m.safetensors")] == list(names)
    found = zoo.find(f"{path}#two")
    assert found is not None
    assert (found.index, found.method) == (1, "johnson")
    assert zoo.find(path).title == "A model of this test"
    with pytest.raises(InputError, match="has no 'three': it has one, two"):
        zoo.find(f"{path}#three")


def test_a_picture_of_that_name_goes_before_a_shipped_style(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fresh(tmp_path / "m.safetensors", "johnson", width=4, blocks=1)
    monkeypatch.setattr(zoo, "shipped", lambda: zoo.learned_in(tmp_path / "m.safetensors"))
    assert zoo.find("fresh") is not None
    (tmp_path / "fresh").touch()
    assert zoo.find("fresh") is None


def test_every_learned_style_stands_in_a_card():
    for one in zoo.shipped():
        assert one.title, one.name
        card = one.path.with_suffix(".md")
        assert card.is_file(), "a model card stands beside every model"
        assert one.name in card.read_text(encoding="utf-8"), one.name


FILES = {one.path: one for one in zoo.shipped()}  # the last style of each model


@pytest.mark.parametrize("one", FILES.values(), ids=lambda one: one.name)
def test_every_shipped_model_works(one):
    if one.kind == "style":
        result = stylize.stylize(smooth(), one.name).rgb
        assert is_picture(result, 36, 52)
        assert not torch.allclose(result, smooth().rgb, atol=0.05)
    elif one.kind == "any":
        result = stylize.stylize(smooth(), smooth(40, 40, seed=3), method=one.name).rgb
        assert is_picture(result, 36, 52)
        assert not torch.allclose(result, smooth().rgb, atol=0.05)
    elif one.kind == "texture":
        assert is_picture(impasto.synthesize(one.name, size=64).rgb, 64, 64)
    else:
        large = impasto.upscale(smooth(), model=one.name)
        assert large.width == 52 * (large.height // 36)
