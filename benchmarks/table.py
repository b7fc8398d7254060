"""Print the figures that have a target in one table, beside the matrix product's rate."""

from __future__ import annotations

import os
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures, processes
from benchmarks.figures import Found
from benchmarks.rate import describe_rates
from impasto.core.memory import keep_large_blocks

LESS = ("s", "MB", "times", "levels")  # units of which less is better

Measure = Callable[[], Sequence[Found]]


def targets() -> dict[str, dict[str, Any]]:
    """Return the targets and the values of the last release, by the names of figures."""
    return tomllib.loads(Path(__file__).with_name("targets.toml").read_text("utf-8"))


def show(names: Sequence[str], *, quick: bool) -> None:
    """Measure figures, all if there are no names, and print a row for each."""
    keep_large_blocks()
    known, begun = targets(), time.perf_counter()
    print(f"{describe_rates()}; load {os.getloadavg()[0]:.1f}\n")
    if quick:
        print("At small sizes, to check that everything runs: no figure means anything.\n")
    print("| | measured | share of the product | target | last release | reached |")
    print("|---|---|---|---|---|---|", flush=True)
    for several, measure in _measures(quick=quick):
        if names and not set(several) & set(names):
            continue
        for name, found in zip(several, measure(), strict=True):
            print(_row(known[name], found), flush=True)
    minutes = (time.perf_counter() - begun) / 60
    print(f"\n{minutes:.1f} minutes; {describe_rates()}; load {os.getloadavg()[0]:.1f}")


def _measures(*, quick: bool) -> Iterator[tuple[tuple[str, ...], Measure]]:
    """Yield the names of figures, and the function that measures them together."""
    side, crop = (128, 128) if quick else (512, 256)
    wide, narrow = ((72, 128), (48, 88)) if quick else ((720, 1280), (480, 854))
    yield ("starry-night",), lambda: [figures.starry_night(side)]
    yield ("narrow-720",), lambda: [figures.narrow(*wide)]
    yield ("narrow-480",), lambda: [figures.narrow(*narrow)]
    yield ("adain",), lambda: [figures.adain(side)]
    yield ("gatys",), lambda: [figures.gatys(side)]
    yield ("nnst-matching",), lambda: [figures.matching(side)]
    yield ("nnst-step",), lambda: [figures.nnst(side, split=False)]
    yield ("nnst-split",), lambda: [figures.nnst(side, split=True)]
    yield ("johnson",), lambda: [figures.johnson(crop)]
    yield ("start",), lambda: [processes.start(side)]
    yield ("avx2",), lambda: [processes.avx2(side)]
    yield ("light-start", "light-wheel", "light-installed"), lambda: _light(side)
    frames = 5 if quick else 40
    yield ("video", "flicker"), lambda: processes.video(frames, *narrow[::-1])
    yield ("beside",), lambda: [figures.beside(1 if quick else 8)]


def _light(side: int) -> list[Found]:
    with tempfile.TemporaryDirectory() as folder:
        light = processes.Light(folder)
        return [light.start(side), light.wheel(), light.installed()]


def _row(known: dict[str, Any], found: Found) -> str:
    unit, target, before = known["unit"], known.get("target"), known.get("release")
    if target is None:  # no worse than it was
        target = before
    reached = target is not None and (
        found.value <= target if unit in LESS else found.value >= target
    )
    value = "" if unit in ("%", *LESS) else f"{found.value:.1f} {unit}, "
    share = "" if found.share is None else f"{found.share:.0f} %"
    cells = ["" if one is None else f"{one:g} {unit}" for one in (target, before)]
    answer = "" if target is None else "yes" if reached else "no"
    return f"| {known['label']} | {value}{found.text} | {share} | {' | '.join(cells)} | {answer} |"
