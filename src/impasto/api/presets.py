"""Qualities: methods and settings for a style image, by the time that they take.

The times are measured in docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from impasto.api.finish import KUWAHARA, PLAIN, SHARPEN, Finish
from impasto.errors import InputError, check_choice

DEFAULT = "fast"


@dataclass(frozen=True)
class Quality:
    """A method for a style image, with its settings.

    Attributes:
        method: Name of a method; if it is a network, the package ships a model of it.
        about: Description of the result and the time.
        settings: Hyperparameters of the method to change, by name.
        second: Another network, whose result is averaged with the method's: where one network
            invents a bright or dark patch, the other rarely does.
        finish: Default amounts of light, chroma, sharpness and smoothness.
    """

    method: str
    about: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    second: str | None = None
    finish: Finish = PLAIN


_OPTIMISED = Finish(lighting=0.6, sharpen=SHARPEN, kuwahara=KUWAHARA)

QUALITIES: Mapping[str, Quality] = {
    "fast": Quality(
        "style-prediction",
        "two networks for every painting: seconds",
        second="adain",
        finish=Finish(lighting=0.6, chroma=1.0),
    ),
    "good": Quality(
        "gatys",
        "a short optimisation of the networks' picture: about half a minute",
        # One level: coarse levels bring objects of the painting into the picture. `compare` takes
        # both numbers of steps for all methods that optimise.
        {
            **{"steps": 20, "coarse_steps": 60, "levels": 1},
            **{"start": "network", "content_weight": 40.0},
        },
        finish=_OPTIMISED,
    ),
    "best": Quality(
        "gatys",
        "a long optimisation: minutes",
        {"steps": 200, "coarse_steps": 150},
        finish=_OPTIMISED,
    ),
}


def choose(name: str | None, method: object = None, *, has_settings: bool = False) -> Quality:
    """Return the quality for a style image.

    Args:
        name: A key of :data:`QUALITIES`; None is :data:`DEFAULT`, or, if ``has_settings``, the
            method of ``best`` without its settings.
        method: The method that the user gave, if any.
        has_settings: Whether the user gave a preset or hyperparameters.

    Raises:
        InputError: There is no such quality, or there is a method as well.

    Example:
        >>> choose("good").method, choose(None).method, choose(None, has_settings=True).method
        ('gatys', 'style-prediction', 'gatys')
    """
    if name is not None and method is not None:
        raise InputError("a quality chooses the method: name one of the two")
    if name is None and has_settings:
        return replace(QUALITIES["best"], settings={}, finish=PLAIN)
    check_choice("quality", name or DEFAULT, QUALITIES)
    return QUALITIES[name or DEFAULT]
