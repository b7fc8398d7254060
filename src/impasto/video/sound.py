"""Copy or encode sound and subtitles from one file to another.

Sound packets that cannot be decoded, or whose time stamps are out of order, are left out: no
format accepts the latter, and few players the former.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from impasto.errors import InputError
from impasto.video.decoder import library

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

Track = Callable[[Any], Sequence[Any]]  # maps packets of the source to packets of the target

_SOUND = {"opus": "libopus", "vorbis": "libvorbis", "mp3": "libmp3lame"}  # preferred encoders


@dataclass
class DamagedPackets:
    """Count damaged packets of sound.

    Attributes:
        packets: The number so far.
    """

    packets: int = 0

    def describe(self) -> str:
        """Return the count as a note; empty if it is 0."""
        if not self.packets:
            return ""
        words = "packet of sound is" if self.packets == 1 else "packets of sound are"
        return f"{self.packets} broken {words} left out"


def tracks(
    out: OutputContainer,
    source: InputContainer,
    suffix: str,
    audio: str,
    notes: list[str],
    damaged: DamagedPackets,
) -> dict[int, Track]:
    """Return the processing of packets for each stream of sound and of subtitles.

    Args:
        out: The target; the streams are added to it.
        source: The file that the packets come from.
        suffix: Ending of the target, for messages.
        audio: ``copy``, ``encode`` or ``none``.
        notes: Remarks for the user are appended to it.
        damaged: Counts packets of sound that are left out because they are damaged.

    Returns:
        A function for each stream, by the index of the source's stream.

    Raises:
        InputError: The format does not support the codec of the sound.
    """
    found: dict[int, Track] = {}
    sounds: Sequence[Any] = () if audio == "none" else source.streams.audio
    if sounds and out.default_audio_codec == "none":
        notes.append(f"{suffix} holds no sound: it is left out")
        sounds = ()
    for sound in sounds:
        if audio == "encode":
            found[sound.index] = _encoding(out, sound, _Sound(damaged))
            continue
        try:
            found[sound.index] = _undamaged(_copying(out, sound), _Sound(damaged))
        except ValueError as error:
            raise InputError(
                f"{suffix} cannot hold this sound ({sound.codec_context.name}) as it is: name the "
                'video .mkv, or give `audio="encode"` or `audio="none"`'
            ) from error
    for subtitle in source.streams.subtitles:
        try:
            found[subtitle.index] = _copying(out, subtitle)
        except ValueError:
            name = subtitle.codec_context.name
            notes.append(f"{suffix} cannot hold these subtitles ({name}): they are left out")
    return found


def _copying(out: OutputContainer, stream: Any) -> Track:
    """Return a function that copies packets unchanged.

    Raises:
        ValueError: The format does not support their codec.
    """
    made: Any = out.add_stream_from_template(stream)
    made.metadata.update(stream.metadata)

    def copy(packet: Any) -> Sequence[Any]:
        if packet.dts is None:  # the end
            return ()
        packet.stream = made
        return (packet,)

    return copy


def _undamaged(track: Track, sound: _Sound) -> Track:
    """Return a function that passes only undamaged packets to a track."""
    return lambda packet: [one for kept, _ in sound(packet) for one in track(kept)]


def _encoding(out: OutputContainer, stream: Any, sound: _Sound) -> Track:
    """Return a function that encodes sound in the format's default codec."""
    encoder = _SOUND.get(out.default_audio_codec, out.default_audio_codec)
    rate = 48000 if "opus" in encoder else stream.rate
    made: Any = out.add_stream(encoder, rate=rate, layout=stream.layout.name)
    made.metadata.update(stream.metadata)

    last = None

    def encode(packet: Any) -> Sequence[Any]:
        nonlocal last
        packets: list[Any] = []
        for kept, frames in sound(packet):
            for frame in frames:
                try:
                    packets += made.encode(frame)
                except ValueError:  # channels or rate differ from those of the first frame
                    sound.lost.packets += 1
            if not kept.size:
                packets += made.encode(None)
        forward = []
        for one in packets:  # frames of a damaged file may overlap
            if last is None or one.dts > last:
                forward.append(one)
                last = one.dts
            else:
                sound.lost.packets += 1
        return forward

    return encode


class _Sound:
    """Filter the packets of a stream, and return undamaged ones with their frames.

    Each packet is returned once the next one is known. If the next one is earlier, one of the two
    has a wrong time stamp: the next one if it is also earlier than the last packet returned, else
    the waiting one.
    """

    def __init__(self, damaged: DamagedPackets) -> None:
        self.lost = damaged
        self._held: tuple[Any, Sequence[Any]] | None = None
        self._last: int | None = None  # time stamp of the last packet returned

    def __call__(self, packet: Any) -> list[tuple[Any, Sequence[Any]]]:
        if not packet.size:  # the end
            return [*self._swapped(None), (packet, self._decoded(packet) or ())]
        frames = None if packet.dts is None else self._decoded(packet)
        if frames is None:
            self.lost.packets += 1
            return []
        if self._held and packet.dts <= self._held[0].dts:
            self.lost.packets += 1
            if self._last is None or packet.dts > self._last:
                self._held = packet, frames
            return []
        return self._swapped((packet, frames))

    def _swapped(self, new: tuple[Any, Sequence[Any]] | None) -> list[tuple[Any, Sequence[Any]]]:
        held, self._held = self._held, new
        if held is None:
            return []
        self._last = held[0].dts
        return [held]

    def _decoded(self, packet: Any) -> Sequence[Any] | None:
        """Return the frames of a packet, or None if it is damaged."""
        if packet.stream.codec_context is None:  # without a decoder, damage cannot be detected
            return ()
        try:
            return list(packet.decode())
        except library().InvalidDataError:
            return None
