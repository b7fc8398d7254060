"""Jobs that people watch, stop, and forget."""

import threading
import time

import pytest
import torch

from impasto.core.progress import Progress
from impasto.errors import CancelledError, InputError
from impasto.studio import job_queue as desk_module
from impasto.studio.job_queue import JobQueue


def counting(steps, pause=0.01, seen=None):
    """Work that counts until it is stopped."""

    def work(_, callback):
        for step in range(1, steps + 1):
            progress = Progress(step, steps, preview=lambda: torch.full((1, 3, 900, 8), 0.5))
            callback(progress)
            if seen is not None:
                seen.append(step)
            if progress.cancelled:
                break
            time.sleep(pause)
        return step

    return work


def finish(running):
    """All reports of a job, and what became of it."""
    reports = []
    while True:
        try:
            reports.append(next(running))
        except StopIteration as end:
            return reports, end.value


def test_a_job_reports_and_returns():
    reports, done = finish(JobQueue().run("ada", counting(100)))
    assert done.result == 100
    assert not done.stopped
    assert any("step" in report.text and report.text.endswith(" s") for report in reports)
    shares = [report.fraction for report in reports]
    assert shares == sorted(shares)
    previews = [report.preview for report in reports if report.preview is not None]
    assert 1 <= len(previews) <= 4  # two a second
    assert previews[0].size == (7, 768)


@pytest.mark.slow
def test_the_time_left_is_said():
    reports, _ = finish(JobQueue().run("ada", counting(200)))
    assert any("about a moment left" in report.plain for report in reports)
    assert not any("left" in report.text for report in reports)  # programs have read this line


def test_a_silent_job_is_heard_of(monkeypatch):
    monkeypatch.setattr(desk_module, "REPORT_INTERVAL", 0.05)
    reports, done = finish(JobQueue().run("ada", lambda *_: time.sleep(0.4)))
    assert len(reports) >= 4
    assert done.result is None


def test_stopping_keeps_what_there_is():
    desk = JobQueue()
    running = desk.run("ada", counting(100_000))
    next(running)
    assert not desk.stop("bob")
    assert desk.stop("ada")
    _, done = finish(running)
    assert done.stopped
    assert 0 < done.result < 100_000
    assert len(desk) == 0


def test_who_walks_away_frees_the_place():
    desk, seen = JobQueue(), []
    running = desk.run("ada", counting(100_000, seen=seen))
    next(running)
    running.close()
    _, done = finish(desk.run("bob", counting(3)))
    assert done.result == 3
    assert len(seen) < 100_000
    assert len(desk) == 0


def test_a_job_that_nobody_asks_about_stops(monkeypatch):
    monkeypatch.setattr(desk_module, "WATCHER_TIMEOUT", 0.1)
    desk = JobQueue()
    running = desk.run("ada", counting(100_000, pause=0.005))
    next(running)
    time.sleep(0.5)  # nobody calls next(), nobody closes
    _, done = finish(desk.run("bob", lambda *_: "mine"))
    assert done.result == "mine"


def test_a_job_that_takes_too_long_stops_and_is_kept():
    _, done = finish(JobQueue(longest=0.2).run("ada", counting(100_000)))
    assert done.stopped
    assert 0 < done.result < 100_000
    assert done.seconds < 5


def test_jobs_wait_for_a_place_and_one_more_place_is_enough():
    for places, together in ((1, 1), (2, 2)):
        desk, now, most, lock = JobQueue(places), [0], [0], threading.Lock()

        def work(_, __, now=now, most=most, lock=lock):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.1)
            with lock:
                now[0] -= 1

        threads = [
            threading.Thread(target=finish, args=(desk.run(name, work),)) for name in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most[0] == together


def test_stopped_before_it_began():
    desk = JobQueue()
    first = desk.run("ada", counting(100_000))
    next(first)
    second = desk.run("bob", counting(3))
    assert "waiting" in next(second).text
    desk.stop("bob")
    with pytest.raises(CancelledError):
        finish(second)
    first.close()


def test_another_job_of_the_same_page_takes_over():
    desk = JobQueue()
    first = desk.run("ada", counting(100_000))
    next(first)
    second = desk.run("ada", counting(3))
    threading.Thread(target=finish, args=(first,)).start()
    assert finish(second)[1].result == 3


def test_errors_come_through_and_free_the_place():
    desk = JobQueue()

    def fails(*_):
        raise InputError("no such thing")

    with pytest.raises(InputError, match="no such thing"):
        finish(desk.run("ada", fails))
    assert finish(desk.run("ada", lambda *_: 1))[1].result == 1


def test_closing_the_desk_stops_all():
    desk = JobQueue(2)
    jobs = [desk.run(name, counting(100_000)) for name in "ab"]
    for job in jobs:
        next(job)
    desk.close()
    assert all(finish(job)[1].stopped for job in jobs)


def test_a_bench_keeps_few_kinds_of_brushes():
    bench = desk_module.MethodCache()
    first = bench.resolver(None, "fast", {})
    assert bench.resolver(None, "fast", {}) is first
    for step in range(3):
        bench.resolver("gatys", None, {"steps": str(step)})
    assert bench.resolver(None, "fast", {}) is not first
