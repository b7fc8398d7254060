"""Apply the controls, which all methods have in common, to one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from impasto.api import cycle_spinning, strokes, tiling
from impasto.api.blend import blend_styles, style_images
from impasto.api.finish import PLAIN, Finish, common_finish, finish
from impasto.api.inputs import resize_to_pixels
from impasto.api.options import Controls
from impasto.core.progress import Callback, PartProgress, Progress, map_previews, silent
from impasto.errors import InputError
from impasto.image import Image, color_transfer
from impasto.image.dither import dithered
from impasto.methods.base import Frame, Method
from impasto.methods.spec import Ability
from impasto.methods.style import Style

__all__ = ["Controls", "Encode", "ResolvedStyle", "StylizeJob"]


@dataclass(frozen=True, eq=False)
class ResolvedStyle:
    """A resolved style: what the user gave as a style, with the method that paints with it.

    Attributes:
        method: The method.
        source: The style image, or a style that was learned or encoded before.
        weight: Its weight in a blend.
        start: The same style for the networks whose picture the optimisation of ``method`` starts
            from; None is another start.
        second: Network whose result is averaged with that of ``method``; None is no other.
        finish: Defaults of the quality.
    """

    method: Method
    source: Image | Style
    weight: float = 1.0
    start: ResolvedStyle | None = None
    second: Method | None = None
    finish: Finish = PLAIN


Encode = Callable[[ResolvedStyle, Image], Style]


@dataclass(frozen=True, eq=False)
class StylizeJob:
    """The painting of one content image with controls.

    Attributes:
        photo: The content image, at the size of the result.
        styles: The resolved styles.
        regions: A mask (1, 1, H, W) for each style; none is everywhere.
        controls: The controls.
        encode: Returns the encoded style of a resolved style and a content image, such as from a
            cache. It is called only if style images do not get the colours of the content image.
            None encodes each style image.
        tones: Image whose colours style images get where ``colors`` is not ``style``; it is the
            same for all frames of a shot. None is the content image.
        dither: Whether networks get the content image with noise of one 8-bit level. Video frames
            do not: the same noise in all frames would be visible over moving smooth areas.
        frame: For a frame of a video, its input from the frames before it.
        area: Weight (1, 1, H, W) of the painting against the content image; None is 1.
    """

    photo: Image
    styles: Sequence[ResolvedStyle]
    regions: tuple[Tensor, ...]
    controls: Controls
    encode: Encode | None = None
    tones: Image | None = None
    dither: bool = True
    frame: Frame | None = None
    area: Tensor | None = None

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for controls that these styles do not allow."""
        if self.controls.match_histogram and isinstance(self.styles[0].source, Style):
            raise InputError(
                "a ready style has no picture to take the histogram of: name a painting"
            )
        if not self.regions and any(s.method is not self.styles[0].method for s in self.styles):
            raise InputError(
                "styles of different methods or networks do not blend: give masks, or one style"
            )

    def run(self, callback: Callback) -> Tensor:
        """Paint the content image and apply all controls.

        Returns:
            (1, 3, H, W) in [0, 1].

        Raises:
            InputError: The methods cannot paint with these styles or controls.
        """
        return self.finish(self._painted(map_previews(callback, self.preview)))

    def _painted(self, callback: Callback) -> Tensor:
        """Paint the content image by the methods of all styles, at its own size."""
        method = self.styles[0].method
        # a method needs one part for each region; a blend that was encoded before has several
        alone = all(
            style.method is method
            and (isinstance(style.source, Image) or len(style.source.parts) == 1)
            for style in self.styles
        )
        if not self.regions or (alone and Ability.MASKS in method.abilities):
            return self._paint(self.styles, self.regions, callback)
        return self._blend_layers(callback)

    def _blend_layers(self, callback: Callback) -> Tensor:
        """Paint the whole image in each style, and blend the results by their regions.

        At each position the weights of the styles sum to 1; :meth:`finish` then blends the result
        with the content image where the masks have a sum below 1.
        """
        painted = content = self._content()
        covered = torch.stack(self.regions).sum(0).clamp_min(1e-6)
        for index, (style, region) in enumerate(zip(self.styles, self.regions, strict=True)):

            def put(
                layer: Tensor, below: Tensor = painted, weight: Tensor = region / covered
            ) -> Tensor:
                return below + (self._resized(layer) - content) * weight

            watch = PartProgress(map_previews(callback, put), index, len(self.styles))
            painted = put(self._paint([replace(style, weight=1.0)], (), watch))
            if watch.cancelled:
                break
        return painted

    def _paint(
        self, styles: Sequence[ResolvedStyle], regions: Sequence[Tensor], callback: Callback
    ) -> Tensor:
        """Paint the content image by one method, or as the mean of two networks.

        Each of two networks takes half its shifts: their lattices differ, and the mean halves them.
        """
        second = styles[0].second
        blends = second is not None and (
            len(styles) == 1 or bool(regions) or Ability.BLEND in second.abilities
        )
        if second is None or not blends or not self._large:
            return self._paint_once(styles, regions, callback, 1)
        watch = PartProgress(callback, 0, 2)
        first = self._paint_once(styles, regions, watch, 2)
        if watch.cancelled:
            return first
        others = [replace(style, method=second, second=None) for style in styles]
        watch = PartProgress(
            map_previews(callback, lambda raw: (first + self._resized(raw)) / 2), 1, 2
        )
        other = self._paint_once(others, regions, watch, 2)
        return first if watch.cancelled else (first + other) / 2

    def _paint_once(
        self,
        styles: Sequence[ResolvedStyle],
        regions: Sequence[Tensor],
        callback: Callback,
        networks: int,
    ) -> Tensor:
        """Paint the content image by one of some networks, at the size of the content image."""
        method, content = styles[0].method, self._content()
        base = self._base(styles, regions, callback)
        recolor = partial(self._recolored, base)
        callback = map_previews(callback, recolor)
        style = blend_styles(method, [one.weight for one in styles], map(self._style, styles))
        seed = self.controls.seed

        def stylize_once(photo: Tensor, masks: Sequence[Tensor], watch: Callback) -> Tensor:
            return method.stylize(photo, style, regions=masks, seed=seed, callback=watch)

        def stylize(photo: Tensor, watch: Callback) -> Tensor:
            size = photo.shape[-2], photo.shape[-1]
            photo = dithered(photo, seed) if self.dither and method.dithers else photo
            masks = [strokes.resized(region, size) for region in regions]
            shifts = cycle_spinning.count(method.shifts, self.controls.shifts, size, networks)
            return cycle_spinning.average(stylize_once, photo, masks, shifts, watch)

        levels, size = strokes.sizes(*self._strokes(method)), (self.photo.height, self.photo.width)
        border = 0
        if self.controls.seamless and method.stroke_size is not None:
            border = tiling.border_of(size, levels)
            levels = tiling.wrapped_sizes(size, levels, border)
            content, *regions = (tiling.wrapped(image, border) for image in (content, *regions))
            crop = partial(tiling.unwrapped_preview, size=size, border=border)
            callback = map_previews(callback, crop)
        tiles = self.controls.seamless and not border
        with method.within(self.frame, base), method.seamless(*size) if tiles else nullcontext():
            painted = recolor(strokes.paint(stylize, content, levels, callback))
        return tiling.unwrapped(painted, border) if border else painted

    def _recolored(self, base: Tensor | None, painted: Tensor) -> Tensor:
        """Return a result, but of frames, with the colours of its start: specks are left out."""
        if base is None or not self.dither:
            return painted
        return color_transfer.with_luminance(base, color_transfer.luminance(self._resized(painted)))

    def _base(
        self, styles: Sequence[ResolvedStyle], regions: Sequence[Tensor], callback: Callback
    ) -> Tensor | None:
        """Return the networks' picture that the optimisation of these styles starts from, or None.

        It is averaged over shifts, since an optimisation would keep a lattice.
        """
        if self.frame is not None and self.frame.start is not None:
            return None
        sources = [
            replace(one.start, source=source, weight=weight * one.weight)
            for one in styles
            if one.start is not None
            for source, weight in style_images(one.source)
        ]
        if not sources:
            return None
        controls = replace(self.controls, shifts=None, match_histogram=False, median=False)
        # A result that the user sharpens or smooths, or not, starts from a picture without either.
        if (controls.sharpen, controls.kuwahara) != (None, None):
            controls = replace(controls, sharpen=0.0, kuwahara=0.0)
        job = replace(
            self, styles=sources, regions=tuple(regions), controls=controls, encode=None, frame=None
        )
        painted = job._painted(silent).cpu().clamp(0, 1)
        if controls.colors != "luminance":  # else the network has painted in grey
            painted = job._toned(painted)
        callback(Progress(0, 1, stage="painted by a network", preview=lambda: painted))
        return painted

    def _strokes(self, method: Method) -> tuple[strokes.Size, float, str, int | None, bool]:
        """Return the arguments of :func:`impasto.api.strokes.sizes`."""
        size = self.photo.height, self.photo.width
        return strokes.arguments(size, self.controls, method.stroke_size, photo=self._large)

    @property
    def _large(self) -> bool:
        """Check whether a photo is painted, in more than one pass; frames are not dithered."""
        return self.dither and self.frame is None and self.controls.shifts != 1

    def _style(self, style: ResolvedStyle) -> Style:
        if isinstance(style.source, Style):
            return style.source
        if self.encode is not None and self.controls.colors == "style":
            return self.encode(style, self.photo)
        return style.method.encode(self._colored(style.source, style.method))

    def finish(self, painted: Tensor) -> Tensor:
        """Apply histogram, median, colours, strength and regions to a method's result."""
        photo, controls = self.photo.rgb, self.controls
        painted = self._toned(painted.cpu().clamp(0, 1))
        if controls.strength == 1 and not self.regions and self.area is None:
            return painted.contiguous()
        covered = torch.stack(self.regions).sum(0).clamp(0, 1) if self.regions else 1.0
        weight = controls.strength * covered * (1.0 if self.area is None else self.area)
        return torch.lerp(photo, painted, torch.as_tensor(weight))

    def _toned(self, painted: Tensor) -> Tensor:
        shifts, size = self.controls.shifts, (self.photo.height, self.photo.width)
        counts = [cycle_spinning.count(s.method.shifts, shifts, size) for s in self.styles]
        moving = not self.dither or self.frame is not None
        finishes = [PLAIN if moving else style.finish for style in self.styles]
        amounts = common_finish(finishes, self.controls, averaged=min(counts) > 1)
        if len(self.styles) > 1 or self.regions:
            amounts = replace(amounts, chroma=0.0)
        return finish(painted, self.photo.rgb, self.styles[0].source, self.controls, amounts)

    def _content(self) -> Tensor:
        """Return the content image for the methods: in grey where ``colors`` is ``luminance``."""
        photo = self.photo.rgb
        if self.controls.colors == "luminance":
            return color_transfer.luminance(photo).expand_as(photo).contiguous()
        return photo

    def _colored(self, painting: Image, method: Method) -> Tensor:
        """Return a style image for its method: resized, and recoloured for some ``colors``."""
        style = resize_to_pixels(painting, *strokes.style_scale(*self._strokes(method))).rgb
        content = (self.tones or self.photo).rgb
        if self.controls.colors == "match":
            return color_transfer.match_colors(style, content)
        if self.controls.colors == "luminance":
            light = color_transfer.luminance(content)
            grey = color_transfer.match_luminance(color_transfer.luminance(style), light)
            return grey.clamp(0, 1).expand(-1, 3, -1, -1).contiguous()
        return style

    def preview(self, raw: Tensor) -> Tensor:
        """Return an intermediate image of any size, resized and with all controls applied."""
        return self.finish(self._resized(raw))

    def _resized(self, raw: Tensor) -> Tensor:
        return Image(raw.cpu()).resized(self.photo.height, self.photo.width).rgb
