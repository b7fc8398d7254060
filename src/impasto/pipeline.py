"""One picture in, one picture out, for any method: size, colours, masks, strength, alpha.

What a control does is written here once, and every method has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from impasto.controls import Controls, Job, encode
from impasto.errors import DivergedError, InputError
from impasto.image import Picture
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.registry import Ability, get
from impasto.progress import Callback, silent
from impasto.runtime import choose, keep_large_blocks
from impasto.sources import Source, check_side, fit, read, regions_of


def build(
    name: str,
    ability: Ability,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Method:
    """A method by name, with its numbers and its place to run.

    Raises:
        InputError: The method, the preset or a setting is unknown.
    """
    entry = get(name, ability)
    numbers = method_config.change(method_config.preset(entry.build.Config, preset), settings or {})
    runtime = choose(device, precision)
    keep_large_blocks()
    return entry.build(numbers, runtime)


def stylize(
    content: Source,
    style: Source | Sequence[Source],
    *,
    method: str | Method = "gatys",
    weights: Sequence[float] | None = None,
    masks: Sequence[Source] = (),
    controls: Controls | None = None,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: str = "auto",
    **options: Any,
) -> Picture:
    """Paint a photo in the style of one or more paintings.

    Args:
        content: The photo: a path, ``-``, bytes, a file, a :class:`~impasto.image.Picture`, a
            Pillow image, an array (H, W, C), or ``sample:NAME``.
        style: A painting or several, of the same kinds.
        method: A name of the table of methods, or a method built before.
        weights: One for each painting; equal when None.
        masks: Soft masks that say where each painting goes (see :func:`regions_of`). The string
            ``alpha`` is the photo's own alpha.
        controls: What else is asked for; or give its fields as ``options``: ``size=512``.
        callback: Called after every step; cancelling keeps what there is.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Numbers of the method to change, by name.
        device: See :func:`impasto.runtime.choose`.
        precision: See :func:`impasto.runtime.choose`.
        options: Fields of :class:`Controls`.

    Returns:
        The painted picture, with the photo's alpha.

    Raises:
        InputError: Something given cannot be used.
        InterruptedRun: The run broke off; the error carries the last good picture.
    """
    controls = _controls(controls, options)
    if isinstance(method, str):
        method = build(
            method,
            Ability.STYLIZE,
            preset=preset,
            settings=settings,
            device=device,
            precision=precision,
        )
    photo = fit(read(content), controls.size, method.default_size)
    paintings = [read(one) for one in _listed(style)]
    regions = regions_of(masks, photo, len(paintings))
    job = Job(photo, paintings, _shares(weights, len(paintings)), regions, controls)
    try:
        painted = job.run(method, callback)
    except DivergedError as error:
        if error.picture is not None:  # of a level's size, if it ran away before the last
            error.picture = job.preview(error.picture)
        raise
    return Picture(painted, photo.alpha, photo.note)


def synthesize(
    style: Source | Sequence[Source],
    *,
    size: int | tuple[int, int] | None = None,
    method: str | Method = "texture",
    sample_size: int | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Picture:
    """Make more of a texture.

    Args:
        style: The sample, or several for a method that blends.
        size: Of the result: a side, or (width, height); None is the method's default.
        method: A name of the table of methods, or a method built before.
        sample_size: Long edge to shrink the sample to; None is half the method's default size for
            pixel methods and the default size for the others, if the sample is larger.
        weights: One for each sample; equal when None.
        seed: Of everything random.
        callback: Called after every step; cancelling keeps what there is.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Numbers of the method to change, by name.
        device: See :func:`impasto.runtime.choose`.
        precision: See :func:`impasto.runtime.choose`.

    Raises:
        InputError: Something given cannot be used.
        InterruptedRun: The run broke off; the error carries the last good picture.
    """
    if isinstance(method, str):
        method = build(
            method,
            Ability.SYNTHESIZE,
            preset=preset,
            settings=settings,
            device=device,
            precision=precision,
        )
    default = method.default_size or 512
    size = default if size is None else size
    width, height = size if isinstance(size, tuple) else (size, size)
    for side in (width, height):
        check_side("size", side)
    limit = default // 2 if default < 256 else default
    pictures = [fit(read(one), sample_size, limit, "sample size") for one in _listed(style)]
    mix = encode(method, [one.rgb for one in pictures], _shares(weights, len(pictures)))
    painted = method.synthesize(mix, height, width, seed=seed, callback=callback)
    return Picture(painted.cpu(), note=pictures[0].note)


def _shares(weights: Sequence[float] | None, count: int) -> Sequence[float]:
    if weights is None:
        return [1.0] * count
    if len(weights) != count:
        raise InputError(f"{len(weights)} weights for {count} styles: give one a style")
    if any(not weight >= 0 for weight in weights) or not sum(weights) > 0:
        raise InputError("weights of styles must not be negative, nor all 0")
    return weights


def _listed(style: Any) -> list[Any]:
    styles = list(style) if isinstance(style, (list, tuple)) else [style]
    if not styles:
        raise InputError("no style given: name at least one painting")
    return styles


def _controls(controls: Controls | None, options: Mapping[str, Any]) -> Controls:
    try:
        return replace(controls or Controls(), **options)
    except TypeError as error:
        known = ", ".join(Controls.__dataclass_fields__)
        raise InputError(f"unknown option among {', '.join(options)}: there are {known}") from error
