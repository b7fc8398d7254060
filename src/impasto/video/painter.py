"""Stylize photos of one size with styles that are resolved and encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from impasto.api import inputs, strokes
from impasto.api.controls import Brush, Controls
from impasto.api.inputs import Source, fit
from impasto.api.stylize import paint
from impasto.core.progress import Share, silent
from impasto.image import Image
from impasto.methods.style import Style
from impasto.video.temporal import Steady


class Stopped(Exception):  # noqa: N818 (no error)
    """The callback cancelled while a frame was stylized."""


class Painter:
    """Stylize photos of one size with styles that are resolved and encoded once."""

    def __init__(
        self, brushes: Sequence[Brush], controls: Controls, masks: Sequence[Source]
    ) -> None:
        self._brushes, self._controls = brushes, controls
        self._masks = [mask if mask == "alpha" else inputs.read(mask) for mask in masks]
        self._styles: dict[int, Style] = {}
        self._alpha: Tensor | None = None
        self._watch = Share(silent, 0, 1)
        self._size = (0, 0)

    def settle(self, first: Image, *, even: bool) -> tuple[int, int]:
        """Set the size of all frames by the first one; return width and height."""
        default = min(brush.method.default_edge(first.size) for brush in self._brushes)
        width, height = fit(first, self._controls.size, default).size
        step = 2 if even else 1
        self._whole = (width, height)
        self._size = (max(step, width // step * step), max(step, height // step * step))
        self._controls = replace(self._controls, size=max(self._size))
        return self._size

    def frame(self, picture: Image, hand: Steady, watch: Share) -> Image:
        """Return a stylized frame of the video."""
        width, height = self._whole
        photo = picture.resized(max(height, self._size[1]), max(width, self._size[0]))
        rgb = photo.rgb[..., : self._size[1], : self._size[0]].contiguous()
        alpha = photo.alpha
        self._alpha = None if alpha is None else alpha[..., : self._size[1], : self._size[0]]
        self._watch = watch
        return Image(hand(rgb), self._alpha)

    def __call__(self, photo: Tensor, tones: Tensor) -> Tensor:
        """Return a stylized photo (1, 3, H, W); the styles take the colours of ``tones``."""
        painted = paint(
            Image(photo, self._alpha),
            self._brushes,
            masks=self._masks,
            controls=self._controls,
            callback=self._watch,
            encode=self._encoded,
            tones=Image(tones),
            dither=False,
        )
        if self._watch.cancelled:  # the result may be unfinished
            raise Stopped
        return painted.rgb

    def plain(self, photo: Tensor, tones: Tensor) -> Tensor:
        """Return the result of calling this object, without reporting progress."""
        watch, self._watch = self._watch, Share(silent, 0, 1)
        try:
            return self(photo, tones)
        finally:
            self._watch = watch

    def _encoded(self, brush: Brush, photo: Image) -> Style:
        """Return the encoded style image, cached by its image."""
        # kept alive by ``self._brushes``, while the resolved styles are copied by the pipeline
        key = id(brush.source)
        if key not in self._styles:
            assert isinstance(brush.source, Image)  # the pipeline encodes images only
            controls, size = self._controls, (photo.height, photo.width)
            scaled = strokes.style_scale(
                size, controls.style_scale, controls.strokes, brush.method.stroke_size
            )
            painting = inputs.with_pixels(brush.source, *scaled)
            self._styles[key] = brush.method.encode(painting.rgb)
        return self._styles[key]
