"""One picture in, one picture out, for any method: size, colours, masks, strength, alpha.

What a control does is written here once, and every method has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from impasto.api.controls import Brush, Controls, Encode, Job, asked, mix
from impasto.api.inputs import Source, fit, noted, read, regions_of, would_do
from impasto.api.load import get_method, open_learned, open_model
from impasto.api.options import check_side
from impasto.api.resolve import Brushes
from impasto.core.device import Place
from impasto.core.progress import Callback, silent
from impasto.errors import DivergedError, InputError, TooSmallError
from impasto.image import Image
from impasto.methods.base import Method
from impasto.methods.style import Style
from impasto.models import zoo
from impasto.nn.vgg import smallest_side

__all__ = ["get_method", "open_model", "paint", "stylize", "synthesize", "upscale"]


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
    """Paint a photo in the style of one or more paintings.

    Args:
        content: The photo: a path, ``-``, bytes, a file, a :class:`~impasto.image.Image`, a
            Pillow image, an array (H, W, C), or ``sample:NAME``.
        style: A painting or several, of the same kinds; what a network has learned, by a name
            of ``impasto styles`` or the path of a model; or what was encoded before, as a
            :class:`~impasto.methods.style.Style` or the path of its file.
        method: A name of the table of methods, or a method built before. None is what ``quality``
            says for a painting, and for a style learned or encoded before the method that did it.
        quality: ``fast`` (a network for any style), ``good`` or ``best`` (optimisation), where no
            method is named; None is ``fast``, or ``best`` where ``settings`` are given. See
            :mod:`impasto.api.presets`.
        weights: One for each painting; equal when None.
        masks: Soft masks that say where each painting goes (see :func:`regions_of`). The string
            ``alpha`` is the photo's own alpha.
        controls: What else is asked for; or give its fields as ``options``: ``size=512``.
        callback: Called after every step; cancelling keeps what there is.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Numbers of the method to change, by name.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        memory: Bytes above which a network paints strip by strip, see
            :class:`impasto.core.device.Runtime`.
        runtime: ``torch``, or ``onnx`` for networks, see :func:`impasto.get_method`.
        options: Fields of :class:`Controls`.

    Returns:
        The painted picture, with the photo's alpha.

    Raises:
        InputError: Something given cannot be used.
        InterruptedRun: The run broke off; the error carries the last good picture.
    """
    controls = asked(controls, options)
    make = Brushes(
        method,
        quality=quality,
        preset=preset,
        settings=settings,
        device=device,
        precision=precision,
        memory=memory,
        runtime=runtime,
    )
    return paint(content, make(style, weights), masks=masks, controls=controls, callback=callback)


def paint(
    content: Source,
    brushes: Sequence[Brush],
    *,
    masks: Sequence[Source] = (),
    controls: Controls | None = None,
    callback: Callback = silent,
    encode: Encode | None = None,
    tones: Image | None = None,
    dither: bool = True,
) -> Image:
    """Paint a photo with brushes that were made before: what :func:`stylize` does with each photo.

    Args:
        content: As for :func:`stylize`.
        brushes: Of :class:`impasto.api.resolve.Brushes`.
        masks: As for :func:`stylize`.
        controls: What else is asked for.
        callback: Called after every step; cancelling keeps what there is.
        encode: See :class:`impasto.api.controls.Job`.
        tones: See :class:`impasto.api.controls.Job`.
        dither: See :class:`impasto.api.controls.Job`.

    Raises:
        InputError: Something given cannot be used.
        InterruptedRun: The run broke off; the error carries the last good picture.
    """
    controls = controls or Controls()
    whole = read(content)
    default = min(brush.method.default_edge(whole.size) for brush in brushes)
    photo = noted(fit(whole, controls.size, default), whole, asked=controls.size is not None)
    regions = regions_of(masks, photo, len(brushes))
    job = Job(photo, brushes, regions, controls, encode, tones, dither)
    try:
        painted = job.run(callback)
    except DivergedError as error:
        if error.picture is not None:  # of a level's size, if it ran away before the last
            error.picture = job.preview(error.picture)
        raise
    except TooSmallError as error:
        paintings = [brush.source for brush in brushes if isinstance(brush.source, Image)]
        least = max(error.least, *(_least(brush.method) for brush in brushes))
        hint = would_do(least, whole, paintings, controls.style_scale)
        raise InputError(f"{error}; {hint}") from error
    return replace(photo, rgb=painted)


def _least(method: Method) -> int:
    """The smallest side of a picture for all layers that the config of a method names."""
    layers = re.findall(r"\b(?:conv|relu)\d_\d\b|\bpool\d\b", repr(method.config))
    return max(map(smallest_side, layers), default=1)


def synthesize(
    style: Source | Style | Sequence[Source | Style],
    *,
    size: int | tuple[int, int] | None = None,
    method: str | Method | None = None,
    sample_size: int | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Image:
    """Make more of a texture.

    Args:
        style: The sample, or several for a method that blends; or what a network has learned, or
            what was encoded before.
        size: Of the result: a side, or (width, height); None is the method's default.
        method: A name of the table of methods, or a method built before; None is ``texture``, and
            for a learned texture the method that learned it.
        sample_size: Long edge to shrink the sample to; None is half the method's default size for
            pixel methods and the default size for the others, if the sample is larger.
        weights: One for each sample; equal when None.
        seed: Of everything random.
        callback: Called after every step; cancelling keeps what there is.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Numbers of the method to change, by name.
        runtime: See :func:`impasto.get_method`.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: Something given cannot be used.
        InterruptedRun: The run broke off; the error carries the last good picture.
    """
    make = Brushes(
        method,
        kind="texture",
        preset=preset,
        settings=settings,
        runtime=runtime,
        **place,
    )
    brushes = make(style, weights)
    method = brushes[0].method
    if any(brush.method is not method for brush in brushes):
        raise InputError("textures of different networks do not blend: name one")
    default = method.default_size or 512
    size = default if size is None else size
    width, height = size if isinstance(size, tuple) else (size, size)
    for side in (width, height):
        check_side("size", side)
    limit = default // 2 if default < 256 else default

    def encoded(brush: Brush) -> Style:
        if isinstance(brush.source, Style):
            return brush.source
        return method.encode(fit(brush.source, sample_size, limit, "sample size").rgb)

    mixed = mix(method, [brush.share for brush in brushes], map(encoded, brushes))
    painted = method.synthesize(mixed, height, width, seed=seed, callback=callback)
    first = brushes[0].source
    return Image(painted.cpu(), note=first.note if isinstance(first, Image) else "")


def upscale(
    image: Source,
    *,
    model: str = "upscale-x4",
    callback: Callback = silent,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Image:
    """Enlarge an image with a network that has learned to.

    Args:
        image: As for :func:`stylize`.
        model: A name of ``impasto styles`` or the path of a model.
        callback: Called after every step.
        runtime: See :func:`impasto.get_method`.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The enlarged picture; its alpha is enlarged smoothly.

    Raises:
        InputError: Something given cannot be used.
    """
    found = zoo.find(model, "upscale")
    if found is None:
        raise InputError(f"no model {model!r} to enlarge with: see 'impasto styles'")
    method = open_learned(found, runtime=runtime, **place)
    picture = read(image)
    large = method.upscale(picture.rgb, callback=callback).cpu()
    alpha = picture.resized(*large.shape[-2:]).alpha
    return Image(large, alpha, picture.note, picture.metadata)
