"""Sound and subtitles on their way from one file to another: packet by packet, as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from impasto.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

Track = Callable[[Any], Sequence[Any]]  # packets of the source to packets of the film

_SOUND = {"opus": "libopus", "vorbis": "libvorbis", "mp3": "libmp3lame"}  # better encoders


def tracks(
    out: OutputContainer, source: InputContainer, suffix: str, audio: str, notes: list[str]
) -> dict[int, Track]:
    """What becomes of the packets of each stream of sound and of words.

    Args:
        out: The film; it gets the streams.
        source: Where the packets come from.
        suffix: Of the film, for messages.
        audio: ``copy``, ``encode`` or ``none``.
        notes: Gets what the user should know.

    Returns:
        By the number of the source's stream.

    Raises:
        InputError: The format cannot hold the sound as it is.
    """
    found: dict[int, Track] = {}
    sounds: Sequence[Any] = () if audio == "none" else source.streams.audio
    if sounds and out.default_audio_codec == "none":
        notes.append(f"{suffix} holds no sound: it is left out")
        sounds = ()
    for sound in sounds:
        if audio == "encode":
            found[sound.index] = _encoding(out, sound)
            continue
        try:
            found[sound.index] = _copying(out, sound)
        except ValueError as error:
            raise InputError(
                f"{suffix} cannot hold this sound ({sound.codec_context.name}) as it is: name the "
                f"video .mkv, or give --audio encode or --audio none"
            ) from error
    for words in source.streams.subtitles:
        try:
            found[words.index] = _copying(out, words)
        except ValueError:
            name = words.codec_context.name
            notes.append(f"{suffix} cannot hold these subtitles ({name}): they are left out")
    return found


def _copying(out: OutputContainer, stream: Any) -> Track:
    """Packets as they are.

    Raises:
        ValueError: The format has no place for them.
    """
    made: Any = out.add_stream_from_template(stream)
    made.metadata.update(stream.metadata)

    def copy(packet: Any) -> Sequence[Any]:
        if packet.dts is None:  # the end
            return ()
        packet.stream = made
        return (packet,)

    return copy


def _encoding(out: OutputContainer, stream: Any) -> Track:
    """Sound in the codec that is usual in the format."""
    encoder = _SOUND.get(out.default_audio_codec, out.default_audio_codec)
    rate = 48000 if "opus" in encoder else stream.rate
    made: Any = out.add_stream(encoder, rate=rate, layout=stream.layout.name)
    made.metadata.update(stream.metadata)

    def encode(packet: Any) -> Sequence[Any]:
        packets: list[Any] = []
        for frame in packet.decode():
            packets += made.encode(frame)
        if packet.dts is None:
            packets += made.encode(None)
        return packets

    return encode
