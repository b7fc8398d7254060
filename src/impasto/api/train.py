"""Train a network and write it as a model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from impasto.api import recipes
from impasto.api.card import describe, model_path, name_of, thumbnail
from impasto.api.inputs import Source, read_image
from impasto.core.device import choose
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.methods.network import NetworkMethod, network_class
from impasto.models import checkpoint
from impasto.training import loop
from impasto.training.data import Source as Pictures
from impasto.training.data import open_source
from impasto.training.processes import local
from impasto.training.sources import sum_counts
from impasto.training.task import Task


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of a training.

    Attributes:
        model: The trained model.
        path: Path of its file.
        result: Steps, time, losses, skipped files.
        passed: Number of files in the folders that are no images, by kind.
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

    An interrupted run resumes from a folder beside the output, such as ``wave.training``.

    Args:
        recipe: The name of a method, or the path of a TOML file, see
            :func:`impasto.api.recipes.load`.
        output: Path of the model, such as ``wave.safetensors``.
        style: Style images, one or more; for a network that paints in any style, a source of many
            style images, of the same kinds as ``content``.
        content: Content images: a folder, a list file, or shards (see
            :func:`impasto.training.data.open_source`).
        names: Names of the styles; by default the names of their files.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Hyperparameters of the recipe to change, by name.
        start: A model to initialise the weights from, which makes training much shorter; see
            :meth:`~impasto.methods.network.NetworkMethod.start`.
        resume: Whether to resume from an existing checkpoint.
        max_seconds: Time in seconds after which training stops and writes the model.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        threads: See :func:`impasto.training.loop.train`.
        callback: Called after every step; if it cancels, training stops and writes the model.

    Returns:
        The model and the course of its training.

    Raises:
        InputError: An argument cannot be used.
        DivergedError: Training diverged; its last checkpoint is kept.
    """
    loaded = recipes.load(recipe, preset).change(settings or {})
    target, paintings = model_path(output), None
    method = network_class(loaded.method)(loaded.config, local(choose(device, precision)))
    styles = list(style) if isinstance(style, (list, tuple)) else [style]
    if method.kind == "any":
        paintings, styles = _style_source(loaded.method, styles), []
    pictures = [read_image(one) for one in styles]
    called = _names(names, styles, target)
    torch.manual_seed(loaded.plan.seed)
    task = method.task(method.config, [picture.rgb for picture in pictures], method.runtime)
    if start is not None:
        _initialize(method, task.module, Path(start))
    sources = open_sources(loaded, task.sources, content, paintings)
    how = {"resume": resume, "max_seconds": max_seconds, "threads": threads}
    result = learn(method, loaded, task, target, sources, callback=callback, **how)
    card = {
        **describe(loaded, result, method),
        "data": {name: {"pictures": len(one.files)} for name, one in sources.items()},
        "thumbnails": dict(zip(called, map(thumbnail, pictures), strict=False)),
        "start": None if start is None else hashlib.sha256(Path(start).read_bytes()).hexdigest(),
    }
    return write(method.model(result.module, called, card), target, result, sources)


def learn(
    method: NetworkMethod,
    recipe: recipes.Recipe,
    task: Task,
    target: Path,
    sources: Mapping[str, Pictures],
    **how: Any,
) -> loop.Result:
    """Run the training of a task; ``how`` are arguments of :func:`impasto.training.loop.train`."""
    folder = target.with_suffix(".training")
    return loop.train(
        task, recipe.plan, sources=sources, runtime=method.runtime, folder=folder, **how
    )


def write(
    model: checkpoint.Model,
    target: Path,
    result: loop.Result,
    sources: Mapping[str, Pictures],
    bits: int = 16,
) -> Trained:
    """Write a trained model; of several processes, the first writes."""
    if os.environ.get("RANK", "0") == "0":
        checkpoint.save(model, target, bits=bits)
    return Trained(model, target, result, sum_counts(one.passed for one in sources.values()))


def _names(names: Sequence[str], styles: Sequence[Source], target: Path) -> tuple[str, ...]:
    """Return the names of the styles; without styles, one for the model."""
    called = tuple(names or (name_of(one, target) for one in styles)) or (target.stem,)
    if len(set(called)) != max(1, len(styles)):
        raise InputError(f"{len(styles)} styles need as many different names, not {called}")
    return called


def _style_source(name: str, styles: Sequence[Source]) -> str | Path | None:
    """Return the only source of style images for a network for any style; None if there is none."""
    if len(styles) > 1 or not all(isinstance(one, (str, Path)) for one in styles):
        raise InputError(f"{name} learns no single style: give one folder of many paintings")
    return next((one for one in styles if isinstance(one, (str, Path))), None)


def open_sources(
    recipe: recipes.Recipe,
    wanted: Sequence[str],
    content: str | Path | None,
    style: str | Path | None = None,
) -> dict[str, Pictures]:
    """Open the sources of training images that a task needs.

    Args:
        recipe: The recipe, for the crops.
        wanted: Names of the sources: ``content``, ``style``, both or none.
        content: Path of the content images.
        style: Path of the style images.

    Raises:
        InputError: A source is missing, cannot be read, or is not needed.
    """
    if style is not None and "style" not in wanted:
        raise InputError(f"{recipe.method} learns from photographs alone: leave out `style`")
    cut, found = recipe.cut, {}
    for name, what, path in (("content", "photographs", content), ("style", "paintings", style)):
        if name in wanted:
            if path is None:
                raise InputError(f"{recipe.method} learns from {what}: give a folder as `{name}`")
            repeat = cut.style_steps if name == "style" else 1
            found[name] = open_source(path, cut.crop, cut.zoom, cut.flip, repeat)
    return found


def _initialize(method: NetworkMethod, module: nn.Module, path: Path) -> None:
    try:
        method.start(module, checkpoint.load(path))
    except InputError as error:
        raise InputError(f"cannot start from {path}: {error}") from error
