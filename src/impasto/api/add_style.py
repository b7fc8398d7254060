"""Add a style to a trained model, without a change to its other styles."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from impasto.api import recipes, train
from impasto.api.card import describe, model_path, name_of, thumbnail
from impasto.api.inputs import Source, read_image
from impasto.api.train import Trained
from impasto.core.device import choose
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.methods.network import NetworkMethod, network_class
from impasto.methods.protocols import AddsStyles
from impasto.models import checkpoint, zoo
from impasto.training.processes import local


def add_style(
    model: str | Path,
    style: Source,
    output: str | Path,
    *,
    content: str | Path | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = True,
    max_seconds: float | None = None,
    device: str = "auto",
    precision: str = "auto",
    callback: Callback = silent,
) -> Trained:
    """Train one more style for a model, and write the result as another model.

    The results of the other styles stay exactly the same. Checkpoints are written as in
    :func:`impasto.api.train.train`.

    Args:
        model: A model of a method that can add styles: a file, or the name of one that the package
            ships, such as ``cin``.
        style: The style image.
        output: Path of the new model.
        content: Content images for training, see :func:`impasto.api.train.train`.
        name: Name of the style; None is the name of its file.
        settings: Hyperparameters of the recipe to change, by name; those of the network are fixed.
        resume: Whether to resume from an existing checkpoint.
        max_seconds: Time in seconds after which training stops and writes the model.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        callback: Called after every step; if it cancels, training stops and writes the model.

    Returns:
        The new model and the course of its training.

    Raises:
        InputError: An argument cannot be used.
        DivergedError: Training diverged; its last checkpoint is kept.
    """
    target, known = model_path(output), checkpoint.load(zoo.model_of(model))
    if target.resolve() == Path(model).resolve():
        raise InputError(f"{target} is the model itself: write to another file")
    picture, called = read_image(style), name or name_of(style, target)
    if called in known.styles:
        raise InputError(f"{model} has a style {called!r} already: give the new one another name")
    method = network_class(known.method).open(known, local(choose(device, precision)))
    if not isinstance(method, AddsStyles):
        raise InputError(f"{method.name} takes no further styles: train another model")
    recipe = _recipe(method, known, method.addition_settings, settings or {})
    torch.manual_seed(recipe.plan.seed)
    task = method.addition_task(recipe.config, picture.rgb)
    sources = train.open_sources(recipe, task.sources, content)
    how = {"resume": resume, "max_seconds": max_seconds}
    result = train.learn(method, recipe, task, target, sources, callback=callback, **how)
    added = {"name": called, **describe(recipe, result, method)}
    card = {
        **known.card,
        "added": [*known.card.get("added", ()), added],
        "thumbnails": {**known.card.get("thumbnails", {}), called: thumbnail(picture)},
    }
    made = method.model(method.with_added_style(result.module), (*known.styles, called), card)
    return train.write(made, target, result, sources, checkpoint.smallest_bits(known.state))


def _recipe(
    method: NetworkMethod,
    known: checkpoint.Model,
    adding: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> recipes.Recipe:
    """Return the method's recipe with the config and crops of the model.

    These two determine the size of the strokes.

    Raises:
        InputError: A setting is unknown, or would change the network.
    """
    recipe = dataclasses.replace(recipes.load(method.name), config=method.config)
    recipe = recipe.change(known.card.get("recipe", {}).get("cut", {}))
    recipe = recipe.change(adding).change(settings)
    if _shapes(method.network(recipe.config)) != _shapes(method.module):
        raise InputError("the network stays as it was trained: change other settings")
    return recipe


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in module.state_dict().items()}
