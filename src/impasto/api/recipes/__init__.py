"""Recipes: the hyperparameters of the training of each network, by preset, as TOML files."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from impasto.errors import InputError, check_range
from impasto.methods import config as method_config
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.training.plan import Plan

_TABLES = ("plan", "cut", "config")
_PRESET_TABLES = ("plan", "cut")
_PRESETS = method_config.PRESETS[1:]


@dataclass(frozen=True)
class CropConfig:
    """Hyperparameters of the crops of training images.

    Attributes:
        crop: Side of the square crops, in pixels.
        zoom: See :class:`impasto.training.data.Source`.
        flip: Whether half of the crops are mirrored.
        style_steps: Number of successive training steps with the same style images, k in
            algorithm 1 of Shen et al., CVPR 2018; 1 draws new ones for every step.
    """

    crop: int = 256
    zoom: float = 1.5
    flip: bool = True
    style_steps: int = 1

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        check_range(16, crop=self.crop)
        check_range(1, zoom=self.zoom, style_steps=self.style_steps)


@dataclass(frozen=True)
class Recipe:
    """All hyperparameters of a training.

    Attributes:
        method: Name of the method.
        plan: Number of steps, batch size, learning rate and the like.
        cut: Crops of the training images.
        config: Config of the method.
    """

    method: str
    plan: Plan
    cut: CropConfig
    config: Any

    def change(self, settings: Mapping[str, Any]) -> Recipe:
        """Return the recipe with some fields of its plan, its crops or its config replaced.

        Args:
            settings: New values by the names of the fields, as text or as values.

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

    def plan_and_crops(self) -> dict[str, Any]:
        """Return the plan and the crops as dictionaries, for the metadata of a model."""
        return {"plan": dataclasses.asdict(self.plan), "cut": dataclasses.asdict(self.cut)}


def _has(part: Any, key: str) -> bool:
    return any(field.name == key for field in dataclasses.fields(part))


def load(name: str, preset: str = "default") -> Recipe:
    """Load a recipe by the name of a method, or from a TOML file.

    The file has a line ``method = "johnson"`` and the tables ``[plan]``, ``[cut]`` and
    ``[config]``, with fields of :class:`~impasto.training.plan.Plan`, :class:`CropConfig` and the
    method's config. Fields that it leaves out have their defaults.

    For the preset ``paper``, tables ``[paper.plan]`` and ``[paper.cut]`` replace ``[plan]`` and
    ``[cut]``; likewise for ``authors``. If there are none for a preset, a recipe of the package
    uses ``[plan]`` and ``[cut]`` for it; those of a user's file change the ones that the package's
    recipe has for that preset.

    Args:
        name: ``johnson``, or a path that ends in ``.toml``.
        preset: ``default``, ``paper`` or ``authors``: of the plan, the crops and the method's
            config; ``[config]`` of the recipe then changes the latter.

    Raises:
        InputError: There is no such recipe, or it cannot be read.
    """
    path = Path(name) if name.endswith(".toml") else _package_recipe(name)
    content = _read(path)
    method = str(content.pop("method", name))
    entry = get(method, Ability.TRAIN)
    parts = {
        "plan": Plan(),
        "cut": CropConfig(),
        "config": method_config.preset(entry.build.Config, preset),
    }
    for tables in _tables(content, preset, path, method):
        for table, values in tables.items():
            fixed = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
            parts[table] = method_config.change(parts[table], fixed)
    return Recipe(method, **parts)


Tables = dict[str, dict[str, Any]]


def _read(path: Path) -> dict[str, Any]:
    """Read a recipe file, and check the names of its tables."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a recipe ({error})") from error
    for table, values in content.items():
        if table == "method":
            continue
        inner = values if table in _PRESETS and isinstance(values, dict) else {table: values}
        known = _PRESET_TABLES if table in _PRESETS else _TABLES
        for key, value in inner.items():
            if key not in known or not isinstance(value, dict):
                shown = f"{table}.{key}" if table in _PRESETS else key
                raise InputError(f"{path}: unknown table [{shown}]: use {', '.join(known)}")
    return content


def _tables(content: dict[str, Any], preset: str, path: Path, method: str) -> list[Tables]:
    """Return the tables of a recipe for a preset; later ones replace fields of earlier ones."""
    plain = {name: content[name] for name in _TABLES if name in content}
    if preset in content:
        return [content[preset], {key: plain[key] for key in ("config",) if key in plain}]
    own = _package_recipe(method)
    if preset == "default" or path == own:
        return [plain]
    return [_read(own).get(preset, {}), plain]


def _package_recipe(name: str) -> Path:
    get(name, Ability.TRAIN)
    return Path(str(resources.files("impasto") / "api" / "recipes" / f"{name}.toml"))
