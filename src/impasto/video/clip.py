"""Moving pictures in: a video file, or a folder of frames, as pictures one after another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto import image
from impasto.errors import InputError, MissingExtraError
from impasto.image import Picture
from impasto.training.sources import flat, in_words
from impasto.video import frames

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

FPS = Fraction(25)  # of a folder of frames, unless told otherwise

_BT709, _BT601, _UNKNOWN = 1, 5, 2  # AVColorSpace
_HD = 720  # rows from which a video that does not say so is of BT.709, as players take it
_STILLS = ("image2", "_pipe", "ico", "tty")  # demuxers of single pictures, and of text
_LISTS = ("hls", "concat", "dash", "imf")  # that name other files
# a file may not send the reader to other places
_OPTIONS = {"protocol_whitelist": "file"}


class Folder:
    """A folder of frames, in the order of the numbers in their names.

    Args:
        path: Of the folder; pictures in folders inside it are none of the clip's.
        fps: Frames a second; 25 when None.

    Raises:
        InputError: It holds no pictures, one of them cannot be read, or numbers are missing.
    """

    def __init__(self, path: Path, fps: Fraction | None = None) -> None:
        self.path, self.fps = path, fps or FPS
        found = flat(path)
        over = in_words(found.passed)
        if not found.files:
            told = f" (passed over: {over})" if over else ""
            raise InputError(f"{path} holds no pictures{told}: it needs frames such as 0001.png")
        self.files = frames.ordered(map(Path, found.files))
        frames.check(self.files)
        self.frames = len(self.files)
        self.notes = [f"passed over: {over}"] if over else []

    @property
    def names(self) -> Sequence[str]:
        """Of the frames, without their endings; numbers where two would be the same."""
        stems = [file.stem for file in self.files]
        alike = len({stem.casefold() for stem in stems}) < len(stems)
        return numbered(self.frames) if alike else stems

    def pictures(self, first: int = 0) -> Iterator[Picture]:
        """The frames from one on.

        Raises:
            InputError: One cannot be read, or has another size than the first.
        """
        size = image.load(self.files[0]).size if first < self.frames else (0, 0)
        for file in islice(self.files, first, None):
            picture = image.load(file)
            if picture.size != size:
                sizes = [f"{width}x{height}" for width, height in (picture.size, size)]
                raise InputError(f"{file} is {sizes[0]}, the first frame {sizes[1]}: make them one")
            yield picture


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
        self.frames, self.turned = self._look()

    @contextmanager
    def open(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """The file and its stream of moving pictures; errors of PyAV inside become words.

        Raises:
            InputError: It cannot be read, or holds no moving pictures.
        """
        av = library()
        try:
            with av.open(str(self.path), "r", options=dict(_OPTIONS)) as container:
                kind = container.format.name
                if any(name in kind for name in _LISTS):
                    raise InputError(f"{self.path} is a list of other files: name a video itself")
                if any(name in kind for name in _STILLS):
                    raise InputError(f"{self.path} is no video: a picture is for 'stylize'")
                for stream in container.streams.video:
                    if not stream.disposition & av.stream.Disposition.attached_pic:
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

    def _look(self) -> tuple[int, int]:
        """How many frames there are, and how many degrees the first is turned."""
        with self.open() as (container, stream):
            times = [packet.pts for packet in container.demux(stream) if packet.size]
        frames = len(times)
        self.even_paced = _even_paced(times, self.time_base, self.rate)
        with self.open() as (container, stream):
            for packet in container.demux(stream):
                for frame in self.decoded(packet, notes=False):
                    return max(1, frames), round(frame.rotation / 90) * 90 % 360
        raise InputError(f"{self.path} has no frame that can be decoded: is the file whole?")

    def decoded(self, packet: Any, *, notes: bool = True) -> list[VideoFrame]:
        """The frames of a packet; none where it is damaged."""
        av = library()
        try:
            return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except (av.InvalidDataError, av.FFmpegError):
            if notes:
                self._damaged()
            return []

    def _damaged(self) -> None:
        self._tell(f"{self.path} is damaged: what can be decoded is painted")

    def _tell(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def pictures(self, first: int = 0) -> Iterator[Picture]:
        """The frames from one on, upright.

        Raises:
            InputError: The file fails.
        """
        index, last = 0, 0.0
        with self.open() as (container, stream):
            for packet in container.demux(stream):
                for frame in self.decoded(packet):
                    if frame.is_corrupt:
                        self._damaged()
                    if index >= first:
                        yield self._picture(frame)
                    index, last = index + 1, frame.time or last
            lasts = float((container.duration or 0) / 1e6)
            if last and lasts - last > max(1.0, lasts / 20):
                self._tell(f"{self.path} says {lasts:.1f} s, its pictures end at {last:.1f} s")

    def _picture(self, frame: VideoFrame) -> Picture:
        space = self.matrix(frame.height) if int(frame.colorspace) == _UNKNOWN else None
        rgb = frame.to_ndarray(format="rgb24", src_colorspace=space)  # (H, W, 3)
        return Picture.from_numpy(np.ascontiguousarray(np.rot90(rgb, self.turned // 90)))

    def matrix(self, rows: int) -> int:
        """Which matrix makes RGB of its YUV: BT.709 or BT.601, as FFmpeg numbers them."""
        if self.colorspace in {_BT601, _BT601 + 1}:
            return _BT601
        return _BT709 if self.colorspace == _BT709 or rows >= _HD else _BT601


Clip = Video | Folder


def open_clip(source: str | os.PathLike[str], fps: Fraction | float | str | None = None) -> Clip:
    """Moving pictures by their path.

    Args:
        source: A video file, or a folder of frames.
        fps: Frames a second of a folder: ``25``, ``29.97``, ``30000/1001``.

    Raises:
        InputError: It is neither, or a video was given a frame rate.
        MissingExtraError: PyAV is not installed.
    """
    text = os.fspath(source)
    if "://" in text:
        raise InputError(f"{text} is an address, not a file: download the video first")
    path = Path(text)
    if path.is_dir():
        return Folder(path, None if fps is None else _rate(fps))
    if not path.is_file():
        raise InputError(f"{text} does not exist: name a video, or a folder of frames")
    if fps is not None:
        raise InputError("--fps is for a folder of frames: a video has its own")
    return Video(path)


def _rate(fps: Fraction | float | str) -> Fraction:
    try:
        found = Fraction(str(fps))
    except (ValueError, ZeroDivisionError):
        found = Fraction(0)
    if not 0 < found <= 1000:
        raise InputError(f"{fps} frames a second: write 25 or 30000/1001, at most 1000")
    return found


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
