"""`impasto train`, `styles`, `upscale`, end to end and small."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from skimage import data

from impasto.models import checkpoint, zoo

QUICK = [
    "batch=1",
    "crop=32",
    "width=4",
    "blocks=1",
    "workers=0",
    "style_size=48",
    "style_layers=relu1_1",
    "content_layer=relu1_1",
]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("astronaut", "coffee"):
        Image.fromarray(getattr(data, name)()).resize((60, 50)).save(folder / f"{name}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff, and nothing more")
    return folder


def settings():
    return [word for pair in QUICK for word in ("--set", pair)]


def test_train_and_paint(impasto, photos, tmp_path):
    line = ["train", "johnson", "-s", "sample:wave", "--content", photos, "-o", "w.safetensors"]
    done = impasto(*line, "--steps", 4, *settings())
    assert done.code == 0, done.err
    assert done.err.startswith("w.safetensors  4 steps")
    assert "1 pictures could not be read" in done.err
    assert (tmp_path / "w.training" / "checkpoint.pt").is_file()
    painted = impasto("stylize", photos / "coffee.jpg", "-s", "w.safetensors", "--median")
    assert painted.code == 0, painted.err
    with Image.open(tmp_path / "coffee-w.png") as picture:
        assert picture.size == (60, 50)


@pytest.mark.slow
def test_max_time_stops_and_goes_on(impasto, photos):
    line = ["train", "johnson", "-s", "sample:wave", "--content", photos, "-o", "w.safetensors"]
    first = impasto(*line, "--steps", 3, "--max-time", "0.001s", *settings())
    assert first.code == 0, first.err
    assert "not all steps are done" in first.err
    assert checkpoint.load("w.safetensors").card["steps"] == 1
    again = impasto(*line, "--steps", 3, "--quiet", *settings())
    assert (again.code, again.err) == (0, "")
    assert checkpoint.load("w.safetensors").card["steps"] == 3


def test_a_recipe_of_ones_own(impasto, photos, tmp_path):
    (tmp_path / "mine.toml").write_text('method = "johnson"\n[plan]\nsteps = 1\n')
    line = ["train", "mine.toml", "-s", "sample:wave", "--content", photos, "-o", "w.safetensors"]
    done = impasto(*line, "--name", "surf", *settings())
    assert done.code == 0, done.err
    assert checkpoint.load("w.safetensors").styles == ("surf",)


def test_styles(impasto):
    table = impasto("styles")
    assert table.code == 0
    told = json.loads(impasto("styles", "--json").out)
    assert [row["name"] for row in told] == [one.name for one in zoo.shipped()]
    for one in zoo.shipped():
        assert one.name in table.out.decode()


def test_upscale_without_its_model(impasto, photos, monkeypatch):
    monkeypatch.setattr(zoo, "shipped", lambda: ())
    done = impasto("upscale", photos / "coffee.jpg")
    assert done.code == 2
    assert "no model 'upscale-x4'" in done.err
