"""From pictures to a model file: what the file holds, how a run goes on, what is refused."""

from __future__ import annotations

import base64
import hashlib
import io

import pytest
import torch
from PIL import Image

from helpers import TINY, photos_in
from impasto.api import recipes, stylize
from impasto.api import train as learning
from impasto.errors import InputError
from impasto.image import Image as Picture
from impasto.models import checkpoint

SMALL = {**TINY, "blocks": "1", "report_every": "2"}


@pytest.fixture
def photos(tmp_path):
    return photos_in(tmp_path / "photos", 60, 50, ".jpg")


def train(photos, output, style="sample:wave", **options):
    settings = {**SMALL, **options.pop("settings", {})}
    return learning.train(
        "johnson",
        output,
        style=style,
        content=photos,
        settings=settings,
        precision="float32",
        **options,
    )


def test_a_model_tells_how_it_came_to_be(photos, tmp_path):
    trained = train(photos, tmp_path / "wave.safetensors")
    assert trained.path.is_file()
    assert trained.result.finished
    made = checkpoint.load(trained.path)
    card = made.card
    assert made.method == "johnson"
    assert made.styles == ("wave",)
    assert made.config["width"] == 4
    assert card["recipe"]["plan"]["steps"] == card["steps"] == 4
    assert card["data"] == {"content": {"pictures": 3}}
    assert set(card["losses"]) == {"total", "content", "style", "shift"}
    assert card["version"]
    assert card["command"].startswith("impasto")
    shown = card["thumbnails"]["wave"]
    pixels = Image.open(io.BytesIO(base64.b64decode(shown["jpeg"])))
    assert max(pixels.size) == 96
    assert len(shown["sha256"]) == 64


def test_the_model_paints(photos, tmp_path):
    path = train(photos, tmp_path / "wave.safetensors").path
    picture = stylize.stylize(Picture(torch.rand(1, 3, 21, 34)), str(path))
    assert (picture.height, picture.width) == (21, 34)


@pytest.mark.slow
def test_a_run_that_stopped_goes_on(photos, tmp_path):
    whole = train(photos, tmp_path / "whole.safetensors")

    def stop(progress):
        if progress.step == 2:
            progress.cancel()

    half = train(photos, tmp_path / "half.safetensors", callback=stop)
    assert (half.result.steps, half.result.finished) == (2, False)
    assert half.path.is_file()  # the model as it stands
    rest = train(photos, tmp_path / "half.safetensors")
    assert rest.result.finished
    for name, value in whole.model.state.items():
        assert torch.equal(value, rest.model.state[name])
    again = train(photos, tmp_path / "half.safetensors", resume=False)
    assert again.result.finished


def test_style_steps_repeat_the_style_images_alone(photos):
    numbers = recipes.load("meta-network").change({"style_steps": "20"})
    sources = learning.open_sources(numbers, ("content", "style"), photos, photos)
    assert {name: source.repeat for name, source in sources.items()} == {"content": 1, "style": 20}


def test_start_from_another_style(photos, tmp_path):
    first = train(photos, tmp_path / "first.safetensors")
    tiny = {"learning_rate": "1e-12", "steps": "1"}
    second = train(
        photos, tmp_path / "second.safetensors", "sample:gold", start=first.path, settings=tiny
    )
    kept = checkpoint.load(first.path).state
    for name, value in second.model.state.items():
        assert torch.allclose(value, kept[name], atol=1e-6)
    assert second.model.card["start"] == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_start_from_another_shape(photos, tmp_path):
    first = train(photos, tmp_path / "first.safetensors")
    with pytest.raises(InputError, match="has another shape"):
        train(photos, tmp_path / "b.safetensors", start=first.path, settings={"width": "8"})


def test_names(photos, tmp_path):
    trained = train(photos, tmp_path / "a.safetensors", names=["surf"])
    assert trained.model.styles == ("surf",)
    with pytest.raises(InputError, match="as many different names"):
        train(photos, tmp_path / "b.safetensors", names=["surf", "turf"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"output": "wave.jpg"}, "ends in .safetensors"),
        ({"content": None}, "give a folder as `content`"),
        ({"content": "nowhere"}, "nowhere"),
        ({"style": ()}, "learns one style, not 0: give one `style`"),
        ({"style": ["sample:wave", "sample:gold"]}, "learns one style, not 2"),
        ({"style": __file__}, "test_train.py"),
        ({"recipe": "gatys"}, "gatys cannot train"),
        ({"start": "nowhere.safetensors"}, "no such model"),
    ],
)
def test_bad_input(options, said, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"recipe": "johnson", "output": "x.safetensors", "style": "sample:wave"}
    given |= {"content": str(photos), "settings": SMALL} | options
    with pytest.raises(InputError, match=said):
        learning.train(given.pop("recipe"), given.pop("output"), **given)
    assert not (tmp_path / "x.safetensors").exists()
