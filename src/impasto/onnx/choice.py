"""Choose the runtime of a network by measuring all that are installed on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.errors import ImpastoError, InputError
from impasto.image import files, samples
from impasto.methods.base import Method
from impasto.onnx.engines import ENGINES, cache_folder

TORCH = "torch"
MOST_DIFFERENT = 1 / 255  # mean absolute difference from PyTorch's result, of colours in [0, 1]

_SIDE = 256  # pixels, of the image that is painted
_ROUNDS = 3
_GAIN = 0.95  # seconds in another runtime, relative to PyTorch, below which it is taken


def fastest(path: Path, kind: str, build: Callable[[str], Method], *, key: str = "") -> str:
    """Return the runtime in which a network paints fastest on this machine.

    All installed runtimes paint one photo of 256x256 pixels in turns, and the least time of each
    counts. PyTorch is left only for a runtime that is at least 5 % faster and whose result differs
    by at most 1/255 on average. The measurement is saved in the user's cache, and repeated when
    the model, the machine, the number of threads or the version of a library changes.

    Args:
        path: File of the model.
        kind: What the model makes: ``style``, ``texture`` or ``upscale``.
        build: Returns the method of the model in a runtime.
        key: Options of ``build`` that change the time.

    Returns:
        ``torch`` or one of :data:`impasto.onnx.engines.ENGINES`.
    """
    versions = {name: _version(name) for name in (TORCH, *ENGINES)}
    installed = [name for name in ENGINES if versions[name]]
    if not installed:
        return TORCH
    machine = [platform.node(), os.cpu_count(), torch.get_num_threads(), key, versions]
    digest = hashlib.sha256(json.dumps(machine).encode()).hexdigest()[:12]
    record = cache_folder(path) / f"speed-{digest}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        saved = str(json.loads(record.read_text("utf-8"))["fastest"])
        if saved in versions:
            return saved
    measured = _measure(kind, build, installed)
    with suppress(OSError, InputError):  # without a cache it is measured each time
        record.parent.mkdir(parents=True, exist_ok=True)
        files.write(json.dumps(measured, indent=1).encode(), record)
    return str(measured["fastest"])


def _measure(kind: str, build: Callable[[str], Method], names: list[str]) -> dict[str, Any]:
    """Return the fastest runtime, and seconds and difference from PyTorch of each."""
    methods = {TORCH: build(TORCH)}
    errors: dict[str, str] = {}
    for name in names:
        try:
            methods[name] = build(name)
        except ImpastoError as error:  # no graph of this network, or it cannot be compiled
            errors[name] = str(error)
    photo = samples.load("astronaut").resized(_SIDE, _SIDE).rgb
    expected = _paint(kind, methods[TORCH], photo)
    differences = {
        name: float((_paint(kind, method, photo) - expected).abs().mean())
        for name, method in methods.items()
    }
    rounds = [
        {name: _seconds(kind, method, photo) for name, method in methods.items()}
        for _ in range(_ROUNDS)
    ]
    seconds = {name: min(one[name] for one in rounds) for name in methods}
    choice = choose(seconds, differences)
    return {"fastest": choice, "seconds": seconds, "differences": differences, "errors": errors}


def choose(seconds: Mapping[str, float], differences: Mapping[str, float]) -> str:
    """Return the runtime to take, by the seconds of each and its difference from PyTorch's result.

    Example:
        >>> choose({"torch": 1.0, "openvino": 0.5, "onnxruntime": 0.7}, {"openvino": 0.01})
        'onnxruntime'
    """
    close = [
        name
        for name in seconds
        if differences.get(name, 0.0) <= MOST_DIFFERENT and seconds[name] < _GAIN * seconds[TORCH]
    ]
    return min(close, key=seconds.__getitem__, default=TORCH)


def _paint(kind: str, method: Method, photo: Tensor) -> Tensor:
    """Do what a model of this kind does, once."""
    if kind == "texture":
        return method.synthesize(method.own_style(), _SIDE, _SIDE)
    if kind == "upscale":
        return method.upscale(photo[..., : _SIDE // 4, : _SIDE // 4])
    return method.stylize(photo, method.own_style())


def _seconds(kind: str, method: Method, photo: Tensor) -> float:
    start = time.perf_counter()
    _paint(kind, method, photo)
    return time.perf_counter() - start


def _version(name: str) -> str:
    """Return the version of an installed library, or an empty string."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
