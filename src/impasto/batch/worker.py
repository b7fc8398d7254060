"""Stylize items one after another; models, methods and styles stay loaded.

``python -m impasto.batch.worker`` reads a job and then items as lines of JSON from standard input,
and writes a line of JSON for each.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from impasto.api import inputs, strokes, stylize
from impasto.api.controls import ResolvedStyle
from impasto.api.controls import StylizeJob as Way
from impasto.api.resolve import StyleResolver
from impasto.batch.job import Job
from impasto.batch.plan import Item
from impasto.errors import ImpastoError
from impasto.image import Image, transparency_note
from impasto.methods import style
from impasto.methods.base import Method
from impasto.methods.style import Style
from impasto.models import zoo

ENDED = "its process was ended repeatedly (out of memory?)"

_CACHE_SIZE = 4  # cached styles; items come ordered by style
_DEFAULT_EDGE = 512  # default long edge of a photo, where neither the user nor the method sets one


@dataclass(frozen=True)
class Outcome:
    """The outcome of an item.

    Attributes:
        output: The item's output path.
        seconds: From reading to writing; None if the result existed before.
        error: Why there is no result; empty if there is one.
        note: A remark on the result for the user; often empty.
    """

    output: str
    seconds: float | None = None
    error: str = ""
    note: str = ""


@dataclass
class _CachedStyle:
    """A cached style: resolved, and encoded for some numbers of pixels."""

    resolved: ResolvedStyle
    encoded: dict[tuple[Method, float], Style] = field(default_factory=dict)


class Worker:
    """Stylize items of a job; each model is loaded once, each style encoded once.

    Args:
        job: The job.
        out: The folder of the results.

    Raises:
        InputError: The job's options do not fit its method.
    """

    def __init__(self, job: Job, out: Path) -> None:
        self._job, self._out = job, out
        self._resolver = StyleResolver(**job.arguments("controls"))
        self._styles: OrderedDict[int, _CachedStyle] = OrderedDict()

    def paint(self, item: Item) -> Outcome:
        """Stylize one image; an existing result counts as done, and an error becomes an outcome."""
        target = self._out / item.output
        if target.is_file():
            return Outcome(item.output)
        start = time.perf_counter()
        try:
            ready = self._cached_style(item.style)
            picture = stylize.paint(
                Path(self._job.folder) / item.picture,
                [ready.resolved],
                controls=replace(self._job.controls, seed=item.seed),
                encode=lambda resolved, photo: self._encoded(ready, resolved.method, photo),
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            picture.save(target, depth=self._job.bits, keep_metadata=self._job.keep_metadata)
        except Exception as error:  # the other images are still tried
            message = str(error) if isinstance(error, ImpastoError) else repr(error)
            return Outcome(item.output, error=" ".join(message.split()))
        notes = "; ".join(filter(None, (picture.note, transparency_note(picture, target))))
        return Outcome(item.output, round(time.perf_counter() - start, 3), note=notes)

    def check(self) -> None:
        """Check the styles before the work, except for unreadable style images.

        Raises:
            InputError: A style cannot be used with the job's options.
        """
        blank = Image(torch.zeros(1, 3, 1, 1))
        paintings = []
        for chosen in self._job.styles:
            if style.load_if_style(chosen.source) is None and zoo.find(chosen.source) is None:
                paintings.append(chosen.source)
            else:
                Way(blank, self._resolver(chosen.source), (), self._job.controls)
        for index, painting in enumerate(paintings, start=1):
            try:
                inputs.read_image(painting)
            except ImpastoError:
                if index == len(self._job.styles):
                    raise
                continue  # reported with its items
            Way(blank, self._resolver(painting), (), self._job.controls)
            return  # all share one method: one check is enough

    def _cached_style(self, index: int) -> _CachedStyle:
        if index not in self._styles:
            (resolved,) = self._resolver(self._job.styles[index].source)
            self._styles[index] = _CachedStyle(resolved)
            if len(self._styles) > _CACHE_SIZE:
                self._styles.popitem(last=False)
        self._styles.move_to_end(index)
        return self._styles[index]

    def _encoded(self, ready: _CachedStyle, method: Method, photo: Image) -> Style:
        """Return the encoded style image, cached for all photos of about this size."""
        painting = ready.resolved.source
        assert isinstance(painting, Image)  # the pipeline encodes images only
        controls, native = self._job.controls, method.stroke_size
        usual = controls.size or method.default_size or native or _DEFAULT_EDGE
        given = (photo.height, photo.width), (round(0.75 * usual), usual)
        (painted, scale), (step, _) = (
            strokes.style_scale(*strokes.arguments(size, controls, native)) for size in given
        )
        pixels = rounded_pixels(painted, step)
        if (method, pixels) not in ready.encoded:
            scaled = inputs.resize_to_pixels(painting, pixels, scale)
            ready.encoded[method, pixels] = method.encode(scaled.rgb)
        return ready.encoded[method, pixels]


def rounded_pixels(pixels: int, step: int) -> float:
    """Return the pixel count of a style image: the photo's, rounded to steps of a factor of 2.

    A 4:3 photo at the job's size is exactly on a step, so its result is that of ``stylize``. Photos
    from 1:1 to 16:9 share this step; rounding changes the size of their strokes by at most 16%.
    """
    return step * 2.0 ** round(math.log2(pixels / step))


def main() -> None:
    """Run one of several worker processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process handles Ctrl-C
    # other output goes to the log, where it is not taken for an outcome
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    header = json.loads(sys.stdin.readline())
    torch.set_num_threads(header["threads"])
    worker = Worker(Job.parse(header["job"]), Path(header["out"]))

    def report(line: dict[str, Any]) -> None:
        print(json.dumps(line), file=channel, flush=True)

    report({"ready": True})
    serve(worker.paint, report)


def serve(paint: Callable[[Item], Outcome], report: Callable[[dict[str, Any]], None]) -> None:
    """Stylize the items from standard input until it ends."""
    for line in sys.stdin:
        report(asdict(paint(Item(**json.loads(line)))))


if __name__ == "__main__":
    main()
