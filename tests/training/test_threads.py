"""The number of threads follows what the machine is busy with."""

import json

import pytest
import torch

import toy
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.threads import STEPS_BETWEEN_TRIALS, WINDOW, Threads, computing


def count(threads, seconds, windows=1):
    for _ in range(windows * WINDOW):
        threads.record(seconds)


def test_a_busy_machine_takes_threads_away_and_gives_them_back():
    threads = Threads(4)
    count(threads, 1.0)
    count(threads, 2.4)
    assert (threads.number, threads.reduced) == (4, False)
    count(threads, 2.6)
    assert (threads.number, threads.reduced) == (2, True)
    count(threads, 1.8, STEPS_BETWEEN_TRIALS)
    assert threads.number == 4
    count(threads, 1.0)
    assert threads.number == 4


def test_a_machine_that_stays_busy_is_asked_less_often():
    threads = Threads(2)
    count(threads, 1.0)
    count(threads, 9.0)
    count(threads, 1.8, STEPS_BETWEEN_TRIALS)
    assert threads.number == 2
    count(threads, 9.0)
    count(threads, 1.8, STEPS_BETWEEN_TRIALS)
    assert threads.number == 1
    count(threads, 1.8, STEPS_BETWEEN_TRIALS)
    assert threads.number == 2


@pytest.mark.parametrize("threads", [Threads(2, fixed=True), Threads(1)])
def test_a_fixed_number_stays(threads):
    before = threads.number
    count(threads, 1.0)
    count(threads, 100.0, 3)
    assert threads.number == before


def test_the_number_is_put_back():
    before = torch.get_num_threads()
    with computing(before + 1) as threads:
        assert torch.get_num_threads() == threads.number == before + 1
    assert torch.get_num_threads() == before


def test_log_and_result_tell_the_number(tmp_path, source):
    result = train(
        toy.Invert(),
        Plan(steps=2, batch=1, report_every=1, workers=0),
        sources={"content": source},
        runtime=toy.RUNTIME,
        folder=tmp_path,
        threads=1,
    )
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["threads"] for line in lines] == [1, 1]
    assert result.threads == 1
