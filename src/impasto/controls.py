"""The controls of every method, and the way of one picture through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto import histogram
from impasto.errors import InputError
from impasto.image import Picture
from impasto.methods.base import Method
from impasto.methods.registry import Ability, get
from impasto.progress import Callback, Progress, Share
from impasto.sources import check_side
from impasto.style import Style

COLORS = ("style", "luminance", "match")


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
            check_side("size", self.size)
        if not 0 < self.style_scale <= 8:
            raise InputError(f"style scale is {self.style_scale}: it must be above 0, at most 8")
        if not 0 <= self.strength <= 1:
            raise InputError(f"strength is {self.strength}: it must be 0 to 1")
        if self.colors not in COLORS:
            raise InputError(f"unknown colors {self.colors!r}: choose {', '.join(COLORS)}")


@dataclass(frozen=True, eq=False)
class Job:
    """The way of one picture through the controls."""

    photo: Picture
    paintings: Sequence[Picture]
    shares: Sequence[float]
    regions: tuple[Tensor, ...]
    controls: Controls

    def run(self, method: Method, callback: Callback) -> Tensor:
        """Let a method paint, and return what the user gets: (1, 3, H, W)."""
        content, styles = self._colored()
        callback = _previewing(callback, self.preview)
        if not self.regions or Ability.MASKS in get(method.name).abilities:
            style = encode(method, styles, self.shares)
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
            style = encode(method, [picture], [1.0])
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


def encode(method: Method, pictures: Sequence[Tensor], shares: Sequence[float]) -> Style:
    """The pictures as one style of a method, each with its share."""
    if len(pictures) > 1 and Ability.BLEND not in get(method.name).abilities:
        raise InputError(f"{method.name} takes one style: leave the others, or give masks")
    first, *rest = (
        share * method.encode(picture) for picture, share in zip(pictures, shares, strict=True)
    )
    for style in rest:
        first = first + style
    return first
