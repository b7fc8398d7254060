"""One picture in, one picture out, for any method: size, colours, masks, strength, alpha.

What a control does is written here once, and every method has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from impasto import catalog
from impasto import model as model_file
from impasto.controls import Brush, Controls, Job, mix
from impasto.errors import DivergedError, InputError
from impasto.image import Picture
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import Ability, get
from impasto.progress import Callback, silent
from impasto.runtime import choose, keep_large_blocks
from impasto.sources import Source, check_side, fit, read, regions_of
from impasto.style import Style


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
        InputError: The method, the preset or a setting is unknown, or it is a network, which needs
            a model.
    """
    entry = get(name, ability)
    if issubclass(entry.build, NetworkMethod):
        raise InputError(
            f"{name} makes what it has learned: name a style of 'impasto styles' or a model file, "
            f"or teach it one with 'impasto train {name}'"
        )
    numbers = method_config.change(method_config.preset(entry.build.Config, preset), settings or {})
    runtime = choose(device, precision)
    keep_large_blocks()
    return entry.build(numbers, runtime)


def stylize(
    content: Source,
    style: Source | Sequence[Source],
    *,
    method: str | Method | None = None,
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
        style: A painting or several, of the same kinds; or what a network has learned, by a name
            of ``impasto styles`` or the path of a model.
        method: A name of the table of methods, or a method built before. None is ``gatys`` for a
            painting, and for a learned style the method that learned it.
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
    place: dict[str, Any] = {"device": device, "precision": precision}
    numbers: dict[str, Any] = {"preset": preset, "settings": settings}
    brushes = _brushes(_listed(style), method, weights, numbers, place)
    default = min((b.method.default_size for b in brushes if b.method.default_size), default=None)
    photo = fit(read(content), controls.size, default)
    regions = regions_of(masks, photo, len(brushes))
    job = Job(photo, brushes, regions, controls)
    try:
        painted = job.run(callback)
    except DivergedError as error:
        if error.picture is not None:  # of a level's size, if it ran away before the last
            error.picture = job.preview(error.picture)
        raise
    return Picture(painted, photo.alpha, photo.note)


def synthesize(
    style: Source | Sequence[Source],
    *,
    size: int | tuple[int, int] | None = None,
    method: str | Method | None = None,
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
        style: The sample, or several for a method that blends; or what a network has learned.
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
        device: See :func:`impasto.runtime.choose`.
        precision: See :func:`impasto.runtime.choose`.

    Raises:
        InputError: Something given cannot be used.
        InterruptedRun: The run broke off; the error carries the last good picture.
    """
    place: dict[str, Any] = {"device": device, "precision": precision}
    numbers: dict[str, Any] = {"preset": preset, "settings": settings}
    brushes = _brushes(
        _listed(style), method, weights, numbers, place, Ability.SYNTHESIZE, "texture"
    )
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
    return Picture(painted.cpu(), note=first.note if isinstance(first, Picture) else "")


def upscale(
    photo: Source,
    *,
    model: str = "upscale-x4",
    callback: Callback = silent,
    device: str = "auto",
    precision: str = "auto",
) -> Picture:
    """Enlarge a photo with a network that has learned to.

    Args:
        photo: As for :func:`stylize`.
        model: A name of ``impasto styles`` or the path of a model.
        callback: Called after every step.
        device: See :func:`impasto.runtime.choose`.
        precision: See :func:`impasto.runtime.choose`.

    Returns:
        The enlarged picture; its alpha is enlarged smoothly.

    Raises:
        InputError: Something given cannot be used.
    """
    found = catalog.find(model, "upscale")
    if found is None:
        raise InputError(f"no model {model!r} to enlarge with: see 'impasto styles'")
    method = open_model(found, device=device, precision=precision)
    picture = read(photo)
    large = method.upscale(picture.rgb, callback=callback).cpu()
    alpha = picture.resized(*large.shape[-2:]).alpha
    return Picture(large, alpha, picture.note)


def open_model(
    found: catalog.Learned, *, device: str = "auto", precision: str = "auto"
) -> NetworkMethod:
    """The method of a trained model, with its weights.

    Raises:
        InputError: The model's method is unknown, or the device is.
        WeightsError: The file is damaged.
    """
    entry = get(found.method, Ability.TRAIN)
    assert issubclass(entry.build, NetworkMethod)  # what TRAIN means
    runtime = choose(device, precision)
    keep_large_blocks()
    return entry.build.open(model_file.load(found.path), runtime)


def _brushes(
    styles: Sequence[Any],
    method: str | Method | None,
    weights: Sequence[float] | None,
    numbers: Mapping[str, Any],
    place: Mapping[str, Any],
    ability: Ability = Ability.STYLIZE,
    kind: str = "style",
) -> list[Brush]:
    """Each style with the method that paints with it."""
    shares = _shares(weights, len(styles))
    opened: dict[Any, NetworkMethod] = {}
    brushes = []
    for style, share in zip(styles, shares, strict=True):
        learned = catalog.find(style, kind)
        if learned is None:
            if method is None or isinstance(method, str):
                method = build(method or _DEFAULTS[ability], ability, **numbers, **place)
            brushes.append(Brush(method, read(style), share))
            continue
        if method not in {None, learned.method} and not isinstance(method, Method):
            raise InputError(f"{learned.name} was learned by {learned.method}: leave --method out")
        if learned.path not in opened:
            opened[learned.path] = open_model(learned, **place)
        network = opened[learned.path]
        brushes.append(Brush(network, network.own_style(), share))
    return brushes


_DEFAULTS = {Ability.STYLIZE: "gatys", Ability.SYNTHESIZE: "texture"}


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
