"""Measure one pass of shipped networks in PyTorch, ONNX Runtime and OpenVINO, in turns.

    python -m benchmarks.runtimes [THREADS] [NETWORK ...]

Networks are exported when they are first needed. Seconds are of the processor, which other
programs change little when there is one thread; seconds of the clock stand beside them.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import dataclass, field

import torch

from impasto.api import load
from impasto.image import samples
from impasto.methods.base import Method
from impasto.methods.style import Style

ROUNDS = 3
RUNTIMES = ("torch", "onnxruntime", "openvino")
SIZES = {"starry-night": (512, 512), "wheat-field-lite": (720, 1280), "adain": (512, 512)}


@dataclass
class Times:
    """Seconds of each run: of the processor (all threads together), and of the clock."""

    processor: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)


def main(threads: int, names: list[str]) -> None:
    """Print the medians of each network in each runtime, after one run that is not timed."""
    torch.set_num_threads(threads)
    for name in names:
        content = samples.load("astronaut").resized(*SIZES[name]).rgb
        opened = {runtime: _opened(name, runtime) for runtime in RUNTIMES}
        times = {runtime: Times() for runtime in RUNTIMES}
        expected = None
        for turn in range(ROUNDS + 1):
            for runtime, (method, style) in opened.items():
                start, begun = time.perf_counter(), time.process_time()
                painted = method.stylize(content, style)
                if turn:
                    times[runtime].processor.append(time.process_time() - begun)
                    times[runtime].clock.append(time.perf_counter() - start)
                else:
                    expected = painted if expected is None else expected
                    apart = float((painted - expected).abs().mean()) * 255
                    print(f"{name} {runtime}: {apart:.4f} levels from torch", flush=True)
        for runtime, taken in times.items():
            processor, clock = map(statistics.median, (taken.processor, taken.clock))
            runs = " ".join(f"{one:.2f}" for one in taken.processor)
            print(
                f"{name} {runtime}, {threads} threads: processor {processor:.2f} ({runs}), ", end=""
            )
            print(f"clock {clock:.2f}, load {os.getloadavg()[0]:.1f}", flush=True)


def _opened(name: str, runtime: str) -> tuple[Method, Style]:
    """Return a method that is ready to paint, and its style."""
    if name == "adain":
        method = load.get_method(name, runtime=runtime)
        return method, method.encode(samples.load("wave").resized(512, 512).rgb)
    method = load.load_model(name, runtime=runtime)
    return method, method.own_style()


if __name__ == "__main__":
    given = sys.argv[2:]
    main(int(sys.argv[1]) if sys.argv[1:] else torch.get_num_threads(), given or list(SIZES))
