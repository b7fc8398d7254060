"""Blend several styles of a method into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from impasto.errors import InputError
from impasto.methods.base import Method
from impasto.methods.spec import Ability
from impasto.methods.style import Style


def blend_styles(method: Method, weights: Sequence[float], styles: Iterable[Style]) -> Style:
    """Blend styles of a method.

    Args:
        method: The method of the styles.
        weights: Weight of each style.
        styles: The styles; the iterator is not used before an error, so that nothing is encoded.

    Raises:
        InputError: There are several styles, and the method does not blend.
    """
    if len(weights) > 1 and Ability.BLEND not in method.abilities:
        raise InputError(f"{method.name} takes one style: leave the others, or give masks")
    first, *rest = (weight * style for weight, style in zip(weights, styles, strict=True))
    for style in rest:
        first = first + style
    return first
