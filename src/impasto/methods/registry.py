"""The table of methods. The command line, the documentation and the tests all read this one.

A method is a class in one file below ``impasto.methods``, decorated with :func:`method`. Nothing
else has to be told about it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from impasto.errors import InputError
from impasto.methods.spec import FAMILIES, Ability, Paper

if TYPE_CHECKING:
    from impasto.methods.base import Method


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
