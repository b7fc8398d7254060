"""A style more for a model: it learns, and nothing that was there changes by a bit."""

from __future__ import annotations

import pytest
import torch

from helpers import TINY, photos_in, pictures
from impasto.api import add_style, stylize, train
from impasto.errors import InputError
from impasto.image import Image
from impasto.models import checkpoint, zoo

SMALL = {**TINY, "blocks": "1"}
QUICK = {"steps": "4", "batch": "2", "workers": "0", "report_every": "2", "warmup": "0"}
PHOTO = Image(pictures(1, 3, 37, 45))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"), 60, 50, ".jpg")


@pytest.fixture(scope="module")
def base(photos, tmp_path_factory):
    """A model of two styles, trained for a moment."""
    return train.train(
        "cin",
        tmp_path_factory.mktemp("base") / "two.safetensors",
        style=["sample:wave", "sample:gold"],
        content=photos,
        settings=SMALL,
        precision="float32",
    ).path


def add(base, photos, output, painting="sample:fjord", **options):
    settings = {**QUICK, **options.pop("settings", {})}
    options = {"precision": "float32", **options}
    return add_style.add_style(base, painting, output, content=photos, settings=settings, **options)


@pytest.mark.parametrize(("bits", "precision"), [(32, "float32"), (16, "auto"), (8, "float32")])
def test_nothing_that_was_there_changes(base, photos, tmp_path, bits, precision):
    known = checkpoint.load(base)
    path, larger = tmp_path / "two.safetensors", tmp_path / "three.safetensors"
    if bits == 32:  # a file that was not rounded is not rounded now
        finer = {name: value + 1e-5 * torch.rand_like(value) for name, value in known.state.items()}
        known = checkpoint.Model(known.method, known.config, finer, known.styles, known.card)
    checkpoint.save(known, path, bits=bits)
    trained = add(path, photos, larger, precision=precision, settings={"learning_rate": "0.05"})
    before, after = checkpoint.load(path), checkpoint.load(larger)
    assert after.styles == ("wave", "gold", "fjord")
    assert after.config == {**before.config, "styles": 3}
    assert set(after.state) == set(before.state)
    for name, value in before.state.items():
        kept = after.state[name][:2] if name in {"gamma", "beta"} else after.state[name]
        assert torch.equal(kept, value), name
    for name in before.styles:
        pictures = [
            stylize.stylize(PHOTO, f"{file}#{name}", precision=precision).rgb
            for file in (path, larger)
        ]
        assert torch.equal(*pictures)
    assert trained.result.finished
    new = stylize.stylize(PHOTO, f"{larger}#fjord", precision=precision).rgb
    assert not torch.allclose(new, pictures[0], atol=1e-3)
    assert [one.index for one in zoo.learned_in(larger)] == [0, 1, 2]


@pytest.mark.slow
def test_the_new_rows_learn(base, photos, tmp_path):
    settings = {"steps": "20", "learning_rate": "0.05", "report_every": "5"}
    trained = add(base, photos, tmp_path / "three.safetensors", settings=settings)
    total = trained.result.losses["total"]
    assert total[-1] < 0.9 * total[0]
    old = checkpoint.load(base).state["gamma"].mean(0)
    assert (trained.model.state["gamma"][2] - old).abs().max() > 0.05


def test_the_card_tells_of_both(base, photos, tmp_path):
    first = add(base, photos, tmp_path / "three.safetensors")
    again = add(first.path, photos, tmp_path / "four.safetensors", "sample:ink", name="brush")
    assert again.model.styles == ("wave", "gold", "fjord", "brush")
    card = checkpoint.load(again.path).card
    assert card["steps"] == 4
    assert [one["name"] for one in card["added"]] == ["fjord", "brush"]
    assert card["added"][0]["recipe"]["plan"]["steps"] == 4
    # what the strokes' size hangs on is as in the first training
    assert card["added"][0]["recipe"]["cut"]["crop"] == card["recipe"]["cut"]["crop"] == 32
    assert set(card["thumbnails"]) == set(again.model.styles)


def test_a_run_that_stopped_goes_on(base, photos, tmp_path):
    whole = add(base, photos, tmp_path / "whole.safetensors")

    def stop(progress):
        if progress.step == 2:
            progress.cancel()

    half = add(base, photos, tmp_path / "half.safetensors", callback=stop)
    assert (half.result.steps, half.result.finished) == (2, False)
    rest = add(base, photos, tmp_path / "half.safetensors")
    assert rest.result.finished
    for name, value in whole.model.state.items():
        assert torch.equal(value, rest.model.state[name]), name


@pytest.mark.slow
def test_a_checkpoint_of_another_model_is_not_joined(base, photos, tmp_path):
    add(base, photos, tmp_path / "a.safetensors")
    known = checkpoint.load(base)
    shifted = {name: value + 1 for name, value in known.state.items()}
    other = tmp_path / "other.safetensors"
    checkpoint.save(checkpoint.Model(known.method, known.config, shifted, known.styles), other)
    with pytest.raises(InputError, match="another model: start again with `resume=False`"):
        add(other, photos, tmp_path / "a.safetensors")
    add(other, photos, tmp_path / "a.safetensors", resume=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"output": "three.jpg"}, "ends in .safetensors"),
        ({"painting": "sample:gold"}, "has a style 'gold' already"),
        ({"name": "wave"}, "has a style 'wave' already"),
        ({"painting": __file__}, "test_add_style.py"),
        ({"photos": None}, "give a folder as `content`"),
        ({"settings": {"width": "8"}}, "the network stays as it was trained"),
        ({"settings": {"stepps": "8"}}, "unknown setting 'stepps'"),
        ({"base": "nowhere.safetensors"}, "no such model"),
    ],
)
def test_bad_input(options, said, base, photos, tmp_path):
    given = {"base": base, "photos": photos, "output": "three.safetensors", **options}
    given["output"] = tmp_path / given["output"]
    with pytest.raises(InputError, match=said):
        add(**given)
    assert not given["output"].exists()


def test_the_model_itself_is_not_overwritten(base, photos):
    with pytest.raises(InputError, match="is the model itself"):
        add(base, photos, base)


def test_networks_of_one_style_take_no_more(photos, tmp_path):
    settings = {**SMALL, "steps": "1"}
    path = tmp_path / "wave.safetensors"
    train.train("johnson", path, style="sample:wave", content=photos, settings=settings)
    with pytest.raises(InputError, match="johnson takes no further styles"):
        add(path, photos, tmp_path / "more.safetensors")


def test_on_the_command_line(impasto, base, photos):
    line = ["add-style", base, "sample:fjord", "-o", "three.safetensors", "--content", photos]
    done = impasto(*line, "--name", "bay", "--steps", 1, "--set", "batch=1", "--set", "workers=0")
    assert done.code == 0, done.err
    assert done.err.startswith("three.safetensors  1 steps")
    assert checkpoint.load("three.safetensors").styles == ("wave", "gold", "bay")
    painted = impasto(
        "stylize", photos / "coffee.jpg", "-s", "three.safetensors#bay", "-o", "a.png"
    )
    assert painted.code == 0, painted.err
