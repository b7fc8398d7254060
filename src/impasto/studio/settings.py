"""Define which hyperparameters of a method clients may change, and their ranges."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from impasto.errors import InputError
from impasto.losses import batches, content
from impasto.methods import config as method_config
from impasto.methods.arbitrary.base import STATISTICS
from impasto.methods.arbitrary.wct import TRANSPORTS
from impasto.methods.network import NetworkMethod
from impasto.methods.optimization.base import STARTS
from impasto.methods.optimization.mmd import SCALINGS
from impasto.methods.optimization.monitor import OPTIMIZERS
from impasto.methods.optimization.resample import ALGORITHMS
from impasto.methods.registry import get
from impasto.nn import vgg_weights
from impasto.nn.vgg import POOLINGS
from impasto.nn.vgg_layers import layer_names
from impasto.nn.vgg_state import FLAVORS
from impasto.studio.limits import MAX_TEXT

STEPS = 1000  # steps at one size, at most

_WEIGHT = 0.0, 1e9
_LAYERS = layer_names("vgg19")

# lowest and highest value; each element of a tuple must be within them
_RANGES: Mapping[str, tuple[float, float]] = {
    "steps": (1, STEPS),
    "coarse_steps": (1, STEPS),
    "levels": (1, 6),
    "history": (1, 100),
    "patience": (1, STEPS),
    "learning_rate": (0, 1e3),
    "first_step": (0, 1),
    "spectrum": (0, 2),
    "tolerance": (0, 1),
    "content_weight": _WEIGHT,
    "style_weight": _WEIGHT,
    "style_weights": _WEIGHT,
    "tv_weight": _WEIGHT,
    "alpha": (0, 1),
    "floor": (0, 1),
    "rounds": (1, 10),
    "scales": (0, 3),
    "rotations": (0, 2),
    "window": (3, 31),
    "windows": (3, 15),
    "passes": (1, 10),
}

# allowed values; each element of a tuple must be one of them
_CHOICES: Mapping[str, Sequence[Any]] = {
    "optimizer": OPTIMIZERS,
    "start": STARTS,
    "pooling": POOLINGS,
    "padding": ("zeros", "reflect", "replicate", "circular"),
    "arch": tuple(vgg_weights.DEFAULT),
    "flavor": tuple(FLAVORS),
    "weights": (*vgg_weights.ENTRIES, None),  # a name of the table, never a path
    "content_layers": _LAYERS,
    "style_layers": _LAYERS,
    "content_reduction": content.REDUCTIONS,
    "gram_reduction": batches.REDUCTIONS,
    "scaling": SCALINGS,
    "statistics": STATISTICS,
    "transport": tuple(TRANSPORTS),
    "algorithm": ALGORITHMS,
    "histogram": (True, False),
    "average_overlaps": (True, False),
}

# allowed values of one method, instead of the above; None forbids changes
_METHOD_CHOICES: Mapping[tuple[str, str], Sequence[Any] | None] = {
    ("cnnmrf", "style_layers"): None,  # a shallow layer has so many patches that it takes hours
    ("wct", "levels"): tuple(f"relu{depth}_1" for depth in range(1, 6)),
}

_MAX_VALUES = 16  # values in one setting, at most


def allowed(method: str) -> tuple[str, ...]:
    """Return the names of a method's hyperparameters that clients may change.

    Args:
        method: A name of the table of methods.
    """
    build = get(method).build
    names = [field.name for field in dataclasses.fields(build.Config)]
    if issubclass(build, NetworkMethod):
        names = [name for name in names if name in build.adjustable]
    return tuple(name for name in names if _choices(method, name) or name in _RANGES)


def parse_permitted(method: str | None, settings: str | Mapping[str, str] | None) -> dict[str, str]:
    """Parse settings and check each of them, without reading any file.

    Args:
        method: A name of the table of methods; None if settings are not supported.
        settings: By name; or as text, see :func:`split_settings`.

    Raises:
        InputError: It is no list of settings, or a setting may not be changed, cannot be parsed,
            or is out of range.

    Example:
        >>> parse_permitted("gatys", "steps=20; content_weight = 5")
        {'steps': '20', 'content_weight': '5'}
    """
    settings = dict(settings) if isinstance(settings, Mapping) else split_settings(settings)
    if not settings:
        return {}
    if method is None:
        raise InputError("settings are for methods: leave them out for this style")
    able = allowed(method)
    for name in settings:
        if name not in able:
            what = ", ".join(able) or "none of its hyperparameters"
            raise InputError(f"{name[:60]!r} cannot be changed here: {method} takes {what}")
    for name, value in settings.items():
        if name == "weights" and value.lower() not in {*vgg_weights.ENTRIES, "none"}:
            raise InputError(f"weights go by name here: choose {', '.join(vgg_weights.ENTRIES)}")
    config = method_config.change(get(method).build.Config(), settings)
    for name in settings:
        _check(method, name, getattr(config, name))
    return settings


def _choices(method: str, name: str) -> Sequence[Any] | None:
    if (method, name) in _METHOD_CHOICES:
        return _METHOD_CHOICES[method, name]
    return _CHOICES.get(name)


def _check(method: str, name: str, value: Any) -> None:
    """Check that a value is allowed."""
    values = value if isinstance(value, tuple) else (value,)
    if len(values) > _MAX_VALUES:
        raise InputError(f"{name} has {len(values)} values: {_MAX_VALUES} at most")
    choices = _choices(method, name)
    for one in values:
        if choices is not None:
            if one not in choices:
                known = ", ".join(str(choice) for choice in choices)
                raise InputError(f"{name} is {str(one)[:60]!r}: choose {known}")
        else:
            low, high = _RANGES[name]
            if not low <= one <= high:
                raise InputError(f"{name} is {one:g}: it must be {low:g} to {high:g} here")


def split_settings(text: str | None) -> dict[str, str]:
    """Parse settings by name, without checking them.

    Args:
        text: ``NAME=VALUE``, separated by line breaks or semicolons.

    Raises:
        InputError: It is no list of settings, or too long.
    """
    given = str(text or "")
    if len(given) > MAX_TEXT:
        raise InputError(f"settings are {MAX_TEXT} letters at most")
    found = {}
    for pair in filter(None, (part.strip() for part in given.replace(";", "\n").splitlines())):
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"a setting is NAME=VALUE, not {pair[:60]!r}")
        found[name.strip()] = value.strip()
    return found
