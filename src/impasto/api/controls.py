"""The controls of every method, and the way of one picture through them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.api import strokes
from impasto.api.inputs import with_pixels
from impasto.api.options import COLORS, Controls
from impasto.core.progress import Callback, Progress, Share
from impasto.errors import InputError
from impasto.image import Image, color_transfer, filters
from impasto.image.dither import dithered
from impasto.methods.base import Method
from impasto.methods.registry import methods
from impasto.methods.spec import Ability
from impasto.methods.style import Style

__all__ = ["COLORS", "Brush", "Controls", "Encode", "Job", "asked", "mix"]


def asked(controls: Controls | None, options: Mapping[str, Any]) -> Controls:
    """Controls with some of their fields changed; the defaults where none are given.

    Raises:
        InputError: An option is no field of them; one that is a method's setting is told so.
    """
    known = Controls.__dataclass_fields__
    for name, value in options.items():
        if name in known:
            continue
        if any(name in entry.build.Config.__dataclass_fields__ for entry in methods()):
            raise InputError(
                f"{name} is a setting of a method: give settings={{{json.dumps(name)}: {value!r}}}"
            )
        raise InputError(f"unknown option {name}: there are {', '.join(known)}")
    return replace(controls or Controls(), **options)


@dataclass(frozen=True, eq=False)
class Brush:
    """A style on its way into a picture.

    Attributes:
        method: Paints with it.
        source: The style picture, or a style that was learned or encoded before.
        share: Its weight in a blend.
    """

    method: Method
    source: Image | Style
    share: float = 1.0


Encode = Callable[[Brush, Image], Style]


@dataclass(frozen=True, eq=False)
class Job:
    """The way of one picture through the controls.

    Attributes:
        photo: At the size of the result.
        brushes: One for each style.
        regions: (1, 1, H, W) where each style goes; none is everywhere.
        controls: What is asked for.
        encode: Gives the style of a brush for this photo, where no colours of the photo go into
            it: for who keeps styles between photos. None encodes the painting anew.
        tones: The photo whose colours the styles get, where they get a photo's: frames of one shot
            have one. None is the photo itself.
        dither: Whether networks get the photo with noise of one 8-bit level. Frames go without it:
            the noise would stand still while a camera pans over a clean sky, and be seen.
    """

    photo: Image
    brushes: Sequence[Brush]
    regions: tuple[Tensor, ...]
    controls: Controls
    encode: Encode | None = None
    tones: Image | None = None
    dither: bool = True

    def __post_init__(self) -> None:
        """Refuse what styles without a picture cannot do."""
        if self.controls.match_histogram and isinstance(self.brushes[0].source, Style):
            raise InputError(
                "a ready style has no picture to take the histogram of: name a painting"
            )
        if not self.regions and any(b.method is not self.brushes[0].method for b in self.brushes):
            raise InputError(
                "styles of different methods or networks do not blend: give masks, or one style"
            )

    def run(self, callback: Callback) -> Tensor:
        """Let the methods paint, and return what the user gets: (1, 3, H, W)."""
        callback = _previewing(callback, self.preview)
        method = self.brushes[0].method
        # a region is one part's; a blend that was encoded as one style has several
        alone = all(
            brush.method is method
            and (isinstance(brush.source, Image) or len(brush.source.parts) == 1)
            for brush in self.brushes
        )
        if not self.regions or (alone and Ability.MASKS in method.abilities):
            return self.finish(self._paint(self.brushes, self.regions, callback))
        return self.finish(self._layered(callback))

    def _layered(self, callback: Callback) -> Tensor:
        """For methods that know no regions: the whole picture in each style, then put together.

        Where a mask is soft, :meth:`finish` lets the photo through; here its styles sum to 1.
        """
        content = self._content()
        painted, covered = content, torch.stack(self.regions).sum(0).clamp_min(1e-6)
        for index, (brush, region) in enumerate(zip(self.brushes, self.regions, strict=True)):

            def put(
                layer: Tensor, below: Tensor = painted, share: Tensor = region / covered
            ) -> Tensor:
                return below + (self._fitted(layer) - content) * share

            watch = Share(_previewing(callback, put), index, len(self.brushes))
            painted = put(self._paint([replace(brush, share=1.0)], (), watch))
            if watch.cancelled:
                break
        return painted

    def _paint(
        self, brushes: Sequence[Brush], regions: Sequence[Tensor], callback: Callback
    ) -> Tensor:
        """One run of one method, in the size of the photo."""
        method, content = brushes[0].method, self._content()
        style = mix(method, [b.share for b in brushes], map(self._style, brushes))
        seed = self.controls.seed

        def stylize(photo: Tensor, watch: Callback) -> Tensor:
            size = photo.shape[-2], photo.shape[-1]
            photo = dithered(photo, seed) if self.dither and method.dithers else photo
            places = [strokes.resized(region, size) for region in regions]
            return method.stylize(photo, style, regions=places, seed=seed, callback=watch)

        levels = strokes.sizes(*self._strokes(method))
        return strokes.paint(stylize, content, levels, callback)

    def _strokes(self, method: Method) -> tuple[tuple[int, int], float, str, int | None]:
        """Return what the stroke size depends on, see :func:`impasto.api.strokes.sizes`."""
        size, controls = (self.photo.height, self.photo.width), self.controls
        return size, controls.style_scale, controls.strokes, method.stroke_size

    def _style(self, brush: Brush) -> Style:
        if isinstance(brush.source, Style):
            return brush.source
        if self.encode is not None and self.controls.colors == "style":
            return self.encode(brush, self.photo)
        return brush.method.encode(self._colored(brush.source, brush.method))

    def finish(self, painted: Tensor) -> Tensor:
        """From the method's picture to the user's: histogram, colours, regions."""
        photo, controls, painted = self.photo.rgb, self.controls, painted.cpu().clamp(0, 1)
        first = self.brushes[0].source
        if controls.match_histogram and controls.colors == "style" and isinstance(first, Image):
            painted = color_transfer.match_histogram(painted, first.rgb)
        if controls.median:
            painted = filters.median(painted)
        if controls.colors == "match" and isinstance(first, Style):
            painted = color_transfer.match_colors(painted, photo).clamp(0, 1)
        if controls.colors == "luminance":
            painted = color_transfer.with_luminance(photo, color_transfer.luminance(painted))
        if controls.strength == 1 and not self.regions:
            return painted.contiguous()
        share = torch.tensor(controls.strength)
        if self.regions:
            share = share * torch.stack(self.regions).sum(0).clamp(0, 1)
        return torch.lerp(photo, painted, share)

    def _content(self) -> Tensor:
        """The photo as the methods shall see it."""
        photo = self.photo.rgb
        if self.controls.colors == "luminance":
            return color_transfer.luminance(photo).expand_as(photo).contiguous()
        return photo

    def _colored(self, painting: Image, method: Method) -> Tensor:
        """A style picture as its method shall see it."""
        style = with_pixels(painting, *strokes.style_scale(*self._strokes(method))).rgb
        content = (self.tones or self.photo).rgb
        if self.controls.colors == "match":
            return color_transfer.match_colors(style, content)
        if self.controls.colors == "luminance":
            light = color_transfer.luminance(content)
            grey = color_transfer.match_luminance(color_transfer.luminance(style), light)
            return grey.clamp(0, 1).expand(-1, 3, -1, -1).contiguous()
        return style

    def preview(self, raw: Tensor) -> Tensor:
        """A picture of any size on the method's way, as the user will see it."""
        return self.finish(self._fitted(raw))

    def _fitted(self, raw: Tensor) -> Tensor:
        return Image(raw.cpu()).resized(self.photo.height, self.photo.width).rgb


def _previewing(callback: Callback, through: Callable[[Tensor], Tensor]) -> Callback:
    """A callback whose previews have gone through a function."""

    def call(progress: Progress) -> None:
        raw = progress.preview
        if raw is not None:
            progress.preview = lambda: through(raw())
        callback(progress)

    return call


def mix(method: Method, shares: Sequence[float], styles: Iterable[Style]) -> Style:
    """Styles of a method as one, each with its share.

    Args:
        method: Whose they are.
        shares: One for each style.
        styles: Taken one by one, so that nothing is encoded for a blend that is refused.

    Raises:
        InputError: There are several, and the method does not blend.
    """
    if len(shares) > 1 and Ability.BLEND not in method.abilities:
        raise InputError(f"{method.name} takes one style: leave the others, or give masks")
    first, *rest = (share * style for share, style in zip(shares, styles, strict=True))
    for style in rest:
        first = first + style
    return first
