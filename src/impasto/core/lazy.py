"""Import the public names of a package when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def exports(
    package: str, homes: Mapping[str, str], names: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: Its ``__name__``.
        homes: For each public name the module that defines it, relative to the package.
        names: What ``dir`` lists: its ``__all__``.

    Example:
        >>> getattr_, dir_ = exports("impasto.core", {"Progress": "progress"}, ["Progress"])
        >>> getattr_("Progress").__name__, dir_()
        ('Progress', ['Progress'])
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return get, lambda: list(names)
