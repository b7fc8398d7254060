"""One picture in, one picture out, for any method: size, colours, masks, strength, alpha.

What a control does is written here once, and every method has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import torch
from torch import Tensor

from impasto import histogram, image, samples
from impasto.errors import DivergedError, InputError, InterruptedRun
from impasto.image import Picture
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.registry import Ability, get
from impasto.progress import Callback, Progress, Share, silent
from impasto.runtime import choose, keep_large_blocks
from impasto.style import Style

Source = str | os.PathLike[str] | bytes | BinaryIO | Picture | Any

SAMPLE = "sample:"  # a picture that the package draws or brings
COLORS = ("style", "luminance", "match")

_LARGEST = 16384  # a side beyond which no method here can work on one machine


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What a user may ask for, whatever the method.

    Attributes:
        size: Long edge of the result in pixels; None is the photo's own, or the method's default
            if that is smaller.
        style_scale: Stroke size: the style picture's size relative to the photo's, 1 being the
            same number of pixels.
        colors: ``style`` takes the painting's colours. ``luminance`` keeps the photo's colours and
            paints its lightness only. ``match`` gives the painting the photo's colours first.
        strength: 1 is the full result, 0 the photo.
        match_histogram: Give the result the colour histogram of the (first) style at the end.
        seed: Of everything random.
    """

    size: int | None = None
    style_scale: float = 1.0
    colors: str = "style"
    strength: float = 1.0
    match_histogram: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.size is not None:
            _check_side("size", self.size)
        if not 0 < self.style_scale <= 8:
            raise InputError(f"style scale is {self.style_scale}: it must be above 0, at most 8")
        if not 0 <= self.strength <= 1:
            raise InputError(f"strength is {self.strength}: it must be 0 to 1")
        if self.colors not in COLORS:
            raise InputError(f"unknown colors {self.colors!r}: choose {', '.join(COLORS)}")


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
    job = _Job(photo, paintings, _shares(weights, len(paintings)), regions, controls)
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
        _check_side("size", side)
    limit = default // 2 if default < 256 else default
    pictures = [fit(read(one), sample_size, limit, "sample size") for one in _listed(style)]
    mix = _encode(method, [one.rgb for one in pictures], _shares(weights, len(pictures)))
    painted = method.synthesize(mix, height, width, seed=seed, callback=callback)
    return Picture(painted.cpu(), note=pictures[0].note)


