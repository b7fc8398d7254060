"""Encode style images once, as a style that can be saved and used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from impasto.api import presets
from impasto.api.blend import blend_styles
from impasto.api.inputs import Source, as_list, check_weights, read_image, resize_long_edge
from impasto.api.load import get_method
from impasto.core.device import Place
from impasto.errors import InputError
from impasto.methods import style as style_file
from impasto.methods.base import Method
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Style
from impasto.models import zoo

SIZE = 512  # pixels; the default size of the optimising methods, near the size that VGG learned on


def encode(
    style: Source | Style | Sequence[Source | Style],
    *,
    method: str | Method | None = None,
    weights: Sequence[float] | None = None,
    size: int | None = None,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> Style:
    """Encode style images as one style of a method.

    Args:
        style: One or several style images, of the kinds that :func:`impasto.stylize` takes; or
            encoded styles of the same method, or the paths of their files.
        method: The name of a method, a model that paints in any style, or a method that was built
            before. None is the method of the first encoded style, or else that of the quality
            ``fast``.
        weights: One for each style; equal if None. They are scaled to a sum of 1.
        size: Long edge in pixels to resize each style image to; None is its own, 512 at most. A
            smaller size makes smaller strokes.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Hyperparameters of the method to change, by name. Those that the encoding depends
            on must be given again where the style is used.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The style, with thumbnails.

    Raises:
        InputError: An argument cannot be used, or the method does not encode style images.
    """
    sources = [style_file.load_if_style(one) or one for one in as_list(style)]
    shares = check_weights(weights, len(sources))
    if not isinstance(method, Method):
        first = next((one.method for one in sources if isinstance(one, Style)), None)
        given = bool(settings) or preset != "default"
        name = method or first or presets.choose(None, has_settings=given).method
        method = get_method(
            name,
            _use(name),
            preset=preset,
            settings=settings,
            **place,
        )
    encoder = method

    def encoded(source: Any) -> Style:
        if isinstance(source, Style):
            return source.expect(encoder.name)
        picture = resize_long_edge(read_image(source), size, SIZE, "style size")
        return encoder.encode(picture.rgb).with_thumbnail(picture)

    total = sum(shares)
    return blend_styles(encoder, [share / total for share in shares], map(encoded, sources))


def _use(name: str) -> Ability:
    """Return the ability that a style of a method is used for: to stylize or to synthesize.

    Raises:
        InputError: The method has neither.
    """
    abilities = get(zoo.method_of(name)).abilities
    for use in (Ability.STYLIZE, Ability.SYNTHESIZE):
        if use in abilities:
            return use
    raise InputError(f"{name} takes no style: choose a method that can stylize")
