"""Recipes: how each network is trained, by preset, in small TOML files, one for each method."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from impasto.errors import InputError
from impasto.methods import config as method_config
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.training.plan import Plan

_TABLES = ("plan", "cut", "config")
_OF_PRESET = ("plan", "cut")
_PRESETS = method_config.PRESETS[1:]


@dataclass(frozen=True)
class Cut:
    """How the images that a network learns from are drawn and cropped.

    Attributes:
        crop: Side of the square, in pixels.
        zoom: See :class:`impasto.training.data.Source`.
        flip: Whether half of the squares are mirrored.
        style_steps: Number of training steps in a row that get the same style images, k in
            algorithm 1 of Shen et al., CVPR 2018; 1 draws new ones for every step.
    """

    crop: int = 256
    zoom: float = 1.5
    flip: bool = True
    style_steps: int = 1

    def __post_init__(self) -> None:
        """Refuse what makes no square."""
        if self.crop < 16:
            raise InputError(f"crop is {self.crop}: it must be 16 pixels or more")
        if not self.zoom >= 1:
            raise InputError(f"zoom is {self.zoom}: it must be 1 or more")
        if self.style_steps < 1:
            raise InputError(f"style_steps is {self.style_steps}: it must be 1 or more")


@dataclass(frozen=True)
class Recipe:
    """All numbers of a training.

    Attributes:
        method: What is trained.
        plan: How long and how fast.
        cut: What it sees of the pictures.
        config: The numbers of the method.
    """

    method: str
    plan: Plan
    cut: Cut
    config: Any

    def change(self, settings: Mapping[str, Any]) -> Recipe:
        """The recipe with some numbers replaced, by the names of the fields of its parts.

        Raises:
            InputError: No part has such a field, or its value cannot be read.
        """
        parts = {"plan": self.plan, "cut": self.cut, "config": self.config}
        for key, value in settings.items():
            owner = next((name for name, part in parts.items() if _has(part, key)), None)
            if owner is None:
                known = [f.name for part in parts.values() for f in dataclasses.fields(part)]
                near = difflib.get_close_matches(key, known)
                hint = f"did you mean {' or '.join(near)}?" if near else f"use {', '.join(known)}"
                raise InputError(f"unknown setting {key!r} of {self.method}: {hint}")
            parts[owner] = method_config.change(parts[owner], {key: value})
        return dataclasses.replace(self, **parts)

    def numbers(self) -> dict[str, Any]:
        """The plan and the cut as a model's card keeps them."""
        return {"plan": dataclasses.asdict(self.plan), "cut": dataclasses.asdict(self.cut)}


def _has(part: Any, key: str) -> bool:
    return any(field.name == key for field in dataclasses.fields(part))


def load(name: str, preset: str = "default") -> Recipe:
    """A recipe by the name of a method, or from a TOML file.

    The file has a line ``method = "johnson"`` and the tables ``[plan]``, ``[cut]`` and
    ``[config]``, each with fields of :class:`~impasto.training.plan.Plan`, :class:`Cut` and the
    method's config. What it leaves out keeps its default.

    Tables such as ``[paper.plan]`` take the place of ``[plan]`` and ``[cut]`` where that preset is
    chosen. For a preset without them, a recipe of the package keeps its plan and cut; a file of
    one's own changes those that the method's recipe has for this preset.

    Args:
        name: ``johnson``, or a path that ends in ``.toml``.
        preset: ``default``, ``paper`` or ``authors``: of the plan, the cut and the method's config,
            which the recipe's own ``[config]`` then changes.

    Raises:
        InputError: There is no such recipe, or it cannot be read.
    """
    path = Path(name) if name.endswith(".toml") else _own(name)
    told = _read(path)
    method = str(told.pop("method", name))
    entry = get(method, Ability.TRAIN)
    parts = {
        "plan": Plan(),
        "cut": Cut(),
        "config": method_config.preset(entry.build.Config, preset),
    }
    for tables in _tables(told, preset, path, method):
        for table, numbers in tables.items():
            fixed = {key: tuple(v) if isinstance(v, list) else v for key, v in numbers.items()}
            parts[table] = method_config.change(parts[table], fixed)
    return Recipe(method, **parts)


Tables = dict[str, dict[str, Any]]


def _read(path: Path) -> dict[str, Any]:
    """Return a recipe file, its tables checked by name."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a recipe ({error})") from error
    for table, numbers in told.items():
        if table == "method":
            continue
        inner = numbers if table in _PRESETS and isinstance(numbers, dict) else {table: numbers}
        known = _OF_PRESET if table in _PRESETS else _TABLES
        for key, value in inner.items():
            if key not in known or not isinstance(value, dict):
                shown = f"{table}.{key}" if table in _PRESETS else key
                raise InputError(f"{path}: unknown table [{shown}]: use {', '.join(known)}")
    return told


def _tables(told: dict[str, Any], preset: str, path: Path, method: str) -> list[Tables]:
    """Return the tables of a recipe that count for a preset, the later over the earlier."""
    plain = {name: told[name] for name in _TABLES if name in told}
    if preset in told:
        return [told[preset], {key: plain[key] for key in ("config",) if key in plain}]
    own = _own(method)
    if preset == "default" or path == own:
        return [plain]
    return [_read(own).get(preset, {}), plain]


def _own(name: str) -> Path:
    get(name, Ability.TRAIN)
    return Path(str(resources.files("impasto") / "api" / "recipes" / f"{name}.toml"))
