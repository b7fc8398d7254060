"""One training, from pictures to a model file: recipe, data, loop, card."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from impasto._version import __version__
from impasto.api import recipes
from impasto.api.inputs import Source, read
from impasto.core.device import Runtime, choose
from impasto.core.progress import Callback, silent
from impasto.core.schemes import bare
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.models import checkpoint
from impasto.training import loop
from impasto.training.data import Source as Pictures
from impasto.training.data import open_source
from impasto.training.processes import local
from impasto.training.sources import together

_THUMBNAIL = 96  # pixels of the long edge


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training left.

    Attributes:
        model: The finished model.
        path: Where it lies.
        result: Steps, time, losses, skipped files.
        passed: How many files of the folders of pictures were passed over, by kind.
    """

    model: checkpoint.Model
    path: Path
    result: loop.Result
    passed: Mapping[str, int] = field(default_factory=dict)


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
    threads: int | None = None,
    callback: Callback = silent,
) -> Trained:
    """Train a network and write it as a model.

    Checkpoints, a log and TensorBoard's files go into a folder beside the output that bears its
    name and ``.training``; a run that was broken off goes on from there when called again.

    Args:
        recipe: The name of a method, or the path of a TOML file, see
            :func:`impasto.api.recipes.load`.
        output: Where the model goes: ``wave.safetensors``.
        style: What it learns: one or more pictures; or, for a network that shall know any style, a
            place of many, of the same kinds as ``content``.
        content: The photographs: a folder, a list file, or shards (see
            :func:`impasto.training.data.open_source`).
        names: What the styles shall be called; the names of their files when left out.
        preset: Of the method's numbers: ``default``, ``paper`` or ``authors``.
        settings: Numbers of the recipe to change, by name.
        start: A model of the same shape whose weights training starts from: another style of the
            same method is a far better start than chance. Some methods take models of others too,
            see :meth:`~impasto.methods.network.NetworkMethod.start`.
        resume: Whether to go on from a checkpoint that is there.
        max_seconds: Stop after so long, and write the model as it is.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        threads: See :func:`impasto.training.loop.train`.
        callback: Called after every step; cancelling stops, and writes the model as it is.

    Raises:
        InputError: Something given cannot be used.
        DivergedError: Training ran away; its last checkpoint is kept.
    """
    numbers = recipes.load(recipe, preset).change(settings or {})
    target = Path(output)
    if target.suffix != checkpoint.SUFFIX:
        raise InputError(f"{target}: a model's name ends in {checkpoint.SUFFIX}")
    method = _method(numbers, local(choose(device, precision)))
    styles = list(style) if isinstance(style, (list, tuple)) else [style]
    paintings = None
    if method.kind == "any":
        paintings, styles = _place(numbers.method, styles), []
    pictures = [read(one) for one in styles]
    called = tuple(names or (name_of(one, target) for one in styles)) or (target.stem,)
    if len(set(called)) != max(1, len(styles)):
        raise InputError(f"{len(styles)} styles need as many different names, not {called}")
    torch.manual_seed(numbers.plan.seed)
    task = method.task(method.config, [picture.rgb for picture in pictures], method.runtime)
    if start is not None:
        _start(method, task.module, Path(start))
    sources = pictures_of(numbers, task.sources, content, paintings)
    result = loop.train(
        task,
        numbers.plan,
        sources=sources,
        runtime=method.runtime,
        folder=target.with_suffix(".training"),
        resume=resume,
        max_seconds=max_seconds,
        threads=threads,
        callback=callback,
    )
    card = {
        **describe(numbers, result, method),
        "data": {name: {"pictures": len(one.files)} for name, one in sources.items()},
        "thumbnails": {
            name: thumbnail(picture) for name, picture in zip(called, pictures, strict=False)
        },
        "start": None if start is None else hashlib.sha256(Path(start).read_bytes()).hexdigest(),
    }
    made = method.model(result.module, called, card)
    if os.environ.get("RANK", "0") == "0":  # of several processes, the first writes
        checkpoint.save(made, target)
    return Trained(made, target, result, passed_over(sources))


def _method(numbers: recipes.Recipe, runtime: Runtime) -> NetworkMethod:
    build = get(numbers.method, Ability.TRAIN).build
    assert issubclass(build, NetworkMethod)  # what TRAIN means
    return build(numbers.config, runtime)


def _place(name: str, styles: Sequence[Source]) -> str | Path | None:
    """The one place where a network for any style finds paintings; None if none is given."""
    if len(styles) > 1 or not all(isinstance(one, (str, Path)) for one in styles):
        raise InputError(f"{name} learns no single style: give one folder of many paintings")
    return next((one for one in styles if isinstance(one, (str, Path))), None)


def pictures_of(
    numbers: recipes.Recipe,
    wanted: Sequence[str],
    content: str | Path | None,
    style: str | Path | None = None,
) -> dict[str, Pictures]:
    """Where the pictures of each source that a task wants come from.

    Args:
        numbers: What is cut out of them.
        wanted: The sources: ``content``, ``style``, both or none.
        content: The place of the photographs.
        style: The place of the paintings.

    Raises:
        InputError: A place is missing, cannot be read, or is of no use.
    """
    cut, found = numbers.cut, {}
    for name, what, place in (("content", "photographs", content), ("style", "paintings", style)):
        if name in wanted:
            if place is None:
                raise InputError(f"{numbers.method} learns from {what}: give a folder as `{name}`")
            repeat = cut.style_steps if name == "style" else 1
            found[name] = open_source(place, cut.crop, cut.zoom, cut.flip, repeat)
    if style is not None and "style" not in wanted:
        raise InputError(f"{numbers.method} learns from photographs alone: leave out `style`")
    return found


def passed_over(sources: Mapping[str, Pictures]) -> Mapping[str, int]:
    """Count the files of all sources that were passed over, by kind."""
    return together(one.passed for one in sources.values())


def _start(method: NetworkMethod, module: nn.Module, path: Path) -> None:
    """Take over what the method can use of another model."""
    other = checkpoint.load(path)
    try:
        method.start(module, other)
    except InputError as error:
        raise InputError(f"cannot start from {path}: {error}") from error


def describe(numbers: recipes.Recipe, result: loop.Result, method: NetworkMethod) -> dict[str, Any]:
    """How a model came to be: enough to make it again."""
    return {
        "kind": method.kind,
        "recipe": numbers.numbers(),
        "version": __version__,
        "torch": torch.__version__,
        "command": shlex.join(["impasto", *sys.argv[1:]]),
        "runtime": method.runtime.describe(),
        "threads": result.threads,
        "steps": result.steps,
        "finished": result.finished,
        "seconds": round(result.seconds),
        "losses": {name: round(series[-1], 5) for name, series in result.losses.items()},
        "skipped": len(result.skipped),
    }


def thumbnail(picture: Image) -> dict[str, str]:
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


def name_of(style: Source, target: Path) -> str:
    """What a style is called when nobody says: after its file, or after the model's."""
    if isinstance(style, (str, Path)) and str(style) != "-":
        return Path(bare(str(style))).stem
    return target.stem
