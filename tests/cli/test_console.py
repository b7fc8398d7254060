"""What the command line needs of a terminal, without the commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from impasto.cli import console
from impasto.core.progress import Progress
from impasto.errors import CancelledError, DivergedError, InputError
from impasto.image import Image


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("photo", "suffix", "name"),
    [
        ("dir/photo.jpg", "art/night.webp", "photo-night.png"),
        ("sample:astronaut", "sample:swirls", "astronaut-swirls.png"),
        ("-", "texture", "picture-texture.png"),
        ("two.dots.png", "inverted", "two.dots-inverted.png"),
    ],
)
def test_target_without_a_name(photo, suffix, name):
    assert console.output_path(None, photo, suffix) == Path(name)


def test_target_is_checked():
    assert console.output_path(Path("out.jpg"), "photo.png", "x") == Path("out.jpg")
    assert os.listdir() == []
    with pytest.raises(InputError, match="does not exist"):
        console.output_path(Path("nowhere/out.png"), "photo.png", "x")


def picture(height=4, width=6):
    return Image(torch.full((1, 3, height, width), 0.5))


def test_job_tells_listeners_and_writes(capsys):
    with console.run_image_job(Path("out.png"), save_every=2) as job:
        for step in (1, 2, 3):
            job.callback(Progress(step, 3, preview=lambda: picture().rgb))
        job.finish(picture())
    assert sorted(os.listdir()) == ["out-00002.png", "out.png"]
    assert job.last.step == 3
    assert capsys.readouterr().err.startswith("out.png  6x4  ")


def test_previews_cost_nothing_between():
    def never():
        raise AssertionError

    with console.run_image_job(Path("out.png"), save_every=5) as job:
        job.callback(Progress(1, 9, preview=never))
        job.callback(Progress(5, 9))  # a job that has no picture to show


def test_job_without_saving_writes_nothing():
    with console.run_image_job(Path("out.png")) as job:
        job.callback(Progress(1, 2, preview=lambda: picture().rgb))
    assert os.listdir() == []


def test_broken_run_keeps_its_last_good_picture():
    with (
        pytest.raises(DivergedError, match=r"^ran away; the last good .* out-last-good\.jpg$"),
        console.run_image_job(Path("out.jpg")),
    ):
        raise DivergedError("ran away", picture().rgb)
    assert os.listdir() == ["out-last-good.jpg"]


@pytest.mark.parametrize(("target", "image"), [("-", picture().rgb), ("out.png", None)])
def test_broken_run_with_nothing_to_keep(target, image):
    with pytest.raises(DivergedError, match=r"^ran away$"), console.run_image_job(Path(target)):
        raise DivergedError("ran away", image)
    assert os.listdir() == []


def test_cancelled_error_keeps_its_exit_code():
    with pytest.raises(CancelledError) as caught, console.run_image_job(Path("out.png")):
        raise CancelledError("stopped")
    assert caught.value.exit_code == 130


def test_bar_only_on_a_terminal(capsys):
    with console.progress_bar(quiet=False) as callback:
        callback(Progress(1, 2, {"total": 3.0}))
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with console.progress_bar(quiet=False) as callback:
        callback(Progress(1, 2, {"total": 3.0}, stage="level 1 of 2"))
        callback(Progress(2, 2))
    out, err = capsys.readouterr()
    assert out == ""
    assert "level 1 of 2" in err or "working" in err


def test_quiet_beats_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with console.progress_bar(quiet=True) as callback:
        callback(Progress(1, 2))
    assert capsys.readouterr().err == ""


def test_no_cell_of_a_table_is_cut(capsys):
    long = "/".join(str(n) for n in range(100))
    console.table(("name", "what"), [(long, "x" * 200)])
    out = capsys.readouterr().out
    assert "…" not in out
    assert out.count("x") == 200


def test_table(capsys):
    console.table(("name", "what"), [("gatys", "paints"), ("mmd", "paints too")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == ["name", "what"]
    assert lines[-1] == ["mmd", "paints", "too"]
