"""The table of methods. The command line, the documentation and the tests all read this one.

A method is a class in one file below ``impasto.methods``, decorated with :func:`method`. Nothing
else has to be told about it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from impasto.errors import InputError

if TYPE_CHECKING:
    from impasto.methods.base import Method

FAMILIES = ("optimization", "per_style", "multi_style", "arbitrary")


class Ability(Flag):
    """What a method can do."""

    STYLIZE = auto()  # a photo in the style of a painting
    SYNTHESIZE = auto()  # more of a texture, at any size
    RECONSTRUCT = auto()  # a picture from its features
    MASKS = auto()  # regions with styles of their own, better than by blending pictures
    BLEND = auto()  # several style pictures with weights
    UPSCALE = auto()  # a larger picture
    INSPECT = auto()  # shows what the parts of a style have learned: see NetworkMethod.inspect
    TRAIN = auto()  # learns, and paints with what it has learned: see impasto.methods.network
    EXPORT = auto()  # runs in other runtimes: see NetworkMethod.graphs

    def words(self) -> str:
        """The abilities as the table of methods prints them."""
        return ", ".join(sorted(str(one.name).lower() for one in self))


@dataclass(frozen=True)
class Paper:
    """Where a method comes from."""

    authors: str
    title: str
    venue: str
    year: int
    url: str = ""

    def __str__(self) -> str:
        return f"{self.authors}, {self.title}, {self.venue} {self.year}"


@dataclass(frozen=True)
class Entry:
    """One row of the table."""

    name: str
    summary: str
    family: str
    papers: tuple[Paper, ...]
    abilities: Ability
    build: type[Method]


_ANY = Ability(0)

_TABLE: dict[str, Entry] = {}

_M = TypeVar("_M", bound="type[Method]")


def method(
    name: str, summary: str, *papers: Paper, family: str, abilities: Ability
) -> Callable[[_M], _M]:
    """Put a method into the table.

    Args:
        name: What users call it, in lower case.
        summary: What it does, in one line without a full stop.
        papers: Where it comes from.
        family: One of :data:`FAMILIES`.
        abilities: What it can do.
    """

    def register(build: _M) -> _M:
        build.name, build.abilities = name, abilities
        _TABLE[name] = Entry(name, summary, family, papers, abilities, build)
        return build

    return register


@cache
def _discover() -> None:
    package = importlib.import_module("impasto.methods")
    for module in pkgutil.walk_packages(package.__path__, "impasto.methods."):
        importlib.import_module(module.name)


def methods(ability: Ability = _ANY) -> tuple[Entry, ...]:
    """All methods that have these abilities, by family and name."""
    _discover()
    able = (entry for entry in _TABLE.values() if ability in entry.abilities)
    return tuple(sorted(able, key=lambda entry: (FAMILIES.index(entry.family), entry.name)))


def get(name: str, ability: Ability = _ANY) -> Entry:
    """One method by name.

    Raises:
        InputError: There is none of that name, or it lacks the ability.
    """
    _discover()
    able = ", ".join(entry.name for entry in methods(ability))
    if name not in _TABLE:
        raise InputError(f"unknown method {name!r}: choose {able}")
    if ability not in _TABLE[name].abilities:
        raise InputError(f"{name} cannot {ability.words()}: choose {able}")
    return _TABLE[name]
