"""Moving pictures out: painted frames as a video file, with the sound of the one they come from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import InputError
from impasto.video.clip import Clip, Folder, Video, library, reason
from impasto.video.coding import Coding, plan, time_base

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer, OutputContainer

Pixels = NDArray[np.uint8]  # (H, W, 3)
Fetch = Callable[[int], Pixels]

_BT709, _BT601, _SMPTE170M = 1, 5, 6  # as FFmpeg numbers them; the last two are the same matrix
_LIMITED, _FULL = 1, 2
_SOUND = {"opus": "libopus", "vorbis": "libvorbis", "mp3": "libmp3lame"}  # better encoders


def rehearse(target: Path, clip: Clip, size: tuple[int, int], coding: Coding) -> list[str]:
    """Write a grey frame where nobody sees it, to find out before the work what will not do.

    Args:
        target: The video, for its ending.
        clip: Where the frames come from.
        size: Width and height of the painted frames.
        coding: How it is to be written.

    Returns:
        What the user should know, such as subtitles that are left out.

    Raises:
        InputError: What :func:`write` would say.
    """
    grey = np.full((size[1], size[0], 3), 128, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        film = _Film(Path(folder) / f"rehearsal{target.suffix}", clip, size, coding)
        film.write(lambda _: grey, most=1)
    return film.notes


def write(target: Path, clip: Clip, size: tuple[int, int], coding: Coding, fetch: Fetch) -> None:
    """Write a video: the painted frames at the times of the clip's, and its sound.

    Args:
        target: The file; half written until this returns.
        clip: Where the frames come from.
        size: Width and height of the painted frames.
        coding: How it is written.
        fetch: Gives a painted frame by its number; asked for one after another.

    Raises:
        InputError: The format, the codec or the sound cannot be written so.
    """
    _Film(target, clip, size, coding).write(fetch)


class _Film:
    """A video on its way to the disk."""

    def __init__(self, target: Path, clip: Clip, size: tuple[int, int], coding: Coding) -> None:
        self.target, self.clip, self.size, self.coding = target, clip, size, coding
        self.plan = plan(target, coding)
        self.notes: list[str] = []
        self._av = library()
        rate = clip.fps if isinstance(clip, Folder) else clip.rate
        own = 1 / rate if isinstance(clip, Folder) else clip.time_base
        self._rate, self._unit = rate, time_base(self.plan, own, rate)
        self._durations: dict[int, int] = {}
        self._last: int | None = None

    def write(self, fetch: Fetch, most: int | None = None) -> None:
        """All frames, or so many."""
        av, what = self._av, f"{self.target.suffix} with {self.plan.encoder}"
        try:
            with av.open(str(self.target), "w", options={"fflags": "+bitexact"}) as out:
                if isinstance(self.clip, Folder):
                    self._silent(out, fetch, most or self.clip.frames)
                else:
                    self._with_sound(out, self.clip, fetch, most)
        except (av.FFmpegError, ValueError, OSError) as error:
            raise InputError(f"cannot write {what}: {reason(error)}") from error

    def _silent(self, out: OutputContainer, fetch: Fetch, count: int) -> None:
        stream = self._stream(out)
        for index in range(count):
            out.mux(self._encoded(stream, self._frame(fetch(index), Fraction(index) / self._rate)))
        out.mux(self._encoded(stream, None))

    def _with_sound(
        self, out: OutputContainer, clip: Video, fetch: Fetch, most: int | None
    ) -> None:
        """Frames and packets in the order in which they lie in the source."""
        index = 0
        with clip.open() as (source, pictures):
            stream = self._stream(out)
            tracks = self._tracks(out, source)
            out.metadata.update(source.metadata)
            for packet in source.demux(pictures, *(source.streams[i] for i in tracks)):
                if packet.stream.index != pictures.index:
                    out.mux(tracks[packet.stream.index](packet))
                    continue
                for shown in clip.decoded(packet, notes=False):
                    if most is None or index < most:
                        frame = self._frame(fetch(index), *_times(shown, index, clip))
                        out.mux(self._encoded(stream, frame))
                    index += 1
                if most is not None and index >= most:
                    break
            out.mux(self._encoded(stream, None))

    def _stream(self, out: OutputContainer) -> Any:
        """The stream of the painted frames."""
        clip = self.clip
        stream = out.add_stream(self.plan.encoder, rate=self._rate, options=self.plan.options)
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
        """A painted frame in the encoder's format; times in seconds."""
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        if "yuv" in self.plan.pixels:
            range_ = _FULL if self.plan.full else _LIMITED
            frame = frame.reformat(
                format=self.plan.pixels, dst_colorspace=self._matrix, dst_color_range=range_
            )
        else:
            frame = frame.reformat(format=self.plan.pixels)
        pts = round(start / self._unit)
        if self._last is not None and pts <= self._last:
            if not self.plan.clocked:
                raise InputError(
                    f"{self.target.suffix} holds one frame rate, and this video has none: name it "
                    f".mkv or .mp4"
                )
            pts = self._last + 1
        self._last = pts
        self._durations[pts] = round((duration or 1 / self._rate) / self._unit)
        frame.pts, frame.time_base = pts, self._unit
        return frame

    def _encoded(self, stream: Any, frame: VideoFrame | None) -> list[Packet]:
        packets = list(stream.encode(frame))
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
        return packets

    def _tracks(
        self, out: OutputContainer, source: InputContainer
    ) -> dict[int, Callable[[Packet], Sequence[Packet]]]:
        """What becomes of the packets of each stream of sound and of words."""
        tracks: dict[int, Callable[[Packet], Sequence[Packet]]] = {}
        for sound in source.streams.audio if self.coding.audio != "none" else ():
            copied = self.coding.audio == "copy"
            tracks[sound.index] = (_copied if copied else _recoded)(self, out, sound)
        for words in source.streams.subtitles:
            if words.name in out.supported_codecs:
                tracks[words.index] = _copied(self, out, words)
            else:
                self.notes.append(
                    f"{self.target.suffix} cannot hold subtitles of this kind ({words.name}): they "
                    f"are left out"
                )
        return tracks


