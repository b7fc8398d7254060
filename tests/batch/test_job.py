"""A job as data: text and back, what differs, and what is meant by a style."""

import dataclasses

import pytest

from batch_pictures import draw
from impasto.batch import Job, styles
from impasto.batch.job import JobStyle
from impasto.errors import InputError


def test_text_and_back(make):
    job = make(method="adain", settings={"a": "1", "steps": 3}, random=True, colors="match")
    again = Job.parse(job.json())
    assert again == job
    assert not again.differences(job)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', '{"format": 1, "x": 2}'])
def test_damaged_text(text):
    with pytest.raises(InputError, match="damaged, or of another version"):
        Job.parse(text)


def test_differences_are_told_in_words(make):
    before = make(size=16, settings={"steps": 3})
    assert before.differences(make(size=24, settings={"steps": 3})) == ["size was 16, is 24"]
    assert before.differences(make(size=16)) == ["--set steps was 3, is not given"]
    assert make(memory=1 << 30).differences(make(memory=1 << 20)) == []  # may change on the way
    assert make(runtime="onnx").differences(make()) == ["runtime was onnx, is torch"]
    (words,) = before.differences(make(["great-wave"], size=16, settings={"steps": 3}))
    assert words == "the styles are others, or their files have changed"


def test_every_kind_of_style(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("paintings/x.png", "paintings/in/x.jpg", "X.jpg"):
        draw(tmp_path / name)
    found = styles(["paintings", "X.jpg", "sample:wave", "starry-night"])
    assert [one.label for one in found] == ["x", "x-2", "X-3", "wave", "starry-night"]
    assert found[2].source == str(tmp_path / "X.jpg")
    assert [one.source for one in found[3:]] == ["sample:wave", "starry-night"]


def test_a_model_is_named_with_its_style(tmp_path, monkeypatch):
    from impasto.models import zoo

    monkeypatch.chdir(zoo.folder())
    (path,) = {one.path.name for one in zoo.shipped() if one.name == "adele"}
    (one,) = styles([f"{path}#adele"])
    assert one.label == "adele"
    assert one.source == f"{zoo.folder() / path}#adele"
    with pytest.raises(InputError, match="has no 'nobody'"):
        styles([f"{path}#nobody"])


def test_another_file_under_the_same_name_is_another_style(tmp_path):
    draw(tmp_path / "x.png", seed=1)
    before = styles([tmp_path / "x.png"])
    draw(tmp_path / "x.png", seed=2)
    assert styles([tmp_path / "x.png"]) != before


@pytest.mark.parametrize("name", ["nowhere.jpg", "no-style", "bricks"])
def test_what_is_no_style(name):
    with pytest.raises(InputError, match=r"no style|not for 'stylize'"):
        styles([name])


def test_what_no_job_can_be():
    with pytest.raises(InputError, match="no style given"):
        Job(folder="x", styles=())
    with pytest.raises(InputError, match=r"cannot write pictures that end in \.bmp"):
        Job(folder="x", styles=(JobStyle("wave", "wave"),), ending=".bmp")
    job = Job(folder="x", styles=(JobStyle("wave", "wave"),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.folder = "y"
