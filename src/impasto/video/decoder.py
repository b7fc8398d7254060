"""Decode a video file into images by PyAV."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import InputError, MissingExtraError
from impasto.image import Image
from impasto.image.hdr import Hdr, to_sdr
from impasto.video.alpha import alpha_of, may_have_alpha
from impasto.video.deinterlace import Deinterlacer
from impasto.video.hdr_detection import detect_hdr

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

FPS = Fraction(25)  # if a clip has no rate

_BT709, _BT601, _BT2020, _UNKNOWN = 1, 5, 9, 2  # AVColorSpace
_HD = 720  # rows from which an untagged video is treated as BT.709, as players do
_STILLS = ("image2", "_pipe", "ico", "tty")  # demuxers of single images and of text
_LISTS = ("hls", "concat", "dash", "imf")  # formats that refer to other files
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # decoders
# a file must not make the reader open network addresses
_OPTIONS = {"protocol_whitelist": "file"}


class Video:
    """A video file.

    Args:
        path: Of the file.

    Raises:
        InputError: It is no video, or nothing of it can be decoded.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        with self.open() as (_, stream):
            context = stream.codec_context
            self.time_base = stream.time_base or Fraction(1, 1000)
            self.rate = stream.average_rate or stream.guessed_rate or FPS
            self.colorspace = int(context.colorspace)
            self.primaries, self.transfer = int(context.color_primaries), int(context.color_trc)
            self.aspect = stream.sample_aspect_ratio
            self._alpha_decoder = self._decoder_with_alpha(stream)
        self.frames, first = self._inspect()
        self._alpha = bool(self._alpha_decoder) or may_have_alpha(first)
        self.turned = round(first.rotation / 90) * 90 % 360
        self._hdr = detect_hdr(first, self.transfer)
        if self._hdr:
            # of the frames that pictures() yields
            self.colorspace = self.primaries = self.transfer = _BT709
            self._add_note(
                f"{path} is HDR ({self._hdr.name}): tone-mapped to SDR (BT.709), "
                f"{self._hdr.peak:.0f} cd/m² and more to white"
            )

    @contextmanager
    def open(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file and its video stream; errors of PyAV inside become InputError.

        Raises:
            InputError: It cannot be read, or has no video stream.
        """
        av = library()
        try:
            with av.open(
                str(self.path), "r", options=dict(_OPTIONS), metadata_errors="replace"
            ) as container:
                kind = container.format.name
                if any(name in kind for name in _LISTS):
                    raise InputError(f"{self.path} is a list of other files: name a video itself")
                if any(name in kind for name in _STILLS):
                    raise InputError(f"{self.path} is no video: a picture is for 'stylize'")
                for stream in container.streams.video:
                    if not stream.disposition & av.stream.Disposition.attached_pic:
                        if stream.codec_context is None:
                            raise InputError(
                                f"{self.path} is in a codec that FFmpeg cannot decode: convert it "
                                f"first, to H.264 for example"
                            )
                        stream.thread_type = "AUTO"
                        yield container, stream
                        return
                raise InputError(f"{self.path} holds no moving pictures: name a video")
        except (av.FFmpegError, EOFError, ValueError) as error:
            raise InputError(f"cannot read {self.path} as a video: {reason(error)}") from error
        except OSError as error:
            raise InputError(f"cannot read {self.path}: {reason(error)}") from error

    @property
    def names(self) -> Sequence[str]:
        """Return the frame numbers as names."""
        return numbered(self.frames)

    def _inspect(self) -> tuple[int, VideoFrame]:
        """Return the number of frames, and the first frame."""
        with self.open() as (container, stream):
            shown = [
                (packet.pts, packet.duration) for packet in container.demux(stream) if packet.size
            ]
        frames, times = len(shown), [start for start, _ in shown]
        known = [(start, lasts) for start, lasts in shown if start is not None and lasts]
        self.lasts = max(known)[1] * self.time_base if known else None
        self.even_paced = _even_paced(times, self.time_base, self.rate)
        with self.open() as (container, stream):
            for packet in container.demux(stream):
                for frame in self.decoded(packet, notes=False):
                    return max(1, frames), frame
        raise self._no_frame()

    def _no_frame(self) -> InputError:
        return InputError(f"{self.path} has no frame that can be decoded: is the file whole?")

    def _decoder_with_alpha(self, stream: VideoStream) -> str:
        """Return the decoder for VP8 or VP9 with alpha, which FFmpeg's default decoders ignore."""
        name = _WITH_ALPHA.get(stream.codec_context.name, "")
        if not name or stream.metadata.get("alpha_mode") != "1":
            return ""
        try:
            library().CodecContext.create(name, "r")
        except ValueError:  # UnknownCodecError
            self._add_note(f"this PyAV has no {name}: the transparency of {self.path} is left out")
            return ""
        return name

    @cached_property
    def transparent(self) -> bool:
        """Check whether any pixel of any frame is transparent."""
        if not self._alpha:
            return False
        with self.open() as (container, stream):
            frames = self._progressive(container, stream)
            return any(bool((alpha_of(frame) < 255).any()) for frame in frames)

    def decoded(self, packet: Any, *, notes: bool = True, decoder: Any = None) -> list[VideoFrame]:
        """Decode a packet by the stream's decoder or another one; return [] if it is damaged."""
        av = library()
        try:
            if decoder is None:
                frames = packet.decode()
            else:
                frames = decoder.decode(packet if packet.size else None)
            return [frame for frame in frames if isinstance(frame, av.VideoFrame)]
        except (av.InvalidDataError, av.FFmpegError):
            if notes:
                self._damaged()
            return []

    def _damaged(self) -> None:
        self._add_note(f"{self.path} is damaged: what can be decoded is painted")

    def _add_note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def pictures(self, first: int = 0) -> Iterator[Image]:
        """Yield the frames from index ``first`` on, rotated upright.

        Raises:
            InputError: The file cannot be read.
        """
        index, last = 0, 0.0
        with self.open() as (container, stream):
            for frame in self._progressive(container, stream):
                if index >= first:
                    yield self._picture(frame)
                index, last = index + 1, frame.time or last
            if not index:  # although the default decoder found a frame
                raise self._no_frame()
            lasts = float((container.duration or 0) / 1e6)
            if last and lasts - last > max(1.0, lasts / 20):
                self._add_note(f"{self.path} says {lasts:.1f} s, its pictures end at {last:.1f} s")

    def _progressive(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Yield all frames; interlaced ones are deinterlaced."""
        deinterlacer, decoder = Deinterlacer(), None
        if self._alpha_decoder:
            decoder = library().CodecContext.create(self._alpha_decoder, "r")
        for packet in container.demux(stream):
            for frame in self.decoded(packet, decoder=decoder):
                if frame.is_corrupt:
                    self._damaged()
                if frame.interlaced_frame:
                    self._add_note(
                        f"{self.path} is interlaced: its frames are deinterlaced (bwdif)"
                    )
                yield from deinterlacer(frame)
        yield from deinterlacer.rest()

    def _picture(self, frame: VideoFrame) -> Image:
        shown = self._mapped(frame, self._hdr) if self._hdr else self._rgb(frame)  # (H, W, 3)
        if self._alpha:
            alpha = alpha_of(frame)[..., None]
            shown = np.dstack([shown, alpha / np.float32(255) if self._hdr else alpha])
        return Image.from_numpy(np.ascontiguousarray(np.rot90(shown, self.turned // 90)))

    def _rgb(self, frame: VideoFrame) -> NDArray[Any]:
        space = self.matrix(frame.height) if int(frame.colorspace) == _UNKNOWN else None
        return frame.to_ndarray(format="rgb24", src_colorspace=space)

    def _mapped(self, frame: VideoFrame, hdr: Hdr) -> NDArray[Any]:
        space = _BT2020 if int(frame.colorspace) == _UNKNOWN else None
        pixels: NDArray[Any] = frame.to_ndarray(format="rgb48le", src_colorspace=space)
        return to_sdr(pixels, hdr)

    def matrix(self, rows: int) -> int:
        """Return the YUV-to-RGB matrix, BT.709 or BT.601, as FFmpeg numbers them."""
        if self.colorspace in {_BT601, _BT601 + 1}:
            return _BT601
        return _BT709 if self.colorspace == _BT709 or rows >= _HD else _BT601


def library() -> Any:
    """Return the PyAV module, with its log output switched off.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import av
        import av.logging
    except ImportError as error:
        raise MissingExtraError("video", "video") from error
    av.logging.set_level(None)
    os.environ.setdefault("SVT_LOG", "1")  # the only way to silence its AV1 encoder
    return av


def reason(error: Exception) -> str:
    """Return the message of a PyAV error without error numbers and file names."""
    text = str(getattr(error, "strerror", None) or error)
    return re.sub(r"^\[Errno -?\d+\]\s*", "", text).partition(": '")[0]


def numbered(count: int) -> list[str]:
    """Return names for frames: ``00000001`` and so on."""
    return [f"{index:08d}" for index in range(1, count + 1)]


def _even_paced(times: Sequence[int | None], unit: Fraction, rate: Fraction) -> bool:
    """Check whether frames have a constant rate, except for gaps and rounding of times."""
    known = sorted(time for time in times if time is not None)
    positions = [(time - known[0]) * unit * rate for time in known]
    most = max(unit, Fraction(1, 1000)) * rate
    on_grid = all(abs(position - round(position)) <= most for position in positions)
    return on_grid and len({round(position) for position in positions}) == len(positions)
