"""Write stylized frames as a video file, with the sound of the source."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import InputError
from impasto.video import webp
from impasto.video.codec import PALETTE, Coding, container_options, plan, time_base
from impasto.video.decoder import Video, library, reason
from impasto.video.palette import Palette
from impasto.video.reader import Clip, Folder
from impasto.video.sound import DamagedPackets, tracks
from impasto.video.webp import Animation

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import OutputContainer

Pixels = NDArray[np.uint8]  # (H, W, 3 or 4), the fourth is alpha
Fetch = Callable[[int], Pixels]

_BT709, _BT601, _SMPTE170M = 1, 5, 6  # FFmpeg's numbers; the last two are the same matrix
_LIMITED, _FULL = 1, 2
_PALETTE_FRAMES = 32  # frames from which a palette is computed
# formats whose length counts the duration of the last decoded frame
_BY_DECODING = {"mp4", "mov", "ipod"}


def rehearse(
    target: Path, clip: Clip, size: tuple[int, int], coding: Coding, *, alpha: bool = False
) -> list[str]:
    """Write a grey frame to a temporary file, to detect unsupported options before the work.

    Args:
        target: The video, for its ending.
        clip: The clip that the frames come from.
        size: Width and height of the stylized frames.
        coding: How it is to be encoded.
        alpha: Whether stylized frames have transparent pixels.

    Returns:
        Remarks for the user, such as on subtitles that are left out.

    Raises:
        InputError: :func:`write` would raise it.
    """
    grey = np.full((size[1], size[0], 3), 128, np.uint8)
    uneven = not isinstance(clip, Folder) and not clip.even_paced
    if uneven and not plan(target, coding, alpha=alpha).clocked:
        raise InputError(
            f"{target.suffix} holds one frame rate, and {clip.path} has several: name the result "
            f".mkv or .mp4"
        )
    with tempfile.TemporaryDirectory() as folder:
        film = _VideoFile(Path(folder) / f"rehearsal{target.suffix}", clip, size, coding, alpha)
        film.prepare(lambda _: grey, 1)
        film.write(lambda _: grey, most=1)
    return film.notes


def write(
    target: Path,
    clip: Clip,
    size: tuple[int, int],
    coding: Coding,
    fetch: Fetch,
    frames: int | None = None,
    *,
    short: bool = False,
    alpha: bool = False,
) -> list[str]:
    """Write a video: the stylized frames at the times of the clip's, and its sound.

    Args:
        target: The file; incomplete until this returns.
        clip: The clip that the frames come from.
        size: Width and height of the stylized frames.
        coding: How it is encoded.
        fetch: Returns a stylized frame by its index.
        frames: The number of frames; None is the clip's.
        short: Whether the clip has more frames; then the sound is cut after the last one.
        alpha: Whether stylized frames have transparent pixels.

    Returns:
        Remarks for the user: those of :func:`rehearse`, and those that need the whole file, such as
        on damaged packets of sound.

    Raises:
        InputError: The format does not support the options, the codec or the sound.
    """
    film = _VideoFile(target, clip, size, coding, alpha, short=short)
    film.prepare(fetch, frames or clip.frames)
    film.write(fetch, frames if short or not isinstance(clip, Video) else None)
    return film.notes


class _VideoFile:
    """A video file that is being written."""

    def __init__(
        self,
        target: Path,
        clip: Clip,
        size: tuple[int, int],
        coding: Coding,
        alpha: bool,
        *,
        short: bool = False,
    ) -> None:
        self.target, self.clip, self.size, self.coding = target, clip, size, coding
        self.plan = plan(target, coding, alpha=alpha)
        self.notes: list[str] = []
        if alpha and not self.plan.alpha:
            self.notes.append(
                f"{target.suffix} with {self.plan.encoder} holds no transparency: it is left out "
                f"(.webm, .mov, .mkv, .apng, .webp and .gif hold it)"
            )
        self._av = library()
        rate = clip.fps if isinstance(clip, Folder) else clip.rate
        own = 1 / rate if isinstance(clip, Folder) else clip.time_base
        self._rate, self._unit = rate, time_base(self.plan, own, rate)
        self._lasts = 1 / rate if short or isinstance(clip, Folder) else clip.lasts or 1 / rate
        self._durations: dict[int, int] = {}
        self._palette: Palette | None = None
        self._last: int | None = None
        self._begin: int | None = None
        self._end = 0
        self._first: tuple[Any, Any] | None = None  # pts and dts of the first packet

    def prepare(self, fetch: Fetch, frames: int) -> None:
        """Compute the palette, if the pixel format has one."""
        if self.plan.pixels == PALETTE:
            step = -(-frames // _PALETTE_FRAMES)
            shown = (self._rgb(fetch(index)) for index in range(0, frames, step))
            with self._writing_errors():
                self._palette = Palette(shown)

    def _rgb(self, pixels: Pixels) -> Any:
        wanted = 4 if self.plan.alpha else 3
        if pixels.shape[2] < wanted:
            pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        form = "rgba" if self.plan.alpha else "rgb24"
        shown = np.ascontiguousarray(pixels[..., :wanted])
        return self._av.VideoFrame.from_ndarray(shown, format=form)

    def write(self, fetch: Fetch, most: int | None = None) -> None:
        """Write all frames, or at most ``most``."""
        with self._writing_errors():
            out = self._av.open(
                str(self.target), "w", options=container_options(self.plan, self._lasts)
            )
        try:
            if isinstance(self.clip, Video):
                self._with_sound(out, self.clip, fetch, most)
            else:
                self._silent(out, fetch, most or self.clip.frames)
        except BaseException:
            with suppress(Exception):  # the original error is raised
                out.close()
            raise
        with self._writing_errors():
            out.close()
            if self.plan.format == "webp":
                whole = (self._end - (self._begin or 0)) * self._unit
                webp.finish(self.target, whole, alpha=self.plan.alpha)

    @contextmanager
    def _writing_errors(self) -> Iterator[None]:
        """Raise errors of writing as InputError; errors of reading are handled elsewhere."""
        try:
            yield
        except (self._av.FFmpegError, ValueError, OSError) as error:
            what = f"{self.target.suffix} with {self.plan.encoder}"
            hint = ""
            if isinstance(self.clip, Video) and self.coding.audio == "copy":
                hint = ' (if it is the sound: `audio="encode"`, or `audio="none"`)'
            raise InputError(f"cannot write {what}: {reason(error)}{hint}") from error

    def _mux(self, out: OutputContainer, packets: Callable[[], Sequence[Any]]) -> None:
        with self._writing_errors():
            out.mux(packets())

    def _silent(self, out: OutputContainer, fetch: Fetch, count: int) -> None:
        stream = self._stream(out)
        for index in range(count):
            start, lasts = Fraction(index) / self._rate, 1 / self._rate
            if isinstance(self.clip, Animation):
                start, lasts = self.clip.times[index]
            frame = self._frame(fetch(index), start, lasts)
            self._mux(out, partial(self._encoded, stream, frame))
        self._mux(out, partial(self._encoded, stream, None))

    def _with_sound(
        self, out: OutputContainer, clip: Video, fetch: Fetch, most: int | None
    ) -> None:
        """Write frames and packets in the order of the source."""
        index, damaged = 0, DamagedPackets()
        with clip.open() as (source, pictures):
            stream = self._stream(out)
            with self._writing_errors():
                found = tracks(
                    out, source, self.target.suffix, self.coding.audio, self.notes, damaged
                )
            out.metadata.update(source.metadata)
            for packet in source.demux(pictures, *(source.streams[i] for i in found)):
                if packet.stream.index != pictures.index:
                    self._mux(out, partial(found[packet.stream.index], packet))
                    continue
                for shown in clip.decoded(packet, notes=False):
                    if most is None or index < most:
                        frame = self._frame(fetch(index), *_times(shown, index, clip))
                        self._mux(out, partial(self._encoded, stream, frame))
                    index += 1
                if most is not None and index >= most:
                    break
            self._mux(out, partial(self._encoded, stream, None))
        if damaged.packets:
            self.notes.append(damaged.describe())

    def _stream(self, out: OutputContainer) -> Any:
        """Add the video stream and set it up."""
        clip, encoder = self.clip, self.plan.encoder
        try:
            stream: Any = out.add_stream(encoder, rate=self._rate, options=self.plan.options)
        except ValueError as error:
            raise InputError(
                f"{self.target.suffix} cannot hold {encoder}: name the video .mkv, or leave "
                f"`codec` out"
            ) from error
        stream.width, stream.height = self.size
        stream.pix_fmt = self.plan.pixels
        context = stream.codec_context
        context.time_base = self._unit
        if "yuv" in self.plan.pixels:
            context.colorspace = _BT709 if self._matrix == _BT709 else _SMPTE170M
            context.color_range = _FULL if self.plan.full else _LIMITED
        if isinstance(clip, Video):
            context.color_primaries, context.color_trc = clip.primaries, clip.transfer
            if clip.aspect:
                sideways = clip.turned in {90, 270}
                context.sample_aspect_ratio = 1 / clip.aspect if sideways else clip.aspect
        return stream

    @property
    def _matrix(self) -> int:
        rows = self.size[1]
        if isinstance(self.clip, Video):
            return self.clip.matrix(rows)
        return _BT709 if rows >= 720 else _BT601

    def _frame(self, pixels: Pixels, start: Fraction, duration: Fraction | None = None) -> Any:
        """Convert a stylized frame to the encoder's format; times in seconds."""
        frame = self._rgb(pixels)
        if self._palette is not None:
            frame = self._palette(frame)
        elif "yuv" in self.plan.pixels:
            range_ = _FULL if self.plan.full else _LIMITED
            frame = frame.reformat(
                format=self.plan.pixels, dst_colorspace=self._matrix, dst_color_range=range_
            )
        else:
            frame = frame.reformat(format=self.plan.pixels)
        pts = round(start / self._unit)
        if self._last is not None and pts <= self._last:  # times of a damaged file may repeat
            pts = self._last + 1
        length = max(1, round((duration or 1 / self._rate) / self._unit))
        self._last, self._end, self._durations[pts] = pts, pts + length, length
        self._begin = pts if self._begin is None else self._begin
        frame.pts, frame.time_base = pts, self._unit
        return frame

    def _encoded(self, stream: Any, frame: VideoFrame | None) -> list[Any]:
        packets = list(stream.encode(frame))
        for packet in packets:
            if self._first is None:
                self._first = packet.pts, packet.dts
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
        if frame is None and packets and self._first and self.plan.format in _BY_DECODING:
            (pts, dts), last = self._first, packets[-1]
            last.duration = max(1, self._end - pts - (last.dts - dts))
        return packets


def _times(frame: VideoFrame, index: int, clip: Video) -> tuple[Fraction, Fraction | None]:
    """Return the start and the duration of a source frame, in seconds."""
    unit = frame.time_base or clip.time_base
    start = Fraction(index) / clip.rate if frame.pts is None else frame.pts * unit
    length = getattr(frame, "duration", 0) or 0
    return start, length * unit if length else None
