"""How much time a picture is given, where no method is named.

The numbers behind the words are measured: docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from impasto.errors import InputError

DEFAULT = "fast"


@dataclass(frozen=True)
class Quality:
    """A method for a painting, with its numbers.

    Attributes:
        method: A name of the table of methods; the package has a model of it, where it needs one.
        settings: Numbers of the method to change.
        about: How it looks and what it costs, in words.
    """

    method: str
    about: str
    settings: Mapping[str, Any] = field(default_factory=dict)


QUALITIES: Mapping[str, Quality] = {
    "fast": Quality("style-prediction", "one network for every painting, in one pass: seconds"),
    "good": Quality(
        "gatys",
        "a short optimisation from small to large: about half a minute",
        {"steps": 20, "coarse_steps": 60},
    ),
    "best": Quality("gatys", "a long optimisation: minutes", {"steps": 200, "coarse_steps": 150}),
}


def choose(name: str | None, method: object = None, *, numbers: bool = False) -> Quality:
    """What is meant where a painting is given.

    Args:
        name: A word of the table; None is :data:`DEFAULT`; or where numbers are given, the
            method of ``best``, whose numbers they are taken to be.
        method: What the user named besides, if anything.
        numbers: Whether the user gave a preset or numbers.

    Raises:
        InputError: There is no such word, or a method is named as well.

    Example:
        >>> choose("good").method, choose(None).method, choose(None, numbers=True).method
        ('gatys', 'style-prediction', 'gatys')
    """
    if name is not None and method is not None:
        raise InputError("a quality chooses the method: name one of the two")
    if name is None and numbers:
        return replace(QUALITIES["best"], settings={})
    found = QUALITIES.get(name or DEFAULT)
    if found is None:
        raise InputError(f"unknown quality {name!r}: choose {', '.join(QUALITIES)}")
    return found
