"""Stylize photos of one size with styles that are resolved and encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from impasto.api import inputs, strokes
from impasto.api.areas import EMPTY
from impasto.api.controls import Controls, ResolvedStyle
from impasto.api.inputs import Source, resize_long_edge
from impasto.api.stylize import paint
from impasto.core.progress import PartProgress, silent
from impasto.image import Image
from impasto.methods.base import Frame
from impasto.methods.executor import Executor
from impasto.methods.style import Style
from impasto.video.flow import Motion
from impasto.video.temporal import TemporalStylizer, rounded


class FrameCancelled(Exception):  # noqa: N818 (no error)
    """The callback cancelled while a frame was stylized."""


class FrameStylizer:
    """Stylize photos of one size with styles that are resolved and encoded once."""

    def __init__(
        self, styles: Sequence[ResolvedStyle], controls: Controls, masks: Sequence[Source]
    ) -> None:
        self._resolved = styles
        self._controls = replace(controls, shifts=controls.shifts or 1)
        self._masks = [mask if mask == "alpha" else inputs.read_image(mask) for mask in masks]
        self._styles: dict[int, Style] = {}
        self._alpha: Tensor | None = None
        self._progress = PartProgress(silent, 0, 1)
        self._size = (0, 0)
        self.empty = 0  # frames in which people were searched, and none was found
        self._found = True

    def set_size(self, first: Image, *, even: bool) -> tuple[int, int]:
        """Set the size of all frames by the first one; return width and height."""
        default = min(resolved.method.default_edge(first.size) for resolved in self._resolved)
        width, height = resize_long_edge(first, self._controls.size, default).size
        step = 2 if even else 1
        self._whole = (width, height)
        self._size = (max(step, width // step * step), max(step, height // step * step))
        self._controls = replace(self._controls, size=max(self._size))
        return self._size

    def photo(self, picture: Image) -> Image:
        """Return a frame of the clip at the size of the video, as it is stylized."""
        width, height = self._whole
        photo = picture.resized(max(height, self._size[1]), max(width, self._size[0]))
        rgb, alpha = photo.rgb[..., : self._size[1], : self._size[0]], photo.alpha
        if alpha is not None:
            alpha = alpha[..., : self._size[1], : self._size[0]]
        return Image(rounded(rgb).contiguous(), alpha)

    def frame(
        self, photo: Image, motion: Motion | None, temporal: TemporalStylizer, watch: PartProgress
    ) -> Callable[[], Image]:
        """Stylize a frame of the video; return a function that blends it with those before.

        Args:
            photo: See :meth:`photo`.
            motion: From the photo before, if it is known.
            temporal: Blends the frame with those before.
            watch: Receives the progress.
        """
        self._alpha = photo.alpha
        self._progress, self._found = watch, True
        blend = temporal.begin(photo.rgb, motion)
        self.empty += not self._found
        return lambda: Image(blend(), photo.alpha)

    @property
    def starts(self) -> bool:
        """Return whether a frame is optimised from the one before."""
        return not all(isinstance(one.method, Executor) for one in self._resolved)

    def notes(self, frames: int) -> list[str]:
        """Return a remark for the user if no person was found in some of ``frames`` frames."""
        return [f"{EMPTY} in {self.empty} of {frames} frames"] if self.empty else []

    def __call__(self, photo: Tensor, tones: Tensor, frame: Frame | None = None) -> Tensor:
        """Return a stylized photo (1, 3, H, W); the styles take the colours of ``tones``."""
        painted = paint(
            Image(photo, self._alpha),
            self._resolved,
            masks=self._masks,
            controls=self._controls,
            callback=self._progress,
            encode=self._encoded,
            tones=Image(tones),
            dither=False,
            frame=frame,
            refuse=False,
        )
        self._found = EMPTY not in painted.note
        if self._progress.cancelled:  # the result may be unfinished
            raise FrameCancelled
        return painted.rgb

    def plain(self, photo: Tensor, tones: Tensor, frame: Frame | None = None) -> Tensor:
        """Return the result of calling this object, without reporting progress."""
        watch, self._progress = self._progress, PartProgress(silent, 0, 1)
        try:
            return self(photo, tones, frame)
        finally:
            self._progress = watch

    def _encoded(self, resolved: ResolvedStyle, photo: Image) -> Style:
        """Return the encoded style image, cached by its image."""
        # kept alive by ``self._resolved``, while the resolved styles are copied by the pipeline
        key = id(resolved.source)
        if key not in self._styles:
            assert isinstance(resolved.source, Image)  # the pipeline encodes images only
            controls, size = self._controls, (photo.height, photo.width)
            native = resolved.method.stroke_size
            scaled = strokes.style_scale(*strokes.arguments(size, controls, native, photo=False))
            painting = inputs.resize_to_pixels(resolved.source, *scaled)
            self._styles[key] = resolved.method.encode(painting.rgb)
        return self._styles[key]
