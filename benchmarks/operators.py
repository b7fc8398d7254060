"""Measure where the time of methods goes: the share of each kind of operator.

    python -m benchmarks.operators [SIDE [THREADS]]

The seconds are of the clock, as torch's profiler counts them for each operator
without the operators that it calls; other programs lengthen them. The rate of the matrix product,
measured in the same run, is what the convolutions could reach.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.rate import describe_rates
from impasto.api import load
from impasto.core.device import choose
from impasto.image import samples
from impasto.methods.optimization.gatys import Gatys, GatysConfig

# The first kind of which a part is in an operator's name, which torch chooses.
KINDS = {
    "convolutions": "conv mkldnn_reorder",
    "matrix products": "mm matmul linear",
    "norms and statistics": "norm mean var sum std",
    "padding and upsampling": "pad upsample interpolate",
    "pooling": "pool",
    "decompositions": "linalg eigh svd sort",
    "copies, casts and layouts": "copy clone contiguous cat empty fill",
    "elementwise": "relu threshold add mul sub div clamp lerp sqrt pow",
}


def main(side: int, threads: int) -> None:
    """Print the table of shares."""
    torch.set_num_threads(threads)
    print(f"{describe_rates()}\n")
    columns = {name: _shares(run) for name, run in _runs(side).items()}
    print(f"| {side}x{side}, {threads} threads | {' | '.join(columns)} |")
    print(f"|---|{'---|' * len(columns)}")
    print(f"| seconds | {' | '.join(f'{sum(c.values()):.2f}' for c in columns.values())} |")
    for kind in (*KINDS, "other"):
        cells = (f"{100 * c[kind] / sum(c.values()):.0f} %" for c in columns.values())
        print(f"| {kind} | {' | '.join(cells)} |")


def _runs(side: int) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; everything that is done once has been done."""
    photo = samples.load("astronaut").resized(side, side).rgb
    painting = samples.load("wave").resized(side, side).rgb
    runs: dict[str, Callable[[], object]] = {}
    for name in ("starry-night", "wheat-field-lite"):
        runs[name] = _network(name, photo)
    for name in ("adain", "wct"):
        runs[name] = _any_style(name, photo, painting)
    gatys = Gatys(GatysConfig(levels=1, steps=3), choose("cpu", "auto"))
    style = gatys.encode(painting)
    runs["gatys, 3 steps"] = lambda: gatys.stylize(photo, style)
    return runs


def _network(name: str, photo: Tensor) -> Callable[[], object]:
    method = load.load_model(name)
    return lambda: method.stylize(photo, method.own_style())


def _any_style(name: str, photo: Tensor, painting: Tensor) -> Callable[[], object]:
    method = load.get_method(name)
    style = method.encode(painting)
    return lambda: method.stylize(photo, style)


def _shares(run: Callable[[], object]) -> Counter[str]:
    """Return the seconds of each kind of operator, after one run that is not measured."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        run()
    seconds: Counter[str] = Counter()
    for event in recorded.key_averages():
        name = event.key.removeprefix("aten::").lower()
        kind = next(
            (k for k, parts in KINDS.items() if any(p in name for p in parts.split())), "other"
        )
        seconds[kind] += event.self_cpu_time_total / 1e6
    return seconds


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    main(*(*given, *(512, torch.get_num_threads())[len(given) :]))
