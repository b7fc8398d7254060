"""Configs: frozen dataclasses of hyperparameters, their presets, and changes given as text."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from impasto.errors import InputError

PRESETS = ("default", "paper", "authors")

C = TypeVar("C")

_SUPERSEDED = {"style_sum": False, "normalization": "chw", "smoothness": 0.0}
_TYPE_NAMES = {int: "whole number", float: "number"}


def preset(kind: type[C], name: str) -> C:
    """Return a config by the name of its preset: ``default``, ``paper`` or ``authors``.

    Raises:
        InputError: This config has no such preset.
    """
    known = ["default", *(word for word in PRESETS[1:] if hasattr(kind, word))]
    if name not in known:
        raise InputError(f"no preset {name!r} here: choose {', '.join(known)}")
    config: C = kind() if name == "default" else getattr(kind, name)()
    return config


def change(config: C, settings: Mapping[str, Any]) -> C:
    """Return a config with some fields replaced; text is converted to the type of the field.

    Args:
        config: A frozen dataclass.
        settings: New values by field name, as text (``"3"``, ``"relu1_1,relu2_1"``) or as values.

    Raises:
        InputError: There is no such field, or its value cannot be read.
    """
    types = typing.get_type_hints(type(config))
    values = {}
    for key, value in settings.items():
        if key not in types:
            raise InputError(f"unknown setting {key!r}: this method has {', '.join(types)}")
        values[key] = _read(key, value, types[key]) if isinstance(value, str) else value
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def _read(key: str, text: str, kind: Any) -> Any:
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    if typing.get_origin(kind) is tuple:
        return tuple(_read(key, item.strip(), options[0]) for item in text.split(",") if item)
    if options:  # "X | None"
        return None if text.lower() == "none" else _read(key, text, options[0])
    if kind is bool:
        if text.lower() not in {"true", "false", "yes", "no", "1", "0"}:
            raise InputError(f"{key} is yes or no, not {text!r}")
        return text.lower() in {"true", "yes", "1"}
    try:
        value = kind(text)
    except ValueError as error:
        raise InputError(f"{key}: {text!r} is no {_TYPE_NAMES.get(kind, kind.__name__)}") from error
    if kind is float and not math.isfinite(value):
        raise InputError(f"{key} is {value}: it must be finite")
    return value


def restore(kind: type[C], values: Mapping[str, Any]) -> C:
    """Return a config from the values of a model file, in which JSON has turned tuples into lists.

    Fields that the first models had before ``losses`` are left out where they say the same as its
    default.
    """
    defaults = {**_SUPERSEDED, "style_loss": getattr(kind, "losses", None)}
    same = values.get("relative", True)  # such losses cancel the factor of the normalisation
    known = {k: v for k, v in values.items() if not (same and k in defaults and v == defaults[k])}
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in known.items()})