def _copied(
    film: _Film, out: OutputContainer, stream: Any
) -> Callable[[Packet], Sequence[Packet]]:
    """Packets as they are."""
    suffix, name = film.target.suffix, stream.codec_context.name
    try:
        if film._av.Codec(name).canonical_name not in out.supported_codecs:
            raise ValueError(name)
        made = out.add_stream_from_template(stream)
    except ValueError as error:
        raise InputError(
            f"{suffix} cannot hold sound of {name} as it is: name the video .mkv, or give --audio "
            f"encode, or --audio none"
        ) from error
    made.metadata.update(stream.metadata)

    def copy(packet: Packet) -> Sequence[Packet]:
        if packet.dts is None:
            return ()
        packet.stream = made
        return (packet,)

    return copy


def _recoded(
    film: _Film, out: OutputContainer, stream: Any
) -> Callable[[Packet], Sequence[Packet]]:
    """Sound in the codec that is usual in the format."""
    name = out.default_audio_codec
    if name == "none":
        raise InputError(f"{film.target.suffix} holds no sound: give --audio none")
    encoder = _SOUND.get(name, name)
    rate = 48000 if "opus" in encoder else stream.rate
    made = out.add_stream(encoder, rate=rate, layout=stream.layout.name)
    made.metadata.update(stream.metadata)

    def encode(packet: Packet) -> Sequence[Packet]:
        packets: list[Packet] = []
        for frame in packet.decode():
            frame.pts = None if frame.pts is None else frame.pts
            packets += made.encode(frame)
        if packet.dts is None:
            packets += made.encode(None)
        return packets

    return encode


def _times(frame: VideoFrame, index: int, clip: Video) -> tuple[Fraction, Fraction | None]:
    """When a frame of the source is shown, and for how long, in seconds."""
    unit = frame.time_base or clip.time_base
    start = Fraction(index) / clip.rate if frame.pts is None else frame.pts * unit
    length = getattr(frame, "duration", 0) or 0
    return start, length * unit if length else None
