"""A method by name, or a trained model by its file, ready to work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Unpack

from impasto.core.device import Place, choose
from impasto.core.memory import keep_large_blocks
from impasto.errors import InputError
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.models import checkpoint as model_file
from impasto.models import onnx_file, zoo
from impasto.onnx.exporter import kept
from impasto.onnx.runtime import Exported

RUNTIMES = ("torch", "onnx")


def list_models(kind: str | None = None) -> tuple[zoo.Learned, ...]:
    """List what the models that come with the package have learned, by kind and name.

    Args:
        kind: ``style``, ``texture``, ``upscale`` or ``any`` (a model that paints in the style of
            any picture); None is all.

    Example:
        >>> [model.name for model in list_models("upscale")]
        ['upscale-x4']
    """
    return tuple(model for model in zoo.shipped() if kind in {None, model.kind})


def load_model(
    source: str | os.PathLike[str],
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Method:
    """Load a trained model once, to paint many images with it.

    Args:
        source: A name of ``impasto styles``, or the path of a model.
        preset: ``default`` leaves the model's own numbers; ``paper`` and ``authors`` change those
            that no weight depends on.
        settings: Such numbers to change, by name.
        runtime: See :func:`get_method`.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        What the verbs take as their ``method``. Its ``own_style()`` is the style that it has
        learned, of several ``own_style(index)``.

    Raises:
        InputError: There is no such model, or a setting cannot change.
        MissingExtraError: The libraries for ONNX files are not installed.
        WeightsError: The file is damaged.
    """
    found = zoo.find(source, None)
    if found is None:
        raise InputError(f"no model {str(source)!r}: give a model file, or see 'impasto styles'")
    return open_learned(found, preset=preset, settings=settings, runtime=runtime, **place)


def get_method(
    name: str,
    ability: Ability | None = None,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Method:
    """Build a method by name, with its hyperparameters, on a device.

    Args:
        name: Of the table of methods; or the model of one that paints in any style.
        ability: What it shall do; None is anything.
        preset: ``default``, ``paper`` or ``authors``; of a model those numbers that may still
            change.
        settings: Numbers to change, by name; of a model those that may still change.
        runtime: ``torch``, or ``onnx``: a network runs in ONNX Runtime, exported when it is first
            asked for.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: The method, the preset or a setting is unknown, or it is a network, and there
            is no model of it.
    """
    found = zoo.for_any_style(name)
    if found is not None:
        get(found.method, ability or Ability(0))
        return open_learned(
            found,
            preset=preset,
            settings=settings,
            runtime=runtime,
            **place,
        )
    entry = get(name, ability or Ability(0))
    if issubclass(entry.build, NetworkMethod):
        raise InputError(_unlearned(entry.build))
    if _checked(runtime) == "onnx":
        raise InputError(f"{name} is no network: only networks run in ONNX Runtime")
    numbers = method_config.change(method_config.preset(entry.build.Config, preset), settings or {})
    where = choose(**place)
    keep_large_blocks()
    return entry.build(numbers, where)


def open_learned(
    found: zoo.Learned,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Method:
    """What paints with a trained model: its method, or ONNX Runtime for an ONNX file.

    Args:
        found: The model.
        preset: See :func:`open_model`.
        settings: See :func:`open_model`.
        runtime: See :func:`get_method`.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: See :func:`open_model`.
        MissingExtraError: The libraries for ONNX files are not installed.
        WeightsError: The file is damaged.
    """
    path = found.path
    exported = path.suffix == onnx_file.SUFFIX
    if not exported and _checked(runtime) == "torch":
        return open_model(found, preset=preset, settings=settings, **place)
    if preset != "default":
        raise InputError(f"{path.name} has the numbers that it is exported with: no preset")
    keep_large_blocks()
    return Exported(
        path if exported else kept(path),
        settings=settings,
        device=place.get("device", "auto"),
        precision=place.get("precision", "auto"),
    )


def open_model(
    found: zoo.Learned,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> NetworkMethod:
    """The method of a trained model, with its weights.

    Args:
        found: The model.
        preset: ``default`` leaves the model's own numbers; ``paper`` and ``authors`` change those
            that no weight depends on.
        settings: Such numbers to change, by name.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: The model's method is unknown, or the device is, or a setting cannot change.
        WeightsError: The file is damaged.
    """
    if found.path.suffix == onnx_file.SUFFIX:
        raise InputError(f"{found.path} is an export: give the model that it was made from")
    entry = get(found.method, Ability.TRAIN)
    assert issubclass(entry.build, NetworkMethod)  # what TRAIN means
    where = choose(**place)
    keep_large_blocks()
    model = model_file.load(found.path)
    changes = entry.build.adjust(preset, settings or {})
    return entry.build.open(replace(model, config={**model.config, **changes}), where)


def _checked(runtime: str) -> str:
    if runtime not in RUNTIMES:
        raise InputError(f"unknown runtime {runtime!r}: choose {', '.join(RUNTIMES)}")
    return runtime


def _unlearned(network: type[NetworkMethod]) -> str:
    """What to do about a network without a model."""
    name = network.name
    if network.kind == "any":
        return (
            f"{name} needs a model, and the package ships none: teach one with 'impasto train "
            f"{name}', and give its file as the method"
        )
    return (
        f"{name} makes what it has learned: name a style of 'impasto styles' or a model file, "
        f"or teach it one with 'impasto train {name}'"
    )
