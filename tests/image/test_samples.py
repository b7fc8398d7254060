"""The sample pictures: there, the same every time, and without a network."""

from __future__ import annotations

import socket

import pytest
import torch

from impasto.errors import InputError
from impasto.image import Image, samples


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def check(picture: Image) -> None:
    assert picture.rgb.dtype == torch.float32
    assert picture.alpha is None
    assert picture.rgb.min() >= 0
    assert picture.rgb.max() <= 1
    assert picture.rgb.std() > 0.05


@pytest.mark.parametrize("name", samples.PHOTOS)
def test_photo(name: str) -> None:
    picture = samples.photo(name)
    check(picture)
    assert min(picture.size) >= 300
    assert torch.equal(picture.rgb, samples.load(name).rgb)


@pytest.mark.parametrize("name", samples.TEXTURES)
def test_texture(name: str) -> None:
    picture = samples.texture(name)
    check(picture)
    assert picture.size == (512, 512)
    assert torch.equal(picture.rgb, samples.load(f"sample:{name}").rgb)


@pytest.mark.parametrize("name", samples.PAINTINGS)
def test_painting_has_the_size_that_is_asked(name: str) -> None:
    drawn = samples.painting(name, 160)
    check(drawn)
    assert drawn.size == (160, 160)


@pytest.mark.parametrize("name", samples.PAINTINGS)
def test_painting_has_something_at_every_scale(name: str) -> None:
    grey = samples.painting(name, 256).rgb.mean(1, keepdim=True)
    for _ in range(5):  # halve again and again: each octave carries its share
        coarse = torch.nn.functional.avg_pool2d(grey, 2)
        detail = grey - torch.nn.functional.interpolate(coarse, scale_factor=2.0)
        assert detail.std() > 0.02
        grey = coarse


def test_names_are_unique_and_complete() -> None:
    names = samples.names()
    assert len(set(names)) == len(names)
    assert set(names) == {*samples.PHOTOS, *samples.PAINTINGS, *samples.TEXTURES}


def test_load_paints_at_the_usual_size() -> None:
    assert samples.load("sample:wave").size == (768, 768)


@pytest.mark.parametrize("get", [samples.photo, samples.painting, samples.texture, samples.load])
def test_unknown_name_lists_the_known(get: object) -> None:
    assert callable(get)
    known = {
        samples.photo: "chelsea",
        samples.painting: "swirls",
        samples.texture: "gravel",
        samples.load: "astronaut, .*swirls, .*gravel",
    }[get]
    with pytest.raises(InputError, match=f"'nothing'.*{known}"):
        get("nothing")


@pytest.mark.parametrize("size", [0, 127, 4097])
def test_size_out_of_range(size: int) -> None:
    with pytest.raises(InputError, match="128 to 4096"):
        samples.painting("ink", size)
