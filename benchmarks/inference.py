"""Measure the seconds of one pass of a trained network over an image of a given side.

python -m benchmarks.inference STYLE SIDE [PRECISION]
"""

from __future__ import annotations

import statistics
import sys

from benchmarks.rate import seconds
from impasto.api import load
from impasto.image import samples

REPEATS = 5


def main(style: str, side: int, precision: str = "auto") -> None:
    """Print the median seconds of several passes after one that is not timed."""
    method = load.load_model(style, precision=precision)
    photo = samples.load("astronaut").resized(side, side).rgb
    times = []
    for _ in range(REPEATS + 1):
        start = seconds()
        method.stylize(photo, method.own_style())
        times.append(seconds() - start)
    print(f"seconds {statistics.median(times[1:]):.4f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
