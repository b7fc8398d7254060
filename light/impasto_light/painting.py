"""Paint a photo in a learned style by a network."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Array = NDArray[np.float32]

FOLDER = Path(__file__).parent / "models"
ENGINES = ("onnxruntime", "openvino")
PERIOD = 4  # pixels, of the lattice that the networks leave
SHIFTS = {  # by their number: down and right, as in Impasto
    1: [(0, 0)],
    4: [(at, at) for at in range(PERIOD)],
    8: [(y, x) for y in range(PERIOD) for x in range(PERIOD) if (y + x) % 2 == 0],
    16: [(y, x) for y in range(PERIOD) for x in range(PERIOD)],
}
SIZE = 512  # pixels, the long edge for which the strokes of the networks have the right size


class InputError(ValueError):
    """The caller gave something that cannot be used."""


@cache
def styles() -> dict[str, dict[str, Any]]:
    """Return each style by name: file of its network, its index in it, the limits of sizes."""
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "styles.json").read_text("utf-8"))
    return found


def stylize(
    photo: Image.Image,
    style: str,
    *,
    size: int = SIZE,
    seed: int = 0,
    shifts: int = 8,
    engine: str = "auto",
) -> Image.Image:
    """Paint a photo in a learned style.

    Args:
        photo: A picture; its transparency is kept.
        style: A name of :func:`styles`.
        size: Long edge of the result in pixels, unless the photo is smaller.
        seed: Of the noise of one 8-bit level that is added first, so that a plain sky has no lines;
            0 to 2^32 - 1. The noise is that of Impasto.
        shifts: Number of copies of the photo, shifted by up to 3 pixels, whose results are averaged
            against the lattice of a network: 1, 4, 8 or 16.
        engine: ``onnxruntime``, ``openvino``, or ``auto``: the first of them that is installed.

    Raises:
        InputError: There is no such style or engine, or a number is out of range.
    """
    if style not in styles():
        raise InputError(f"no style {style!r}: see 'impasto-light styles'")
    if size < 1:
        raise InputError(f"size is {size}: it must be at least 1 pixel")
    if shifts not in SHIFTS:
        raise InputError(f"shifts is {shifts}: choose {', '.join(map(str, SHIFTS))}")
    facts = styles()[style]
    photo = ImageOps.exif_transpose(photo)
    alpha = photo.convert("RGBA").getchannel("A") if photo.has_transparency_data else None
    picture = _resized(photo.convert("RGB"), size)
    content = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255
    content = np.clip(content + (_uniform(seed, content.shape[2:]) - 0.5) / 255, 0, 1)
    graph = _graph(FOLDER / facts["file"], _chosen(engine))
    pixels = _average(lambda window: _painted(window, facts, graph), content, shifts)
    result = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
    if alpha is not None:
        result.putalpha(_resized(alpha, size))
    return result


def _average(paint: Callable[[Array], Array], content: Array, shifts: int) -> Array:
    """Return the mean (H, W, 3) of the results for shifted contents (1, 3, H, W)."""
    if shifts == 1:
        return paint(content)
    height, width = content.shape[2:]
    border = PERIOD - 1
    mode = "reflect" if min(height, width) >= PERIOD else "edge"
    padded = np.pad(content, [(0, 0), (0, 0), (border, border), (border, border)], mode)
    total = np.zeros((height, width, 3), np.float32)
    for down, right in SHIFTS[shifts]:
        window = padded[..., down : down + height + border, right : right + width + border]
        top, left = border - down, border - right
        total += paint(window)[top : top + height, left : left + width]
    return total / np.float32(shifts)


def _painted(
    content: Array, facts: dict[str, Any], graph: Callable[[dict[str, Array]], Array]
) -> Array:
    """Run a network on a content (1, 3, H, W), and return the picture (H, W, 3)."""
    feeds = {"content": _padded(content, facts["multiple"], facts["smallest"])}
    if facts["count"] > 1:
        feeds["weights"] = np.eye(1, facts["count"], facts["index"], np.float32)
    height, width = content.shape[2:]
    return graph(feeds)[0, :, :height, :width].transpose(1, 2, 0)


def _uniform(seed: int, sides: Sequence[int]) -> Array:
    """Return the numbers (1, 1, H, W) in [0, 1) that ``torch.rand`` draws with a seed."""
    drawn = np.random.RandomState(seed).randint(0, 2**32, (1, 1, *sides), np.uint32)
    return (drawn & 0xFFFFFF).astype(np.float32) / 2**24


def _resized(picture: Image.Image, size: int) -> Image.Image:
    """Shrink a picture to a long edge in pixels; a smaller one stays as it is."""
    picture = picture.copy()
    picture.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=None)
    return picture


def _padded(content: Array, multiple: int, smallest: int) -> Array:
    """Pad an image (1, 3, H, W) at its right and lower edges by mirroring, to allowed sides."""
    sides = content.shape[2:]
    down, right = (max(smallest, -(-side // multiple) * multiple) - side for side in sides)
    mirrored = down < sides[0] and right < sides[1]
    ends = [(0, 0), (0, 0), (0, down), (0, right)]
    padded = np.pad(content, ends, mode="reflect") if mirrored else np.pad(content, ends, "edge")
    return np.ascontiguousarray(padded)


def _chosen(engine: str) -> str:
    if engine not in {"auto", *ENGINES}:
        raise InputError(f"unknown engine {engine!r}: choose auto, {', '.join(ENGINES)}")
    for name in ENGINES if engine == "auto" else (engine,):
        if importlib.util.find_spec(name):
            return name
    wanted = "onnxruntime" if engine == "auto" else engine
    raise InputError(f"{wanted} is not installed: pip install {wanted}")


@cache
def _graph(path: Path, engine: str) -> Callable[[dict[str, Array]], Array]:
    """Return a function that runs a network."""
    threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    if engine == "openvino":
        import openvino

        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.Core().compile_model(path, "CPU", options)
        return lambda feeds: compiled(feeds)[0]
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)[0]
