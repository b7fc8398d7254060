"""Measure what share of the matrix product's rate five tasks reach, each against its target.

    python -m benchmarks.shares [THREADS]

The operations are those of convolutions and matrix products, as torch counts them in a run of its
own. The rate is that of the format in which the network runs, the mean of one measurement before
the task and one after it. Seconds are of the clock: nothing else should run meanwhile.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import objective, training
from benchmarks.rate import describe_rates, matrix_rate
from impasto.api import load
from impasto.core.device import choose
from impasto.core.memory import keep_large_blocks
from impasto.image import samples
from impasto.methods.optimization.optimizer import SolverConfig, minimize
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.training.data import open_source
from impasto.training.loop import train
from impasto.training.plan import Plan

REPEATS = 5
STEPS = 6  # of gatys and of training

Times = Callable[[], list[float]]  # seconds of single passes or steps


class Task(NamedTuple):
    """A task: its target is a share of the rate, or passes a second where it is above 1."""

    name: str
    times: Times
    target: float


def main(threads: int) -> None:
    """Print a row for each task."""
    torch.set_num_threads(threads)
    keep_large_blocks()
    print(f"{describe_rates()}\n")
    print(
        "| | seconds | a second | GFLOP | GFLOP/s | share | target |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        training.photographs(folder)
        for name, times, target in _tasks(folder):
            print(_row(name, times, target), flush=True)


def _tasks(folder: str) -> list[Task]:
    return [
        Task("starry-night, 512x512", _network("starry-night", 512, 512), 0.5),
        Task("wheat-field-lite, 1280x720", _network("wheat-field-lite", 720, 1280), 12),
        Task("adain, 512x512, a further photo", _adain(512), 0.7),
        Task("gatys, 512x512, a step", _gatys(512), 0.6),
        Task("johnson, training, a step", lambda: _training(folder), 0.5),
    ]


def _row(name: str, times: Times, target: float) -> str:
    with FlopCounterMode(display=False) as counter:
        counted = len(times())  # also the first, which is slower
    work = counter.get_total_flops() / 1e9 / counted
    dtype = choose("cpu").dtype
    before = matrix_rate(dtype)
    found = times()
    rate = (before + matrix_rate(dtype)) / 2
    seconds = statistics.median(found)
    goal = f"{100 * target:.0f} %" if target < 1 else f"{target:.0f} a second"
    return (
        f"| {name} | {seconds:.3f} | {1 / seconds:.1f} | {work:.0f} | {work / seconds:.0f} "
        f"| {100 * work / seconds / rate:.0f} % | {goal} |"
    )


def _passes(run: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def _network(name: str, height: int, width: int) -> Times:
    method, photo = load.load_model(name), samples.load("astronaut").resized(height, width).rgb
    return lambda: _passes(lambda: method.stylize(photo, method.own_style()))


def _adain(side: int) -> Times:
    method, photo = load.get_method("adain"), samples.load("astronaut").resized(side, side).rgb
    style = method.encode(samples.load("wave").resized(side, side).rgb)
    return lambda: _passes(lambda: method.stylize(photo, style))


def _gatys(side: int) -> Times:
    """Return the seconds of steps of L-BFGS on the objective of :mod:`benchmarks.objective`."""
    photo, painting = (samples.load(name).resized(side, side).rgb for name in ("astronaut", "wave"))
    loss = objective.objective(photo, painting, "auto")

    def steps() -> list[float]:
        stamps = [time.perf_counter()]
        minimize(
            loss,
            photo,
            SolverConfig(steps=STEPS),
            callback=lambda _: stamps.append(time.perf_counter()),
        )
        return [later - one for one, later in pairwise(stamps)]

    return steps


def _training(folder: str) -> list[float]:
    """Return the seconds of steps of training ``johnson``; the first one includes the start."""
    task = Johnson.task(JohnsonConfig(), [samples.load("swirls").rgb], choose())
    stamps = [time.perf_counter()]
    train(
        task,
        Plan(steps=STEPS, batch=training.BATCH, report_every=10**6),
        sources={"content": open_source(folder, training.CROP, 1.4, True)},
        runtime=choose(),
        callback=lambda _: stamps.append(time.perf_counter()),
    )
    return [later - one for one, later in pairwise(stamps)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else torch.get_num_threads())
