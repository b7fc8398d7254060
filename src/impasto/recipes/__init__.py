"""Recipes: how each network of the package is trained, in small TOML files, one for each method."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from impasto.errors import InputError
from impasto.methods import config as method_config
from impasto.methods.registry import Ability, get
from impasto.training.plan import Plan


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
                known = ", ".join(
                    f.name for part in parts.values() for f in dataclasses.fields(part)
                )
                raise InputError(f"unknown setting {key!r}: {self.method} has {known}")
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

    Args:
        name: ``johnson``, or a path that ends in ``.toml``.
        preset: Of the method's config, before the recipe's own ``[config]``.

    Raises:
        InputError: There is no such recipe, or it cannot be read.
    """
    path = Path(name) if name.endswith(".toml") else _own(name)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a recipe ({error})") from error
    method = str(told.pop("method", name))
    entry = get(method, Ability.TRAIN)
    parts = {
        "plan": Plan(),
        "cut": Cut(),
        "config": method_config.preset(entry.build.Config, preset),
    }
    for table, numbers in told.items():
        if table not in parts or not isinstance(numbers, dict):
            raise InputError(f"{path}: unknown table [{table}]: use {', '.join(parts)}")
        fixed = {key: tuple(v) if isinstance(v, list) else v for key, v in numbers.items()}
        parts[table] = method_config.change(parts[table], fixed)
    return Recipe(method, **parts)


def _own(name: str) -> Path:
    get(name, Ability.TRAIN)
    return Path(str(resources.files("impasto") / "recipes" / f"{name}.toml"))
