"""What a long job reports, and how it is cancelled."""

import torch

from impasto.core.progress import Progress, chain, silent


def job(callback, steps=10):
    """A job as the package writes them: it keeps what it has when it is cancelled."""
    done = 0
    for step in range(1, steps + 1):
        done = step
        progress = Progress(step, steps, {"total": 1 / step}, preview=lambda: torch.zeros(1))
        callback(progress)
        if progress.cancelled:
            break
    return done


def test_defaults():
    progress = Progress(1, 2)
    assert (progress.losses, progress.stage, progress.preview) == ({}, "", None)
    assert not progress.cancelled
    assert Progress(1, 2).losses is not progress.losses


def test_silent_lets_a_job_end():
    assert job(silent) == 10


def test_cancelling_stops_after_the_step():
    assert job(lambda progress: progress.step == 4 and progress.cancel()) == 4


def test_listeners_are_called_in_order_with_the_same_report():
    heard = []
    callback = chain(
        lambda progress: heard.append(("first", progress)),
        None,
        lambda progress: heard.append(("second", progress)),
    )
    progress = Progress(3, 10)
    callback(progress)
    assert [name for name, _ in heard] == ["first", "second"]
    assert all(report is progress for _, report in heard)


def test_any_listener_can_cancel_and_the_others_still_hear_of_it():
    heard = []
    callback = chain(
        lambda progress: progress.step == 2 and progress.cancel(),
        lambda progress: heard.append((progress.step, progress.cancelled)),
    )
    assert job(callback) == 2
    assert heard == [(1, False), (2, True)]


def test_a_chain_of_nobody_is_silent():
    assert job(chain()) == 10
    assert job(chain(None, None)) == 10


def test_chains_can_be_chained():
    heard = []
    inner = chain(lambda progress: heard.append(progress.step))
    assert job(chain(inner, chain(inner)), steps=2) == 2
    assert heard == [1, 1, 2, 2]
