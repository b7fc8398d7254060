"""The registry of methods, which the command line, the documentation and the tests read.

A method is a class decorated with :func:`register_method`: in a module below ``impasto.methods``,
in a module that another package names in its entry points ``impasto.methods``, or in a program.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from impasto.core import plugins
from impasto.errors import InputError
from impasto.methods.spec import FAMILIES, OTHER, Ability, Paper

if TYPE_CHECKING:
    from impasto.methods.base import Method


@dataclass(frozen=True)
class Entry:
    """A registered method."""

    name: str
    summary: str
    family: str
    papers: tuple[Paper, ...]
    abilities: Ability
    build: type[Method]


_ANY = Ability(0)

_REGISTERED: dict[str, Entry] = {}

_M = TypeVar("_M", bound="type[Method]")


def register_method(
    name: str, summary: str, *papers: Paper, family: str = OTHER, abilities: Ability
) -> Callable[[_M], _M]:
    """Register a class as a method.

    Args:
        name: Name of the method, in lower case.
        summary: Description in one line without a full stop.
        papers: The papers that it implements.
        family: One of :data:`~impasto.methods.spec.FAMILIES`; any other is listed under ``other``.
        abilities: The abilities of the method.

    Raises:
        InputError: Another class has this name.

    Example:
        >>> from impasto.methods import Ability, Method
        >>> @register_method("gatys", "another one", abilities=Ability.STYLIZE)
        ... class Mine(Method):
        ...     pass
        Traceback (most recent call last):
        impasto.errors.InputError: two methods are called 'gatys': ...
    """

    def register(build: _M) -> _M:
        if not build.__module__.startswith("impasto.methods."):
            # registered first, so that a duplicate from outside is the one that is refused
            _import_own_methods()
        before = _REGISTERED.get(name)
        if before is not None and _origin(before.build) != _origin(build):
            raise InputError(
                f"two methods are called {name!r}: {_origin(before.build)} and {_origin(build)}; "
                f"rename one"
            )
        build.name, build.abilities = name, abilities
        known = family if family in FAMILIES else OTHER
        _REGISTERED[name] = Entry(name, summary, known, papers, abilities, build)
        return build

    return register


def _origin(build: type) -> str:
    return f"{build.__module__}.{build.__qualname__}"


@cache
def _import_own_methods() -> None:
    """Import the package's own methods."""
    package = importlib.import_module("impasto.methods")
    for module in pkgutil.walk_packages(package.__path__, "impasto.methods."):
        importlib.import_module(module.name)


@cache
def _discover() -> None:
    _import_own_methods()
    plugins.load("impasto.methods")


def list_methods(ability: Ability | None = None) -> tuple[Entry, ...]:
    """List the methods that have all these abilities, by family and name; None is all methods.

    Example:
        >>> from impasto.methods import Ability
        >>> [entry.name for entry in list_methods(Ability.UPSCALE)]
        ['superres']
    """
    _discover()
    able = (entry for entry in _REGISTERED.values() if (ability or _ANY) in entry.abilities)
    return tuple(sorted(able, key=lambda entry: (FAMILIES.index(entry.family), entry.name)))


def get(name: str, ability: Ability = _ANY) -> Entry:
    """Return a method by its name.

    Raises:
        InputError: There is no method of that name, or it lacks the ability.
    """
    _discover()
    able = ", ".join(entry.name for entry in list_methods(ability))
    if name not in _REGISTERED:
        raise InputError(f"unknown method {name!r}: choose {able}")
    if ability not in _REGISTERED[name].abilities:
        raise InputError(f"{name} cannot {ability.describe()}: choose {able}")
    return _REGISTERED[name]
