"""One training, from pictures to a model file: recipe, data, loop, card."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from impasto import model, recipes
from impasto._version import __version__
from impasto.errors import InputError
from impasto.image import Picture
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import Ability, get
from impasto.progress import Callback, silent
from impasto.runtime import Runtime, choose
from impasto.sources import SAMPLE, Source, read
from impasto.training import loop
from impasto.training.data import Source as Pictures
from impasto.training.data import open_source
from impasto.training.processes import local

_THUMBNAIL = 96  # pixels of the long edge


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training left.

    Attributes:
        model: The finished model.
        path: Where it lies.
        result: Steps, time, losses, skipped files.
    """

    model: model.Model
    path: Path
    result: loop.Result


def train(
    recipe: str,
    output: str | Path,
    *,
    style: Source | Sequence[Source] = (),
    content: str | Path | None = None,
    names: Sequence[str] = (),
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    start: str | Path | None = None,
    resume: bool = True,
    max_seconds: float | None = None,
    device: str = "auto",
    precision: str = "auto",
    callback: Callback = silent,
) -> Trained:
    """Train a network and write it as a model.

    Checkpoints, a log and TensorBoard's files go into a folder beside the output that bears its
    name and ``.training``; a run that was broken off goes on from there when called again.

    Args:
        recipe: The name of a method, or the path of a TOML file, see :func:`impasto.recipes.load`.
        output: Where the model goes: ``wave.safetensors``.
        style: What it learns: one or more pictures.
        content: The photographs: a folder, a list file, or shards (see
            :func:`impasto.training.data.open_source`).
        names: What the styles shall be called; the names of their files when left out.
        preset: Of the method's numbers: ``default``, ``paper`` or ``authors``.
        settings: Numbers of the recipe to change, by name.
        start: A model of the same shape whose weights training starts from: another style of the
            same method is a far better start than chance.
        resume: Whether to go on from a checkpoint that is there.
        max_seconds: Stop after so long, and write the model as it is.
        device: See :func:`impasto.runtime.choose`.
        precision: See :func:`impasto.runtime.choose`.
        callback: Called after every step; cancelling stops, and writes the model as it is.

    Raises:
        InputError: Something given cannot be used.
        DivergedError: Training ran away; its last checkpoint is kept.
    """
    numbers = recipes.load(recipe, preset).change(settings or {})
    target = Path(output)
    if target.suffix != model.SUFFIX:
        raise InputError(f"{target}: a model's name ends in {model.SUFFIX}")
    method = _method(numbers, local(choose(device, precision)))
    styles = list(style) if isinstance(style, (list, tuple)) else [style]
    pictures = [read(one) for one in styles]
    called = tuple(names or (_name(one, target) for one in styles)) or (target.stem,)
    if len(set(called)) != max(1, len(styles)):
        raise InputError(f"{len(styles)} styles need as many different names, not {called}")
    torch.manual_seed(numbers.plan.seed)
    task = method.task(method.config, [picture.rgb for picture in pictures], method.runtime)
    if start is not None:
        _start_from(task.module, Path(start), numbers.method)
    sources = _sources(numbers, task.sources, content)
    result = loop.train(
        task,
        numbers.plan,
        sources=sources,
        runtime=method.runtime,
        folder=target.with_suffix(".training"),
        resume=resume,
        max_seconds=max_seconds,
        callback=callback,
    )
    card = {
        **_card(numbers, result, method),
        "data": {name: {"pictures": len(one.files)} for name, one in sources.items()},
        "thumbnails": {
            name: _thumbnail(picture) for name, picture in zip(called, pictures, strict=False)
        },
        "start": None if start is None else hashlib.sha256(Path(start).read_bytes()).hexdigest(),
    }
    made = method.model(result.module, called, card)
    if os.environ.get("RANK", "0") == "0":  # of several processes, the first writes
        model.save(made, target)
    return Trained(made, target, result)


def _method(numbers: recipes.Recipe, runtime: Runtime) -> NetworkMethod:
    build = get(numbers.method, Ability.TRAIN).build
    assert issubclass(build, NetworkMethod)  # what TRAIN means
    return build(numbers.config, runtime)


def _sources(
    numbers: recipes.Recipe, wanted: Sequence[str], content: str | Path | None
) -> dict[str, Pictures]:
    if "content" not in wanted:
        return {}
    if content is None:
        raise InputError(f"{numbers.method} learns from photographs: give --content FOLDER")
    cut = numbers.cut
    return {"content": open_source(content, cut.crop, cut.zoom, cut.flip)}


def _start_from(module: nn.Module, path: Path, method: str) -> None:
    """Take over the weights of another model of the same shape."""
    other = model.load(path)
    if other.method != method:
        raise InputError(f"{path} is a model of {other.method}, not of {method}")
    try:
        module.load_state_dict(dict(other.state))
    except RuntimeError as error:
        raise InputError(f"{path} has another shape: train with the same width") from error


def _card(numbers: recipes.Recipe, result: loop.Result, method: NetworkMethod) -> dict[str, Any]:
    """How a model came to be: enough to make it again."""
    return {
        "kind": method.kind,
        "recipe": numbers.numbers(),
        "version": __version__,
        "torch": torch.__version__,
        "command": shlex.join(["impasto", *sys.argv[1:]]),
        "runtime": method.runtime.describe(),
        "steps": result.steps,
        "finished": result.finished,
        "seconds": round(result.seconds),
        "losses": {name: round(series[-1], 5) for name, series in result.losses.items()},
        "skipped": len(result.skipped),
    }


def _thumbnail(picture: Picture) -> dict[str, str]:
    """A style picture small enough for a model's header, and the hash of its pixels."""
    factor = _THUMBNAIL / max(picture.size)
    small = picture.resized(*(max(1, round(s * factor)) for s in (picture.height, picture.width)))
    pixels = small.pil().convert("RGB")
    buffer = io.BytesIO()
    pixels.save(buffer, "jpeg", quality=85)
    return {
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "jpeg": base64.b64encode(buffer.getvalue()).decode(),
    }


def _name(style: Source, target: Path) -> str:
    """What a style is called when nobody says: after its file, or after the model's."""
    if isinstance(style, (str, Path)) and str(style) != "-":
        return Path(str(style).removeprefix(SAMPLE)).stem
    return target.stem
