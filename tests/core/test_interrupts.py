"""Signals: Ctrl-C, those of a system that shuts down, and a terminal that closes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from helpers import fresh_johnson
from impasto.batch import local
from impasto.batch.worker import Worker
from impasto.core import interrupts
from impasto.models import checkpoint
from impasto.training.learner import Learner
from impasto.video.frame_stylizer import FrameStylizer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDLESS = (
    *("--method", "gatys", "--steps", "100000", "--set", "content_layers=relu2_1"),
    *("--set", "style_layers=relu1_1,relu2_1", "--set", "style_weights=1,1"),
)
# the first terminal that a new session opens is its own
IN_TERMINAL = "import os, sys; os.open(sys.argv[1], os.O_RDWR); os.execv(sys.argv[2], sys.argv[2:])"


@pytest.fixture(autouse=True)
def heeding():
    """Heed SIGHUP also where the tests run under nohup, which ignores it; children inherit that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def draw(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((64, 48), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def command(tmp_path):
    """A painting that never ends, in a folder of its own."""
    photo, painting = draw(tmp_path / "photo.png"), draw(tmp_path / "painting.png", 1)
    words = [sys.executable, "-m", "impasto", "stylize", str(photo), "-s", str(painting), *ENDLESS]
    return [*words, "-o", str(tmp_path / "out.png")]


@pytest.mark.slow
def test_the_picture_is_kept(command, tmp_path):
    """At SIGTERM by a process of its own; SIGHUP below, and Ctrl-C among the command line's."""
    with subprocess.Popen(
        [*command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert json.loads(process.stdout.readline())["step"] == 1
        process.send_signal(signal.SIGTERM)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert err == f"impasto: cancelled; the result so far is in {tmp_path / 'out.png'}\n"
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()
        assert picture.size == (64, 48)


@pytest.mark.slow
def test_the_picture_is_kept_where_the_terminal_closes(command, tmp_path):
    ours, its = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, os.ttyname(its), *command, "--save-every", "1"],
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as process:
        os.close(its)
        os.set_blocking(ours, False)
        until = time.monotonic() + 120
        while not (tmp_path / "out-00002.png").exists() and time.monotonic() < until:
            try:
                os.read(ours, 1 << 16)  # or the bar waits for somebody who reads it
            except BlockingIOError:
                time.sleep(0.05)
        os.close(ours)
        assert process.wait(timeout=60) == 130
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with interrupts.signals_as_interrupt():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def network(tmp_path):
    """A network of johnson's that has learned nothing."""
    return fresh_johnson(tmp_path / "none.safetensors", "none")


def after(count, number, call):
    """A function that is called as another is, and gets a signal at one of the calls."""
    calls = []

    def wrapped(*arguments, **options):
        calls.append(0)
        if len(calls) == count:
            signal.raise_signal(number)
        return call(*arguments, **options)

    return wrapped


@pytest.mark.parametrize("number", ALL)
def test_batch_keeps_what_is_finished_and_goes_on(impasto, tmp_path, network, monkeypatch, number):
    def paint(job, out, items, workers):
        yield from map(after(3, number, Worker(job, out).paint), items)

    monkeypatch.setattr(local, "paint", paint)
    for name in range(4):
        draw(tmp_path / "in" / f"{name}.png", name)
    line = ("batch", tmp_path / "in", "-s", network, "-o", tmp_path / "out", "--size", 32)
    done = impasto(*line)
    assert done.code == 130
    assert "the same command resumes" in done.err
    again = impasto(*line)
    assert (again.code, "2 pictures (2 more were there)" in again.err) == (0, True)


@pytest.mark.parametrize("number", ALL)
def test_video_keeps_its_frames_and_goes_on(impasto, tmp_path, network, monkeypatch, number):
    for name in range(4):
        draw(tmp_path / "in" / f"{name}.png", name)
    line = ("video", tmp_path / "in", tmp_path / "out", "-s", network, "--size", 32)
    with monkeypatch.context() as patch:
        patch.setattr(FrameStylizer, "frame", after(3, number, FrameStylizer.frame))
        done = impasto(*line)
    assert done.code == 130
    assert "the same command resumes" in done.err
    again = impasto(*line)
    assert (again.code, "(2 more were there)" in again.err) == (0, True), again.err


def test_train_keeps_its_checkpoint_and_goes_on(impasto, tmp_path, monkeypatch):
    draw(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "notes.txt").write_text("dear diary")
    small = ("batch=1", "crop=32", "width=4", "blocks=1", "workers=0", "style_size=48")
    small += ("style_layers=relu1_1", "content_layer=relu1_1")
    line = ["train", "johnson", "-s", "sample:wave", "--content", tmp_path / "photos"]
    line += ["-o", "w.safetensors", "--steps", 4]
    line += [word for pair in small for word in ("--set", pair)]
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", after(2, signal.SIGTERM, Learner.step))
        done = impasto(*line)
    assert done.code == 130
    assert "cancelled; the checkpoint is kept, and the same command resumes" in done.err
    assert (tmp_path / "w.training" / "checkpoint.pt").is_file()
    assert checkpoint.load("w.safetensors").card["steps"] == 2
    again = impasto(*line)
    assert again.code == 0, again.err
    assert checkpoint.load("w.safetensors").card["steps"] == 4
    assert "passed over: 1 x text file" in again.err
