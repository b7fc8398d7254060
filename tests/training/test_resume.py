"""A run that was broken off goes on as if it had not been."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import toy
from impasto.errors import InputError
from impasto.training import checkpoint
from impasto.training.data import Source, image_paths
from impasto.training.loop import train
from impasto.training.plan import Plan

# Neither divides the other, so that a checkpoint falls between two reports.
NUMBERS = {"steps": 30, "learning_rate": 0.02, "report_every": 4, "checkpoint_every": 5, "ema": 0.9}

# of this file, of what it imports, and wherever the package was found
PLACES = os.pathsep.join([*map(str, Path(__file__).parents[:2]), os.environ.get("PYTHONPATH", "")])


def run(photos, folder, stop=None, **numbers):
    """The toy with noise, stopped by a callback at some step."""
    return train(
        toy.Invert(noise=0.1),
        Plan(**NUMBERS | {"workers": 0} | numbers),
        sources={"content": Source(image_paths(photos), crop=8)},
        runtime=toy.RUNTIME,
        folder=folder,
        callback=lambda progress: stop and stop(progress),
    )


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def assert_same(whole, broken):
    for name, weight in whole.module.state_dict().items():
        assert torch.equal(weight, broken.module.state_dict()[name])
    assert whole.losses == broken.losses
    assert (whole.steps, whole.pictures) == (broken.steps, broken.pictures)


@pytest.mark.slow
def test_cancelled_and_gone_on_equals_unbroken(tmp_path, folder):
    whole = run(folder, tmp_path / "whole")
    for step in (3, 12, 29):
        run(folder, tmp_path / "broken", lambda p, at=step: p.step == at and p.cancel())
    broken = run(folder, tmp_path / "broken")
    assert_same(whole, broken)
    assert lines(tmp_path / "whole") == lines(tmp_path / "broken")


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from test_resume import run

torch.set_num_threads(int(sys.argv[3]))

def kill(progress):
    if progress.step == 23:
        os.kill(os.getpid(), signal.SIGKILL)

run(Path(sys.argv[1]), Path(sys.argv[2]), kill, workers=1)
"""


@pytest.mark.slow
def test_killed_and_gone_on_equals_unbroken(tmp_path, folder):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    command = [sys.executable, script, folder, tmp_path / "broken", str(torch.get_num_threads())]
    here = {**os.environ, "PYTHONPATH": PLACES}
    killed = subprocess.run([str(word) for word in command], env=here, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert checkpoint.load(tmp_path / "broken" / "checkpoint.pt")["step"] == 20
    whole = run(folder, tmp_path / "whole")
    broken = run(folder, tmp_path / "broken")
    assert_same(whole, broken)
    assert lines(tmp_path / "whole") == lines(tmp_path / "broken")


def test_a_finished_run_is_left_as_it_is(tmp_path, folder):
    first = run(folder, tmp_path / "run")
    again = run(folder, tmp_path / "run", lambda _: pytest.fail("took a step"))
    assert_same(first, again)
    assert again.finished


@pytest.mark.slow
def test_a_longer_plan_goes_on(tmp_path, folder):
    run(folder, tmp_path / "run", steps=10)
    longer = run(folder, tmp_path / "run")
    whole = run(folder, None)
    assert torch.equal(longer.module.weight, whole.module.weight)


@pytest.mark.slow
def test_anew_where_that_is_asked_for(tmp_path, folder):
    whole = run(folder, tmp_path / "run")
    anew = train(
        toy.Invert(noise=0.1),
        Plan(**NUMBERS, workers=0),
        sources={"content": Source(image_paths(folder), crop=8)},
        runtime=toy.RUNTIME,
        folder=tmp_path / "run",
        resume=False,
    )
    assert_same(whole, anew)
    assert [line["step"] for line in lines(tmp_path / "run")] == [4, 8, 12, 16, 20, 24, 28, 30]


def test_what_was_skipped_stays_counted(tmp_path, folder):
    broken = folder / "broken.png"
    broken.write_text("broken")
    run(folder, tmp_path / "run", steps=10)
    broken.unlink()
    assert run(folder, tmp_path / "run").skipped == (str(broken),)


def test_a_checkpoint_of_another_training_is_refused(tmp_path, folder):
    run(folder, tmp_path / "run", steps=5)
    with pytest.raises(InputError, match="begun with seed 0"):
        run(folder, tmp_path / "run", seed=1)
    with pytest.raises(InputError, match="another training"):
        train(toy.Remember([1.0]), Plan(steps=1), runtime=toy.RUNTIME, folder=tmp_path / "run")
    run(folder, tmp_path / "mean", steps=5, ema=0.0)
    with pytest.raises(InputError, match="another training"):
        run(folder, tmp_path / "mean")
    with pytest.raises(InputError, match="another training"):
        run(folder, tmp_path / "run", ema=0.0)


def test_a_damaged_checkpoint_is_refused(tmp_path, folder):
    run(folder, tmp_path, steps=5)
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(InputError, match="delete it to start anew"):
        run(folder, tmp_path)
