"""Measure the figures that have a target: shares of the matrix product's rate.

The operations are those of convolutions and matrix products, as torch counts them in a run of its
own. The rate is that of the format in which networks run, the mean of one measurement before the
task and one after it. Seconds are of the clock, and nothing else should run meanwhile; with one
thread they are of the processor. Figures of whole processes are in :mod:`benchmarks.processes`.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import objective, training
from benchmarks.rate import matrix_rate, seconds
from impasto.api import load
from impasto.core.device import choose
from impasto.image import samples
from impasto.methods.optimization.levels import Level, StyleImage
from impasto.methods.optimization.nnst import NNST
from impasto.methods.optimization.optimizer import SolverConfig, minimize
from impasto.methods.optimization.phases import Phase
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.nn.exporting import exporting
from impasto.training.data import open_source
from impasto.training.loop import train
from impasto.training.plan import Plan

REPEATS = 5
STEPS = 6  # of gatys and of training
NARROW = "wheat-field-lite"

Times = Callable[[], list[float]]  # seconds of single passes or steps


class Found(NamedTuple):
    """A figure: its value in the unit of its target, and what is printed beside it."""

    value: float
    text: str
    share: float | None = None  # of the matrix product's rate, in percent


def share(times: Times) -> Found:
    """Measure what share of the matrix product's rate a task reaches, in percent."""
    with exporting(), FlopCounterMode(display=False) as counter:  # plain convolutions
        counted = len(times())  # also the first, which is slower
    work = counter.get_total_flops() / counted
    dtype = choose("cpu").dtype
    before = matrix_rate(dtype)
    found = statistics.median(times())
    rate = 1e9 * (before + matrix_rate(dtype)) / 2
    reached = 100 * work / found / rate
    return Found(reached, f"{found:.3f} s, {work / 1e9:.0f} GFLOP", reached)


def rate(times: Times) -> Found:
    """Measure passes a second, and their share."""
    _, text, reached = share(times)
    frames = 1 / float(text.split()[0])
    return Found(frames, text, reached)


def starry_night(side: int) -> Found:
    """Measure one pass of a network of full width."""
    return share(_network("starry-night", side, side))


def narrow(height: int, width: int) -> Found:
    """Measure frames a second of the narrow network."""
    return rate(_network(NARROW, height, width))


def _network(name: str, height: int, width: int) -> Times:
    method, photo = load.load_model(name), samples.load("astronaut").resized(height, width).rgb
    return lambda: _passes(lambda: method.stylize(photo, method.own_style()))


def _passes(run: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(REPEATS):
        start = seconds()
        run()
        times.append(seconds() - start)
    return times


def adain(side: int) -> Found:
    """Measure a further photo in a style that is encoded."""
    method, (photo, painting) = load.get_method("adain"), _pictures(side)
    style = method.encode(painting)
    return share(lambda: _passes(lambda: method.stylize(photo, style)))


def _pictures(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    photo, painting = (samples.load(name).resized(side, side).rgb for name in ("astronaut", "wave"))
    return photo, painting


def gatys(side: int) -> Found:
    """Measure a step of L-BFGS on the objective of :mod:`benchmarks.objective`."""
    photo, painting = _pictures(side)
    loss = objective.objective(photo, painting, "auto")

    def steps() -> list[float]:
        stamps = [seconds()]
        config = SolverConfig(steps=STEPS)
        minimize(loss, photo, config, callback=lambda _: stamps.append(seconds()))
        return [later - one for one, later in pairwise(stamps)]

    return share(steps)


def johnson(crop: int) -> Found:
    """Measure a step of training; the first one includes the start."""
    with tempfile.TemporaryDirectory() as folder:
        training.photographs(folder)
        return share(lambda: _training(folder, crop))


def _training(folder: str, crop: int) -> list[float]:
    task = Johnson.task(JohnsonConfig(), [samples.load("swirls").rgb], choose())
    stamps = [seconds()]
    train(
        task,
        Plan(steps=STEPS, batch=training.BATCH, report_every=10**6),
        sources={"content": open_source(folder, crop, 1.4, True)},
        runtime=choose(),
        callback=lambda _: stamps.append(seconds()),
    )
    return [later - one for one, later in pairwise(stamps)]


def matching(side: int) -> Found:
    """Measure the match of hypercolumns of ``nnst`` at its finest scale."""
    method, level = _nnst(side)
    scale = method._scale(level)
    pool, light, owners = scale[1:4]
    with torch.no_grad():
        features = pool.encoder(level.content, method.config.layers)
        return share(lambda: _passes(lambda: pool.match(features, light, owners)))


def nnst(side: int, *, split: bool) -> Found:
    """Measure loss and gradient of a step of ``nnst``: matched once, or layers apart."""
    method, level = _nnst(side)
    content = level.content
    assert content is not None
    scale = method._scale(level)
    loss = method._objective(Phase(level, 1, split=split), scale, content, fresh=True)

    def step() -> None:
        image = content.clone().requires_grad_()
        loss(image)["total"].backward()

    return share(lambda: _passes(step))


def _nnst(side: int) -> tuple[NNST, Level]:
    method = load.get_method("nnst")
    assert isinstance(method, NNST)
    photo, painting = _pictures(side)
    return method, Level(side, side, photo, (StyleImage(painting, 1.0, None),))


def beside(steps: int) -> Found:
    """Measure how many times as long a step of training takes beside a busy process."""
    with tempfile.TemporaryDirectory() as folder:
        training.photographs(folder)
        slower = training.beside(folder, steps)
    return Found(slower, f"{slower:.1f} times as long")
