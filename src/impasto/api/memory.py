"""Check before painting that the memory that the caller granted suffices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from impasto.api import strokes
from impasto.api.controls import Controls, ResolvedStyle
from impasto.image import Image
from impasto.methods.spec import Ability


def check_memory(styles: Sequence[ResolvedStyle], size: strokes.Size, controls: Controls) -> None:
    """Raise :class:`InputError` if painting needs more memory than the caller granted.

    Args:
        styles: The resolved styles.
        size: Height and width of the result in pixels.
        controls: As for :func:`impasto.stylize`.
    """
    seconds = [replace(style, method=style.second) for style in styles if style.second]
    styles = [*styles, *seconds]
    for method in dict.fromkeys(style.method for style in styles):
        pixels = [_pixels(one, size, controls) for one in styles if one.method is method]
        blends = Ability.BLEND in method.abilities  # else it paints with one style at a time
        method.check_memory(*size, sum(pixels) if blends else max(pixels))


def _pixels(style: ResolvedStyle, size: strokes.Size, controls: Controls) -> float:
    """Return the number of pixels of a style image, as its method gets it."""
    if isinstance(style.source, Image):
        native = style.method.stroke_size
        pixels, scale = strokes.style_scale(*strokes.arguments(size, controls, native))
        return pixels * scale**2
    pictures = [part.tensors.get("picture") for part in style.source.parts]
    return sum(one.shape[-2] * one.shape[-1] for one in pictures if one is not None)
