"""The log: lines of JSON, none twice."""

import errno
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from impasto.errors import ImpastoError, MissingExtraError
from impasto.training.log import Log


def write(folder, first, last, picture=lambda: None):
    with Log(folder, first) as log:
        for step in range(first + 1, last + 1):
            log.report(step, {"total": 1 / step, "first": float(first)}, picture)


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_lines(tmp_path):
    write(tmp_path, 0, 2)
    assert lines(tmp_path) == [
        {"step": 1, "total": 1.0, "first": 0.0},
        {"step": 2, "total": 0.5, "first": 0.0},
    ]


def test_going_on_from_an_earlier_step_forgets_the_later_ones(tmp_path):
    write(tmp_path, 0, 5)
    write(tmp_path, 3, 6)
    assert [(line["step"], line["first"]) for line in lines(tmp_path)] == [
        *((step, 0.0) for step in (1, 2, 3)),
        *((step, 3.0) for step in (4, 5, 6)),
    ]
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss/first")] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in board.Scalars("loss/first")] == [0, 0, 0, 3, 3, 3]


def test_going_on_from_the_last_step_keeps_all(tmp_path):
    write(tmp_path, 0, 3)
    write(tmp_path, 3, 4)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]


def test_a_new_training_begins_a_new_log(tmp_path):
    write(tmp_path, 0, 5)
    write(tmp_path, 0, 1)
    assert [line["step"] for line in lines(tmp_path)] == [1]


def test_half_a_line_is_dropped(tmp_path):
    for half in ('{"step": 3, "tot', '{"step": 3}', "[]\n", "\n"):
        (tmp_path / "log.jsonl").write_text('{"step": 2}\n' + half)
        write(tmp_path, 3, 4)
        assert [line["step"] for line in lines(tmp_path)] == [2, 4]


def test_samples_are_shown_where_there_are_any(tmp_path):
    write(tmp_path / "with", 0, 1, lambda: torch.rand(1, 3, 4, 6))
    write(tmp_path / "without", 0, 1)
    for name, tags in (("with", ["sample"]), ("without", [])):
        board = EventAccumulator(str(tmp_path / name / "tensorboard"))
        board.Reload()
        assert board.Tags()["images"] == tags


def test_without_a_folder_nothing_is_asked_for():
    write(None, 0, 1, picture=lambda: pytest.fail("rendered for nobody"))


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Log(tmp_path) as log:
        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(ImpastoError, match=r"could not write the log.*No space left"):
            log.report(1, {"total": 1.0}, lambda: None)


def test_without_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(MissingExtraError, match=r"training needs .*impasto\[train\]"),
        Log(tmp_path),
    ):
        pass
