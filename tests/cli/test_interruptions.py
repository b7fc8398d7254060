"""Runs that end early: divergence, full memory, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
import torch
from PIL import Image

from helpers import QUICK, SHALLOW
from impasto.losses.objective import Objective


@pytest.fixture
def runaway(monkeypatch):
    """runaway(n): the objective gives NaN from its n-th evaluation on."""

    def break_after(count):
        seen, whole = [], Objective.__call__

        def call(self, image):
            seen.append(1)
            losses = whole(self, image)
            if len(seen) < count:
                return losses
            return {**losses, "total": losses["total"] * torch.nan}

        monkeypatch.setattr(Objective, "__call__", call)

    return break_after


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 160])  # 160 px has a coarser level, where it breaks
def test_runaway_keeps_the_last_good_picture(size, impasto, shelf, tmp_path, runaway):
    runaway(3)
    done = impasto(
        *("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "-o", "out.png"),
        *("--steps", "6", "--size", size, *SHALLOW),
    )
    assert done.code == 1
    assert done.err.startswith("impasto: the loss ran away")
    assert "out-last-good.png" in done.err
    assert done.err.count("\n") == 1
    assert os.listdir(tmp_path) == ["out-last-good.png"]
    assert Image.open(tmp_path / "out-last-good.png").size == (size, size * 3 // 4)


def test_runaway_at_once_keeps_nothing(impasto, shelf, tmp_path, runaway):
    runaway(1)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)
    assert (done.code, os.listdir(tmp_path)) == (1, [])
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to")],
)
def test_too_little_memory_is_one_line(error, impasto, shelf, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(Objective, "__call__", fail)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)
    assert done.code == 1
    assert done.err == "impasto: not enough memory for this: try a smaller --size\n"


def test_a_mistake_of_ours_is_not_hidden(impasto, shelf, monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Objective, "__call__", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_control_c_keeps_what_there_is(impasto, shelf, tmp_path, monkeypatch):
    whole, calls = Objective.__call__, []

    def interrupted(self, image):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(self, image)

    monkeypatch.setattr(Objective, "__call__", interrupted)
    line = ("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "--json", *SHALLOW)
    done = impasto(*line, "-o", "out.png", "--steps", "5000")
    assert done.code == 130
    assert done.err == "impasto: cancelled; the result so far is in out.png\n"
    assert json.loads(done.out.splitlines()[-1])["cancelled"] is True
    assert os.listdir(tmp_path) == ["out.png"]
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()
        assert picture.size == (64, 48)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_second_control_c_writes_nothing(impasto, shelf, tmp_path, monkeypatch):
    whole = Objective.__call__

    def interrupted_twice(self, image):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return whole(self, image)

    monkeypatch.setattr(Objective, "__call__", interrupted_twice)
    before = signal.getsignal(signal.SIGINT)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)
    assert (done.code, done.err) == (130, "impasto: cancelled, nothing written\n")
    assert os.listdir(tmp_path) == []
    assert signal.getsignal(signal.SIGINT) is before
