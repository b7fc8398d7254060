"""Paint single images in a style, by any method."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from impasto.api.areas import area, divided
from impasto.api.controls import Controls, Encode, ResolvedStyle, StylizeJob
from impasto.api.inputs import (
    Source,
    read_image,
    regions_from_masks,
    resize_long_edge,
    suggest_size,
    with_resize_note,
)
from impasto.api.memory import check_memory
from impasto.api.options import merge_controls
from impasto.api.resolve import StyleResolver
from impasto.core.device import Place
from impasto.core.progress import Callback, silent
from impasto.errors import DivergedError, InputError, TooSmallError
from impasto.image import Image
from impasto.methods.base import Frame, Method
from impasto.methods.style import Style
from impasto.nn.vgg_layers import smallest_side


def stylize(
    content: Source,
    style: Source | Style | Sequence[Source | Style],
    *,
    method: str | Method | None = None,
    quality: str | None = None,
    weights: Sequence[float] | None = None,
    masks: Sequence[Source] = (),
    controls: Controls | None = None,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: str = "auto",
    memory: int | None = None,
    runtime: str = "torch",
    **options: Any,
) -> Image:
    """Paint a content image in the style of one or more style images.

    Args:
        content: The content image: a path, ``-`` (standard input), bytes, a file, a
            :class:`~impasto.image.Image`, a Pillow image, an array (H, W, C), or ``sample:NAME``.
        style: One or several of: a style image, of the same kinds; a learned style, by a name of
            ``impasto styles`` or the path of a model; an encoded style, as a
            :class:`~impasto.methods.style.Style` or the path of its file.
        method: The name of a method, or a method that was built before. None is the method of
            ``quality`` for style images, and for a learned or encoded style its own method.
        quality: ``fast``, ``good`` or ``best``, see :mod:`impasto.api.presets`, if there is no
            ``method``; None is ``fast``, or the method of ``best`` if there are ``settings``.
        weights: One for each style; equal if None.
        masks: Soft masks of the areas of each style, see
            :func:`~impasto.api.inputs.regions_from_masks`.
        controls: Size, colours, strength and so on.
        callback: Called after every step; if it cancels, the image so far is returned.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Hyperparameters of the method to change, by name.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        memory: Memory budget in bytes, above which a network paints in strips, see
            :class:`impasto.core.device.Runtime`.
        runtime: ``torch``; for networks also ``onnxruntime``, ``openvino`` or ``auto``, see
            :func:`impasto.get_method`.
        options: Fields of :class:`Controls` instead, such as ``size=512``.

    Returns:
        The painted image, with the content image's alpha.

    Raises:
        InputError: An argument cannot be used.
        InterruptedRun: The run was interrupted; the error carries the last good image.
    """
    controls = merge_controls(controls, options)
    how: dict[str, Any] = {"quality": quality, "preset": preset, "settings": settings}
    place: Place = {"device": device, "precision": precision, "memory": memory}
    make = StyleResolver(method, **how, runtime=runtime, **place)
    return paint(content, make(style, weights), masks=masks, controls=controls, callback=callback)


def paint(
    content: Source,
    styles: Sequence[ResolvedStyle],
    *,
    masks: Sequence[Source] = (),
    controls: Controls | None = None,
    callback: Callback = silent,
    encode: Encode | None = None,
    tones: Image | None = None,
    dither: bool = True,
    frame: Frame | None = None,
    refuse: bool = True,
) -> Image:
    """Paint a content image with resolved styles, which can be used again for further images.

    Args:
        content: As for :func:`stylize`.
        styles: Resolved styles, see :class:`impasto.api.resolve.StyleResolver`.
        masks: As for :func:`stylize`.
        controls: As for :func:`stylize`.
        callback: Called after every step; if it cancels, the image so far is returned.
        encode: See :class:`impasto.api.controls.StylizeJob`.
        tones: See :class:`impasto.api.controls.StylizeJob`.
        dither: See :class:`impasto.api.controls.StylizeJob`.
        frame: See :class:`impasto.api.controls.StylizeJob`.
        refuse: See :func:`impasto.api.areas.area`.

    Returns:
        The painted image; errors are those of :func:`stylize`.
    """
    controls = controls or Controls()
    whole = read_image(content)
    default = min(style.method.default_edge(whole.size) for style in styles)
    photo = with_resize_note(
        resize_long_edge(whole, controls.size, default), whole, asked=controls.size is not None
    )
    part = area(whole, photo, controls, refuse=refuse)
    photo = replace(photo, note="; ".join(filter(None, (photo.note, part.note))))
    if part.weight is not None and not part.weight.any():
        return photo
    if controls.regions is None:
        regions = regions_from_masks(masks, photo, len(styles))
    elif masks:
        raise InputError("regions are masks that are made: give masks or regions, not both")
    else:
        styles, regions = divided(photo, styles, controls.regions, controls.seed)
        encode = None  # it caches styles by what the user gave
    job = StylizeJob(photo, styles, regions, controls, encode, tones, dither, frame, part.weight)
    check_memory(styles, (photo.height, photo.width), controls)
    try:
        painted = job.run(callback)
    except DivergedError as error:
        if error.picture is not None:  # at the size of the level at which the loss diverged
            error.picture = job.preview(error.picture)
        raise
    except TooSmallError as error:
        raise InputError(f"{error}; {_larger(error, styles, whole, controls)}") from error
    return replace(photo, rgb=painted)


def _larger(
    error: TooSmallError, styles: Sequence[ResolvedStyle], photo: Image, controls: Controls
) -> str:
    """Return advice on a size that is enough for all layers in the configs of the methods."""
    configs = " ".join(repr(style.method.config) for style in styles)
    layers = re.findall(r"\b(?:conv|relu)\d_\d\b|\bpool\d\b", configs)
    paintings = [style.source for style in styles if isinstance(style.source, Image)]
    least = max(error.least, *map(smallest_side, layers))
    return suggest_size(least, photo, paintings, controls.style_scale)
