"""The style losses by name.

They come from this package, from the entry points ``impasto.losses`` of other packages, and from
:func:`register_loss`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from impasto.core import plugins
from impasto.errors import InputError
from impasto.losses.kernel_losses import GaussianLoss, PolynomialLoss
from impasto.losses.patch_loss import PatchLoss
from impasto.losses.sliced import SlicedLoss
from impasto.losses.style import GramLoss, LinearLoss, MomentsLoss

NAME = r"[a-z][a-z0-9_-]*"

LOSSES: dict[str, type[Any]] = {
    "gram": GramLoss,
    "moments": MomentsLoss,
    "linear": LinearLoss,
    "polynomial": PolynomialLoss,
    "gaussian": GaussianLoss,
    "patches": PatchLoss,
    "sliced": SlicedLoss,
}

_L = TypeVar("_L", bound="type[Any]")


def register_loss(name: str) -> Callable[[_L], _L]:
    """Register a style loss class under a name that texts of losses can use.

    The class is a frozen dataclass with the methods of
    :class:`~impasto.losses.style.StyleLoss`. Its fields, all with defaults, are the options in
    parentheses.

    Args:
        name: Lower case letters, digits, ``_`` and ``-``, beginning with a letter.

    Raises:
        InputError: The name has other characters, or another class has it.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(f"{name!r} cannot name a loss: take lower case letters and digits")

    def register(kind: _L) -> _L:
        first = LOSSES.setdefault(name, kind)
        if _origin(first) != _origin(kind):
            raise InputError(
                f"two losses are called {name!r}: {_origin(first)} and {_origin(kind)}; rename one"
            )
        LOSSES[name] = kind
        return kind

    return register


def list_losses() -> tuple[str, ...]:
    """List the names of all style losses.

    Example:
        >>> "gram" in list_losses()
        True
    """
    _discover()
    return tuple(LOSSES)


def _origin(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@cache
def _discover() -> None:
    plugins.load("impasto.losses")
