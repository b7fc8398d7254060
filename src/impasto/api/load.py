"""Build a method by its name, or load a trained model from its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Unpack

from impasto.core.device import Place, choose
from impasto.core.memory import keep_large_blocks
from impasto.errors import InputError, check_choice
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.network import NetworkMethod, network_class
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.models import checkpoint as model_file
from impasto.models import onnx_file, zoo
from impasto.onnx import choice
from impasto.onnx.engines import ENGINES
from impasto.onnx.exporter import cached_export
from impasto.onnx.runtime import Exported

RUNTIMES = ("torch", *ENGINES, "auto")
_SYNONYMS = {"onnx": "onnxruntime"}


def list_models(kind: str | None = None) -> tuple[zoo.Learned, ...]:
    """List the models and learned styles that ship with the package, by kind and name.

    Args:
        kind: ``style``, ``texture``, ``upscale`` or ``any`` (a model that paints in the style of
            any image); None is all.

    Example:
        >>> [model.name for model in list_models("upscale")]
        ['upscale-x4', 'upscale-x4-pixel']
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
        preset: ``default`` leaves the model's hyperparameters; ``paper`` and ``authors`` change
            those that can be changed after training.
        settings: Such hyperparameters to change, by name.
        runtime: See :func:`get_method`.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The method, for the argument ``method`` of functions such as :func:`impasto.stylize`. Its
        ``own_style(index)`` returns the styles that it has learned.

    Raises:
        InputError: There is no such model, or a setting cannot be changed.
        MissingExtraError: The libraries for ONNX files are not installed.
        WeightsError: The file is damaged.
    """
    found = zoo.find(source, None)
    if found is None:
        raise InputError(f"no model {str(source)!r}: give a model file, or see 'impasto styles'")
    return load_learned(found, preset=preset, settings=settings, runtime=runtime, **place)


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
        name: Name of a method; or the name or path of a model that paints in any style.
        ability: Ability that the method must have; None is any.
        preset: ``default``, ``paper`` or ``authors``; for a model it changes only what can be
            changed after training.
        settings: Hyperparameters to change, by name; for a model only those that can be changed
            after training.
        runtime: ``torch``; ``onnxruntime`` (or ``onnx``) or ``openvino``, which run a network in
            ONNX Runtime or OpenVINO and export it first, unless the export is cached; or ``auto``,
            the fastest of them for that network on this machine, see
            :func:`impasto.onnx.choice.fastest`.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: The method, the preset or a setting is unknown, or it is a network, and there
            is no model of it.
    """
    found = zoo.find_arbitrary(name)
    if found is not None:
        get(found.method, ability or Ability(0))
        return load_learned(
            found,
            preset=preset,
            settings=settings,
            runtime=runtime,
            **place,
        )
    entry = get(name, ability or Ability(0))
    if issubclass(entry.build, NetworkMethod):
        raise InputError(_no_model_message(entry.build))
    if _check_runtime(runtime) in ENGINES:
        raise InputError(f"{name} is no network: only networks run in {_check_runtime(runtime)}")
    config = method_config.change(method_config.preset(entry.build.Config, preset), settings or {})
    where = choose(**place)
    keep_large_blocks()
    return entry.build(config, where)


def load_learned(
    found: zoo.Learned,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Method:
    """Load the method of a trained model, or one that runs its export in another runtime.

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
    engine = _check_runtime(runtime)
    if exported and engine not in ENGINES:
        engine = "onnxruntime"
    elif engine == "auto":
        engine = _fastest(found, preset=preset, settings=settings, **place)
    if engine == "torch":
        return open_model(found, preset=preset, settings=settings, **place)
    if preset != "default":
        raise InputError(f"{path.name} is an export, whose hyperparameters are fixed: no preset")
    keep_large_blocks()
    return Exported(
        path if exported else cached_export(path),
        settings=settings,
        device=place.get("device", "auto"),
        precision=place.get("precision", "auto"),
        engine=engine,
    )


def _fastest(
    found: zoo.Learned,
    *,
    preset: str,
    settings: Mapping[str, Any] | None,
    **place: Unpack[Place],
) -> str:
    """Return the fastest runtime for a model, or ``torch`` where an export could do less than it.

    An export has fixed hyperparameters, does not paint in strips, and of a model for any style it
    reads no encoded styles.
    """
    where = choose(**place)
    changed = bool(settings) or preset != "default" or where.memory is not None
    if changed or found.kind == "any" or where.device.type != "cpu":
        return "torch"
    if Ability.EXPORT not in get(found.method).abilities:
        return "torch"
    return choice.fastest(
        found.path,
        found.kind,
        lambda runtime: load_learned(found, runtime=runtime, **place),
        key=str(where.dtype),
    )


def open_model(
    found: zoo.Learned,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> NetworkMethod:
    """Load the method of a trained model, with its weights.

    Args:
        found: The model.
        preset: ``default`` leaves the model's hyperparameters; ``paper`` and ``authors`` change
            those that can be changed after training.
        settings: Such hyperparameters to change, by name.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: The method or the device is unknown, or a setting cannot be changed.
        WeightsError: The file is damaged.
    """
    if found.path.suffix == onnx_file.SUFFIX:
        raise InputError(f"{found.path} is an export: give the model that it was made from")
    build, where = network_class(found.method), choose(**place)
    keep_large_blocks()
    model = model_file.load(found.path)
    changes = _changes(build, preset, settings or {})
    return build.open(replace(model, config={**model.config, **changes}), where)


def _changes(
    build: type[NetworkMethod], preset: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the changes that a preset and settings make to the config of a trained model.

    Raises:
        InputError: A setting is unknown, cannot be read, or is fixed by the training.
    """
    config = method_config.change(method_config.preset(build.Config, preset), settings)
    fixed = [name for name in settings if name not in build.adjustable]
    if fixed:
        free = ", ".join(build.adjustable) or "none of its hyperparameters"
        raise InputError(f"{fixed[0]} cannot be changed after training {build.name}: change {free}")
    names = settings if preset == "default" else build.adjustable
    return {name: getattr(config, name) for name in names}


def _check_runtime(runtime: str) -> str:
    known = _SYNONYMS.get(runtime, runtime)
    check_choice("runtime", known, RUNTIMES)
    return known


def _no_model_message(network: type[NetworkMethod]) -> str:
    """Return the error message for a network that is named without a model."""
    name = network.name
    if network.kind == "any":
        return (
            f"{name} needs a model, and the package ships none: train one with 'impasto train "
            f"{name}', and give its file as the method"
        )
    return (
        f"{name} needs a trained model: name a style of 'impasto styles' or a model file, "
        f"or train one with 'impasto train {name}'"
    )
