"""Carry out the studio's jobs, independently of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from impasto.api.controls import Controls, ResolvedStyle
from impasto.api.estimate import painting_seconds
from impasto.api.inputs import check_weights, read_image, resize_long_edge
from impasto.api.options import StylizeOptions
from impasto.api.presets import choose as choose_quality
from impasto.api.resolve import StyleResolver
from impasto.api.stylize import paint
from impasto.api.synthesize import synthesize
from impasto.core.progress import Callback, Progress
from impasto.core.schemes import SAMPLE
from impasto.errors import InputError, InterruptedRun
from impasto.evaluation import compare
from impasto.image import Image
from impasto.methods.spec import Ability
from impasto.studio import options
from impasto.studio.job_queue import MethodCache
from impasto.studio.limits import PAINTINGS, Limits, optimizes
from impasto.studio.quick_preview import quick_preview
from impasto.studio.settings import parse_permitted
from impasto.studio.time_left import duration

AUTO, FULL = "auto", "full"  # sizes that are not numbers
_LARGE = 500_000  # pixels from which the duration is estimated, which takes a fifth of a second
_TEXTURE = "texture"  # default method of texture synthesis

# largest size at AUTO in pixels, for networks and for methods that optimise
_AUTO_LIMITS = {False: 1536, True: 512}


@dataclass(frozen=True, kw_only=True)
class StylizeRequest(StylizeOptions):
    """A request to stylize a photo; see :class:`~impasto.api.options.StylizeOptions`.

    The settings are those that clients may change, as text. Device, precision, memory and runtime
    are the server's.

    Attributes:
        photo: A file.
        names: Names of styles, see :func:`impasto.studio.options.styles`.
        paintings: Style image files, after the names.
        weights: One for each style; None weights them equally.
        mask: An image, white (or opaque, if it has alpha) where the first style goes.
        size: Long edge in pixels; ``auto`` is the photo's own, limited to keep the time short,
            ``full`` the photo's own.
    """

    photo: Path
    names: Sequence[str] = ()
    paintings: Sequence[Path] = ()
    weights: Sequence[float] | None = None
    mask: Image | None = None
    size: str = AUTO


@dataclass(frozen=True, eq=False)
class StylizeResult:
    """The result of a request.

    Attributes:
        picture: The stylized image at full size.
        photo: The photo at the same size.
        note: A remark for the user, or empty.
    """

    picture: Image
    photo: Image
    note: str = ""


def stylize(
    request: StylizeRequest, limits: Limits, cache: MethodCache, callback: Callback
) -> StylizeResult:
    """Stylize a photo.

    Raises:
        InputError: The request cannot be carried out.
    """
    names = _names(request)
    # settings are checked before any file is read
    method, brushes = _resolver(request, names, bool(request.paintings), cache)
    photo = limits.picture(request.photo)
    paintings = [limits.picture(path) for path in request.paintings]
    optimizing = method if method and optimizes(method) else None
    size = limits.size(_size(request.size), photo, optimizing)
    if request.size == AUTO:
        size = min(size, _AUTO_LIMITS[optimizing is not None])
    before, whole = resize_long_edge(photo, size, None), photo.size
    del photo
    controls = replace(request.controls, size=size)
    made = brushes([*names, *paintings], request.weights)
    masks = () if request.mask is None else (request.mask,)
    note = ""
    if optimizing is None:
        _report_duration(before, made, masks, controls, callback)
    elif made[0].start is None:  # else the network's picture comes first anyway
        quick = partial(cache.resolver(None, "fast", {}), [*names, *paintings], request.weights)
        callback = quick_preview(before, quick, masks, controls, callback)
    try:
        picture = paint(before, made, masks=masks, controls=controls, callback=callback)
    except InterruptedRun as error:
        if error.picture is None:
            raise
        picture, note = (
            Image(error.picture.cpu(), before.alpha),
            f"{error}: this is the image so far",
        )
    if request.size == AUTO and max(before.size) < max(whole):
        smaller = f"the photo has {whole[0]} × {whole[1]}: choose a larger size for more"
        note = "; ".join(filter(None, (note or picture.note, smaller)))
    return StylizeResult(picture, before, note or picture.note)


def texture(
    source: str | Path,
    limits: Limits,
    cache: MethodCache,
    callback: Callback,
    *,
    method: str | None = None,
    settings: str = "",
    width: int = 512,
    height: int = 512,
    seed: int = 0,
) -> Image:
    """Synthesize a texture.

    Args:
        source: A file, or a name of :func:`impasto.studio.options.textures`.
        limits: Of this server.
        cache: The cache of methods.
        callback: Called after every step.
        method: A method's name; None is the default, or the one that learned the texture.
        settings: ``NAME=VALUE``, separated by line breaks or semicolons.
        width: Width of the result in pixels.
        height: Height of the result in pixels.
        seed: Seed of all random numbers.

    Raises:
        InputError: An argument cannot be used.
    """
    sample, learned = source, False
    if not isinstance(source, Path):
        choices = {one.name: one for one in options.textures()}
        sample = options.check_styles([source], options.textures())[0]
        learned = choices[sample].learned
    named = None if learned else options.check_method(method, Ability.SYNTHESIZE) or _TEXTURE
    changed = parse_permitted(named, settings)
    # a learned texture is a network, which takes less memory
    most = limits.side if learned or (named and not optimizes(named)) else limits.optimized
    if not all(1 <= side <= most for side in (width, height)):
        raise InputError(f"a texture here is 1 to {most} pixels a side")
    return synthesize(
        limits.picture(sample) if isinstance(sample, Path) else sample,
        size=(width, height),
        method=named,
        settings=changed,
        seed=seed,
        callback=callback,
    )


def compare_methods(
    photo: Path,
    painting: str | Path,
    methods: Sequence[str],
    limits: Limits,
    callback: Callback,
    *,
    quality: str = "good",
    size: int = 384,
    seed: int = 0,
) -> compare.SideBySide:
    """Stylize a photo by several methods.

    Args:
        photo: A file.
        painting: A file, or a style image among :func:`impasto.studio.options.styles`.
        methods: Names of methods; none is all.
        limits: Of this server.
        callback: Called with the progress.
        quality: Preset of the methods that optimise.
        size: Long edge to stylize at.
        seed: Seed of all random numbers.

    Raises:
        InputError: An argument cannot be used, or nothing was finished.
    """
    named = [name for one in methods if (name := options.check_method(one))]
    content = limits.picture(photo)
    if isinstance(painting, Path):
        style = limits.picture(painting)
    else:
        drawn = [one for one in options.styles() if not one.learned]
        style = read_image(options.check_styles([painting], drawn)[0])
    limits.size(size, content, "compare")
    options.check_quality(quality)
    found = compare.compare(
        content,
        style,
        named or [entry.name for entry in options.image_style_methods()],
        size=size,
        quality=quality,
        seed=seed,
        callback=callback,
    )
    if not found.pictures:
        why = "; ".join(f"{one.method}: {one.error}" for one in found.numbers.failures)
        raise InputError(f"nothing was finished{': ' * bool(why)}{why}")
    return found


def result_name(request: StylizeRequest) -> str:
    """Return a file name for a result, from the names of the photo and the style."""
    style = str(request.names[0]) if request.names else Path(request.paintings[0]).stem
    parts = (Path(request.photo).stem, style.removeprefix(SAMPLE))
    return "-".join("".join(c if c.isalnum() else "-" for c in w)[:40] for w in parts) + ".png"


def _names(request: StylizeRequest) -> list[str]:
    """Check the styles, weights and mask of a request, and return the full names of its styles."""
    names = options.check_styles(request.names, options.styles())
    if not names and not request.paintings:
        raise InputError("no painting: choose a style, or add a picture of your own")
    if len(names) + len(request.paintings) > PAINTINGS:
        raise InputError(f"more than {PAINTINGS} paintings: leave some out")
    count = len(names) + len(request.paintings)
    check_weights(request.weights, count)
    if request.mask is not None and count > 2:
        raise InputError("a mask takes two paintings, one inside it and one outside")
    if request.mask is None:
        _check_blend(names, bool(request.paintings))
    return names


def _check_blend(names: Sequence[str], paintings: bool) -> None:
    """Check that styles can be blended without a mask."""
    networks = {one.name: one.network for one in options.styles()}
    first: dict[str, str] = {}  # a style of each network
    for name in names:
        first.setdefault(networks[name], name)
    if paintings:
        first.setdefault("", "your own painting")
    if len(first) > 1:
        one, other, *_ = first.values()
        raise InputError(
            f"{one} and {other} do not blend, since no network knows both: take one of them, or "
            f"brush where the first one goes"
        )


def _report_duration(
    photo: Image,
    styles: Sequence[ResolvedStyle],
    masks: Sequence[Image],
    controls: Controls,
    callback: Callback,
) -> None:
    """Report how long a network will take, which reports no steps; small photos take a moment."""
    if photo.height * photo.width < _LARGE:
        return
    seconds = painting_seconds(styles, (photo.height, photo.width), bool(masks), controls)
    callback(Progress(0, 1, stage=f"painting, about {duration(seconds)} in all"))


def _size(text: str) -> int | None:
    if text in {AUTO, FULL}:
        return None
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"size {str(text)[:60]!r}: write {AUTO}, {FULL} or pixels") from error


def _resolver(
    request: StylizeRequest, names: Sequence[str], paintings: bool, cache: MethodCache
) -> tuple[str | None, StyleResolver]:
    """Return the method if one must be named, and a style resolver for it."""
    method, quality = options.check_method(request.method), options.check_quality(request.quality)
    learned = {one.name for one in options.styles() if one.learned}
    if method is None and not paintings and all(name in learned for name in names):
        return None, cache.resolver(None, None, parse_permitted(None, request.settings))
    if method is not None:
        return method, cache.resolver(method, None, parse_permitted(method, request.settings))
    if any(name in learned for name in names):
        quality = None  # a network that has learned the style takes no quality
    given = bool(request.settings)
    chosen = choose_quality(quality, has_settings=given).method
    return chosen, cache.resolver(None, quality, parse_permitted(chosen, request.settings))
