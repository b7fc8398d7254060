"""``model:``, ``file:`` and ``sample:``: a style by its name, or by its path, whatever both are."""

from __future__ import annotations

import pytest
from skimage import data

from impasto.api.card import name_of
from impasto.api.inputs import read_image
from impasto.batch import styles
from impasto.cli import console, parsing
from impasto.errors import InputError
from impasto.image import Image, save
from impasto.methods.style import load_if_style
from impasto.models import zoo
from impasto.video import fingerprint

NAME = "starry-night"


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    """A picture that has the name of a style that a network has learned."""
    monkeypatch.chdir(tmp_path)
    save(Image.from_numpy(data.coffee()[:32, :24]), tmp_path / NAME, format="png")
    return tmp_path / NAME


def test_model_is_the_network_and_file_the_picture():
    assert zoo.find(NAME) is None, "a file there goes before a name"
    assert zoo.find(f"file:{NAME}") is None
    assert zoo.find(f"model:{NAME}").name == NAME
    assert read_image(f"file:{NAME}").size == read_image(NAME).size == (24, 32)
    assert zoo.model_of(f"model:{NAME}").stem == NAME


def test_files_of_models_and_styles_go_by_file_too():
    path = zoo.folder() / "starry-night.safetensors"
    assert zoo.find(f"file:{path}").path == path
    with pytest.raises(InputError, match=r"^x.style: no such style"):
        load_if_style("file:x.style")


def test_what_is_not_there_is_refused():
    with pytest.raises(InputError, match="no model 'nobody': give a name of 'impasto styles'"):
        zoo.find("model:nobody")
    with pytest.raises(InputError, match="is what a model has learned, no image"):
        read_image(f"model:{NAME}")
    with pytest.raises(InputError, match="nobody"):
        read_image("file:nobody")


def test_weights_stand_after_them():
    told = [f"model:{NAME}:0.5", "file:a.jpg:2", "sample:gold", "model:3"]
    assert parsing.split_weights(told) == (
        [f"model:{NAME}", "file:a.jpg", "sample:gold", "model:3"],
        [0.5, 2.0, 1.0, 1.0],
    )


def test_results_are_called_after_what_is_meant(beside):
    assert console.stem("file:b/photo.jpg") == "photo"
    assert console.stem(f"model:{NAME}") == NAME
    assert name_of("file:b/wave.jpg", beside) == "wave"
    with pytest.raises(InputError, match="is read as well"):
        console.output_path(beside.with_name("x.png"), "photo", _as_png(beside))


def _as_png(beside):
    beside.rename(beside.with_name("x.png"))
    return "file:x.png"


def test_jobs_keep_them(beside):
    network, picture = styles([f"model:{NAME}", f"file:{NAME}"])
    assert (network.source, network.label, network.digest) == (f"model:{NAME}", NAME, "")
    assert (picture.source, picture.label) == (str(beside), f"{NAME}-2")
    assert picture.digest
    assert fingerprint._style(f"file:{NAME}").startswith(str(beside))
    assert fingerprint._style(f"model:{NAME}") == f"model:{NAME}"
    with pytest.raises(InputError, match="no model"):
        styles(["model:nobody"])


def test_the_command_line_paints_with_the_one_that_is_meant(impasto):
    told = ("stylize", "sample:astronaut", "--size", "64", "-o", "out.png", "-s", f"model:{NAME}")
    assert impasto(*told).code == 0
    assert "NAME, sample:NAME and file:PATH" in " ".join(
        impasto("stylize", "--help").out.decode().replace("│", " ").split()
    )