def read(source: Source) -> Picture:
    """A picture from anything that :func:`stylize` takes.

    Raises:
        InputError: It is no picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str) and source.startswith(SAMPLE):
        return samples.load(source.removeprefix(SAMPLE))
    if isinstance(source, (str, os.PathLike, bytes)) or hasattr(source, "read"):
        return image.load(source)
    other: Any = source
    if hasattr(other, "convert"):  # before the next: a Pillow image is an array as well
        return Picture.from_pil(other)
    if hasattr(other, "__array_interface__"):
        return Picture.from_numpy(other)
    raise InputError(f"a {type(source).__name__} is no picture: give a path, an image or an array")


def fit(picture: Picture, size: int | None, default: int | None, name: str = "size") -> Picture:
    """Resize to a long edge: the one asked for, or else the default if the picture is larger.

    Raises:
        InputError: The size asked for (what ``name`` calls it) is no size.
    """
    if size is not None:
        _check_side(name, size)
    long_edge = max(picture.size)
    target = size if size is not None else min(long_edge, default or long_edge)
    if target == long_edge:
        return picture
    factor = target / long_edge
    return picture.resized(*(max(1, round(s * factor)) for s in (picture.height, picture.width)))


def regions_of(masks: Sequence[Source], photo: Picture, styles: int) -> tuple[Tensor, ...]:
    """Masks as regions of a photo, one for each style.

    White is where a style goes. As many masks as styles: what no mask covers stays the photo. One
    mask fewer: the last style takes what is left. Where masks overlap they share.

    Args:
        masks: Pictures of any size; one with an alpha channel is read from that, else from its
            luminance. ``alpha`` is the photo's own alpha.
        photo: The photo they are for.
        styles: How many styles there are.

    Returns:
        (1, 1, H, W) each, with a sum of at most 1; none if there are no masks.

    Raises:
        InputError: The numbers do not fit, or a mask is black everywhere.
    """
    if not masks:
        return ()
    if len(masks) not in {styles, styles - 1}:
        raise InputError(
            f"{len(masks)} masks for {styles} styles: give one a style, or one fewer "
            f"and the last style takes what is left"
        )
    regions = [_mask(mask, photo) for mask in masks]
    total = torch.stack(regions).sum(0)
    regions = [region / total.clamp_min(1) for region in regions]
    if len(regions) < styles:
        regions.append((1 - total).clamp_min(0))
    if any(float(region.amax()) < 1 / 255 for region in regions):
        raise InputError("a mask leaves a style no room: paint its region white")
    return tuple(regions)


def _mask(source: Source, photo: Picture) -> Tensor:
    if isinstance(source, str) and source == "alpha":
        if photo.alpha is None:
            raise InputError("the photo has no alpha channel to take as a mask")
        return photo.alpha
    picture = read(source)
    mask = picture.alpha if picture.alpha is not None else histogram.luminance(picture.rgb)
    mask = torch.nn.functional.interpolate(
        mask, (photo.height, photo.width), mode="bilinear", antialias=True
    )
    return mask.clamp(0, 1)


@dataclass(frozen=True, eq=False)
class _Job:
    """The way of one picture through the controls."""

    photo: Picture
    paintings: Sequence[Picture]
    shares: Sequence[float]
    regions: tuple[Tensor, ...]
    controls: Controls

    def run(self, method: Method, callback: Callback) -> Tensor:
        content, styles = self._colored()
        callback = _previewing(callback, self.preview)
        if not self.regions or Ability.MASKS in get(method.name).abilities:
            style = _encode(method, styles, self.shares)
            painted = method.stylize(
                content, style, regions=self.regions, seed=self.controls.seed, callback=callback
            ).cpu()
            return self.finish(painted)
        return self.finish(self._layered(method, content, styles, callback))

    def _layered(
        self, method: Method, content: Tensor, styles: Sequence[Tensor], callback: Callback
    ) -> Tensor:
        """For a method that knows no regions: the whole picture in each style, then put together.

        Where a mask is soft, :meth:`finish` lets the photo through; here its styles sum to 1.
        """
        painted, covered = content, torch.stack(self.regions).sum(0).clamp_min(1e-6)
        for index, (picture, region) in enumerate(zip(styles, self.regions, strict=True)):

            def put(
                layer: Tensor, below: Tensor = painted, share: Tensor = region / covered
            ) -> Tensor:
                return below + (self._fitted(layer) - content) * share

            watch = Share(_previewing(callback, put), index, len(styles))
            style = _encode(method, [picture], [1.0])
            layer = method.stylize(content, style, seed=self.controls.seed, callback=watch)
            painted = put(layer)
            if watch.cancelled:
                break
        return painted

    def finish(self, painted: Tensor) -> Tensor:
        """From the method's picture to the user's: histogram, colours, regions, strength."""
        photo, controls, painted = self.photo.rgb, self.controls, painted.cpu().clamp(0, 1)
        if controls.match_histogram and controls.colors == "style":
            painted = histogram.match_histogram(painted, self.paintings[0].rgb)
        if controls.colors == "luminance":
            painted = histogram.with_luminance(photo, histogram.luminance(painted))
        share = torch.tensor(controls.strength)
        if self.regions:
            share = share * torch.stack(self.regions).sum(0).clamp(0, 1)
        return torch.lerp(photo, painted, share)

    def _colored(self) -> tuple[Tensor, list[Tensor]]:
        """The photo and the styles as the method shall see them."""
        content = self.photo.rgb
        styles = [self._scaled(painting).rgb for painting in self.paintings]
        if self.controls.colors == "match":
            styles = [histogram.match_colors(style, content) for style in styles]
        if self.controls.colors == "luminance":
            light = histogram.luminance(content)
            greys = (histogram.match_luminance(histogram.luminance(s), light) for s in styles)
            return light.expand_as(content).contiguous(), [
                grey.clamp(0, 1).expand(-1, 3, -1, -1).contiguous() for grey in greys
            ]
        return content, styles

    def _scaled(self, painting: Picture) -> Picture:
        """The painting with as many pixels as the photo, times the style scale both ways."""
        pixels = self.photo.height * self.photo.width / (painting.height * painting.width)
        factor = pixels**0.5 * self.controls.style_scale
        sides = (max(1, round(side * factor)) for side in (painting.height, painting.width))
        return painting.resized(*sides)

    def preview(self, raw: Tensor) -> Tensor:
        """A picture of any size on the method's way, as the user will see it."""
        return self.finish(self._fitted(raw))

    def _fitted(self, raw: Tensor) -> Tensor:
        return Picture(raw.cpu()).resized(self.photo.height, self.photo.width).rgb


def _previewing(callback: Callback, through: Callable[[Tensor], Tensor]) -> Callback:
    """A callback whose previews have gone through a function."""

    def call(progress: Progress) -> None:
        raw = progress.preview
        if raw is not None:
            progress.preview = lambda: through(raw())
        callback(progress)

    return call


def _encode(method: Method, pictures: Sequence[Tensor], shares: Sequence[float]) -> Style:
    if len(pictures) > 1 and Ability.BLEND not in get(method.name).abilities:
        raise InputError(f"{method.name} takes one style: leave the others, or give masks")
    first, *rest = (
        share * method.encode(picture) for picture, share in zip(pictures, shares, strict=True)
    )
    for style in rest:
        first = first + style
    return first


def _shares(weights: Sequence[float] | None, count: int) -> Sequence[float]:
    if weights is None:
        return [1.0] * count
    if len(weights) != count:
        raise InputError(f"{len(weights)} weights for {count} styles: give one a style")
    if any(not weight >= 0 for weight in weights) or not sum(weights) > 0:
        raise InputError("weights of styles must not be negative, nor all 0")
    return weights


def _check_side(name: str, side: int) -> None:
    if not 1 <= side <= _LARGEST:
        raise InputError(f"{name} is {side}: it must be 1 to {_LARGEST} pixels")


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


__all__ = [
    "COLORS",
    "Controls",
    "InterruptedRun",
    "build",
    "fit",
    "read",
    "regions_of",
    "stylize",
    "synthesize",
]
