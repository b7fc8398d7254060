"""Blend several styles of a method into one, and take one apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from impasto.errors import InputError
from impasto.image import Image
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


def style_images(source: Image | Style) -> list[tuple[Image, float]]:
    """Return the images of a style of an optimising method, with their weights."""
    if isinstance(source, Image):
        return [(source, 1.0)]
    return [(Image(part.tensors["picture"]), part.weight) for part in source.parts]
