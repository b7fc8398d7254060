"""Measure whole processes: from their start to the picture or the video, and sizes of a wheel."""

from __future__ import annotations

import importlib.metadata
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from benchmarks.figures import NARROW, Found
from impasto.image import Image, samples
from impasto.video.job import Report, stylize_video

REPEATS = 3
ROOT = Path(__file__).parents[1]
MEBIBYTE = 2**20


def _seconds(command: list[str], more: Mapping[str, str] | None = None) -> float:
    """Return the median seconds of a command, after one run that fills caches."""
    times = []
    for _ in range(REPEATS + 1):
        start = _clock()
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **(more or {})})
        times.append(_clock() - start)
    return statistics.median(times[1:])


def _clock() -> float:
    """Return the clock; with one thread that of the processor for processes that have ended."""
    if torch.get_num_threads() > 1:
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def start(side: int) -> Found:
    """Measure from the start of ``impasto stylize -s starry-night --shifts 1`` to the picture."""
    with tempfile.TemporaryDirectory() as folder:
        return _stylize(folder, "impasto", side)


def avx2(side: int) -> Found:
    """Measure a pass of starry-night in float32, without newer instructions."""
    run = [sys.executable, "-m", "benchmarks.inference", "starry-night", str(side), "float32"]
    more = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    output = subprocess.run(run, check=True, capture_output=True, text=True, env=more).stdout
    seconds = float(output.split()[-1])
    return Found(seconds, f"{seconds:.2f} s")


def _stylize(folder: str, module: str, side: int, path: str | None = None) -> Found:
    photo, out = f"{folder}/photo.jpg", f"{folder}/out.png"
    samples.load("astronaut").resized(side, side).save(photo)
    line = [sys.executable, "-m", module, "stylize", photo, "-s", "starry-night", "-o", out]
    more = {} if path is None else {"PYTHONPATH": path}
    seconds = _seconds([*line, "--size", str(side), "--shifts", "1"], more)
    return Found(seconds, f"{seconds:.2f} s")


class Light:
    """The wheel of impasto-light, built and installed into a folder without its dependencies."""

    def __init__(self, folder: str) -> None:
        self._folder, self._target = folder, f"{folder}/installed"
        build = [sys.executable, str(ROOT / "tools" / "build_light.py"), folder]
        subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
        (self._wheel,) = Path(folder).glob("impasto_light-*.whl")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*install, self._target, str(self._wheel)], check=True, capture_output=True)

    def start(self, side: int) -> Found:
        """Measure from the start of ``impasto-light stylize`` to the picture."""
        return _stylize(self._folder, "impasto_light", side, self._target)

    def wheel(self) -> Found:
        """Return the size of the wheel, in MB."""
        size = self._wheel.stat().st_size / 1e6
        return Found(size, f"{size:.1f} MB")

    def installed(self) -> Found:
        """Return the size of what is installed with all that it needs, in MB."""
        own = sum(one.stat().st_size for one in Path(self._target).rglob("*") if one.is_file())
        size = (own + sum(map(_installed, _needed("onnxruntime", "numpy", "pillow")))) / 1e6
        return Found(size, f"{size:.0f} MB")


def _needed(*names: str) -> set[str]:
    """Return the names of distributions with those that they require, without extras."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower()
        if name not in found:
            found.add(name)
            lines = importlib.metadata.requires(name) or ()
            waiting += [_name(line) for line in lines if "extra ==" not in line]
    return found


def _name(requirement: str) -> str:
    return next(
        requirement[:end]
        for end in range(1, len(requirement) + 1)
        if end == len(requirement) or not (requirement[end].isalnum() or requirement[end] in "-_.")
    )


def _installed(name: str) -> int:
    files = importlib.metadata.files(name) or ()
    paths = [Path(str(one.locate())) for one in files]
    return sum(path.stat().st_size for path in paths if path.is_file())


def video(frames: int, width: int, height: int) -> tuple[Found, Found]:
    """Return the frames a second of a steady video from file to file, and its flicker."""
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/pan.mp4"
        _write(source, _pan(frames, width, height))
        first = _painted(source, f"{folder}/first.mp4")  # loads what is loaded once
        assert first.frames == frames
        report = _painted(source, f"{folder}/out.mp4")
    assert report.flicker is not None
    pace = report.frames / report.seconds
    return (
        Found(pace, f"{1 / pace:.3f} s a frame"),
        Found(report.flicker, f"{report.flicker:.2f} levels of 255"),
    )


def _painted(source: str, target: str) -> Report:
    return stylize_video(source, target, NARROW, strokes="absolute")


def _pan(count: int, width: int, height: int) -> Iterator[np.ndarray]:
    """Yield frames of a window that moves over a photo, with noise of 2 %."""
    chance = np.random.default_rng(0)
    whole = samples.load("astronaut").resized(height + count, width + 3 * count).rgb
    for index in range(count):
        seen = whole[..., index : index + height, 3 * index : 3 * index + width]
        noise = chance.normal(0, 0.02, tuple(seen.shape)).astype(np.float32)
        yield Image((seen + noise).clamp(0, 1)).numpy()


def _write(path: str, frames: Iterator[np.ndarray]) -> None:
    import av

    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(25), options={"crf": "12"})
        for index, pixels in enumerate(frames):
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
