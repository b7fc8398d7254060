"""A video file as pictures one after another, by PyAV."""

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
from impasto.video.light import hdr_of

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

FPS = Fraction(25)  # where a clip names no rate

_BT709, _BT601, _BT2020, _UNKNOWN = 1, 5, 9, 2  # AVColorSpace
_HD = 720  # rows from which a video that does not say so is of BT.709, as players take it
_STILLS = ("image2", "_pipe", "ico", "tty")  # demuxers of single pictures, and of text
_LISTS = ("hls", "concat", "dash", "imf")  # that name other files
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # decoders
# a file may not send the reader to other places
_OPTIONS = {"protocol_whitelist": "file"}


class Video:
    """A video file.

    Args:
        path: Of the file.

    Raises:
        InputError: It is none, or nothing of it can be decoded.
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
        self.frames, first = self._look()
        self._alpha = bool(self._alpha_decoder) or may_have_alpha(first)
        self.turned = round(first.rotation / 90) * 90 % 360
        self._hdr = hdr_of(first, self.transfer)
        if self._hdr:
            self.colorspace = self.primaries = self.transfer = _BT709  # of what pictures() gives
            self._tell(
                f"{path} is HDR ({self._hdr.name}): tone-mapped to SDR (BT.709), "
                f"{self._hdr.peak:.0f} cd/m² and more to white"
            )

    @contextmanager
    def open(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """The file and its stream of moving pictures; errors of PyAV inside become words.

        Raises:
            InputError: It cannot be read, or holds no moving pictures.
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
        """Numbers, as many as there are frames."""
        return numbered(self.frames)

    def _look(self) -> tuple[int, VideoFrame]:
        """How many frames there are, and the first."""
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
        """The decoder for a VP8 or VP9 stream with alpha, which FFmpeg's own ones leave out."""
        name = _WITH_ALPHA.get(stream.codec_context.name, "")
        if not name or stream.metadata.get("alpha_mode") != "1":
            return ""
        try:
            library().CodecContext.create(name, "r")
        except ValueError:  # UnknownCodecError
            self._tell(f"this PyAV has no {name}: the transparency of {self.path} is left out")
            return ""
        return name

    @cached_property
    def transparent(self) -> bool:
        """Whether any pixel of any frame is."""
        if not self._alpha:
            return False
        with self.open() as (container, stream):
            frames = self._progressive(container, stream)
            return any(bool((alpha_of(frame) < 255).any()) for frame in frames)

    def decoded(self, packet: Any, *, notes: bool = True, decoder: Any = None) -> list[VideoFrame]:
        """The frames of a packet, by the stream's decoder or another; none where it is damaged."""
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
        self._tell(f"{self.path} is damaged: what can be decoded is painted")

    def _tell(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def pictures(self, first: int = 0) -> Iterator[Image]:
        """The frames from one on, upright.

        Raises:
            InputError: The file fails.
        """
        index, last = 0, 0.0
        with self.open() as (container, stream):
            for frame in self._progressive(container, stream):
                if index >= first:
                    yield self._picture(frame)
                index, last = index + 1, frame.time or last
            if not index:  # another decoder found one
                raise self._no_frame()
            lasts = float((container.duration or 0) / 1e6)
            if last and lasts - last > max(1.0, lasts / 20):
                self._tell(f"{self.path} says {lasts:.1f} s, its pictures end at {last:.1f} s")

    def _progressive(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """All frames; interlaced ones are deinterlaced."""
        deinterlacer, decoder = Deinterlacer(), None
        if self._alpha_decoder:
            decoder = library().CodecContext.create(self._alpha_decoder, "r")
        for packet in container.demux(stream):
            for frame in self.decoded(packet, decoder=decoder):
                if frame.is_corrupt:
                    self._damaged()
                if frame.interlaced_frame:
                    self._tell(f"{self.path} is interlaced: its frames are deinterlaced (bwdif)")
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
        """Which matrix makes RGB of its YUV: BT.709 or BT.601, as FFmpeg numbers them."""
        if self.colorspace in {_BT601, _BT601 + 1}:
            return _BT601
        return _BT709 if self.colorspace == _BT709 or rows >= _HD else _BT601


def library() -> Any:
    """PyAV, quiet.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import av
        import av.logging
    except ImportError as error:
        raise MissingExtraError("video", "video") from error
    av.logging.set_level(None)
    os.environ.setdefault("SVT_LOG", "1")  # its AV1 encoder listens to nothing else
    return av


def reason(error: Exception) -> str:
    """What an error of PyAV says, without its numbers and file names."""
    text = str(getattr(error, "strerror", None) or error)
    return re.sub(r"^\[Errno -?\d+\]\s*", "", text).partition(": '")[0]


def numbered(count: int) -> list[str]:
    """Names for frames: ``00000001`` and so on."""
    return [f"{index:08d}" for index in range(1, count + 1)]


def _even_paced(times: Sequence[int | None], unit: Fraction, rate: Fraction) -> bool:
    """Whether frames come at one rate, but for gaps, as far as their unit of time can say."""
    known = sorted(time for time in times if time is not None)
    places = [(time - known[0]) * unit * rate for time in known]
    most = max(unit, Fraction(1, 1000)) * rate
    at_places = all(abs(place - round(place)) <= most for place in places)
    return at_places and len({round(place) for place in places}) == len(places)
