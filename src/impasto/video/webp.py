"""Read animated WebP, which FFmpeg cannot, and set the duration of the last frame when writing."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

from impasto.errors import InputError
from impasto.image import Image, animation
from impasto.video.decoder import numbered

_UNIT = Fraction(1, 1000)  # seconds; the time unit of WebP
_LONGEST = 2**24 - 1  # longest duration of a frame, in ms
# offset of the flags in the chunk VP8X, which comes first; the bit for alpha
_FLAGS, _ALPHA = 20, 16


class Animation:
    """An animated WebP as a clip.

    Args:
        path: Of the file.

    Attributes:
        frames: The number of frames.
        times: Start and duration of each frame, in seconds.
        transparent: Whether any pixel is transparent.

    Raises:
        InputError: Not even its first frame can be read.
    """

    even_paced = False
    time_base = _UNIT

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.times: list[tuple[Fraction, Fraction]] = []
        self.transparent = False
        start = Fraction(0)
        try:
            for picture, lasts in animation.frames(path):
                self.times.append((start, lasts * _UNIT))
                self.transparent |= picture.alpha is not None
                start += lasts * _UNIT
        except InputError:
            if not self.times:
                raise
            self.notes.append(f"{path} is damaged: what can be decoded is painted")
        self.frames = len(self.times)
        self.rate = self.frames / start
        self.even_paced = len({lasts for _, lasts in self.times}) == 1

    @property
    def names(self) -> Sequence[str]:
        """Return the frame numbers as names."""
        return numbered(self.frames)

    @property
    def lasts(self) -> Fraction:
        """Return the duration of the last frame, in seconds."""
        return self.times[-1][1]

    def pictures(self, first: int = 0) -> Iterator[Image]:
        """Yield the frames from index ``first`` on."""
        for picture, _ in islice(animation.frames(self.path), first, self.frames):
            yield picture


def finish(path: Path, end: Fraction, *, alpha: bool) -> None:
    """Set the last frame's duration and the alpha flag of an animated WebP file.

    FFmpeg does not pass the duration of the last frame on, and libwebp takes the mean of the
    others. If every frame is an opaque rectangle on a clear canvas, libwebp clears the alpha flag.
    A file of one frame is no animation, and stays unchanged.

    Args:
        path: Of the file, which is changed.
        end: Duration of the whole animation, in seconds.
        alpha: Whether pixels are transparent.
    """
    with path.open("r+b") as file:
        data = file.read()
        offsets = list(_durations(data))
        if not offsets:
            return
        before = sum(int.from_bytes(data[offset : offset + 3], "little") for offset in offsets[:-1])
        lasts = min(max(round(end / _UNIT) - before, 1), _LONGEST)
        file.seek(offsets[-1])
        file.write(lasts.to_bytes(3, "little"))
        if alpha:
            file.seek(_FLAGS)
            file.write(bytes([data[_FLAGS] | _ALPHA]))


def _durations(data: bytes) -> Iterator[int]:
    """Yield the offset of each frame's duration: 24 bits in the chunk ANMF."""
    offset = 12
    while offset + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, offset)
        if name == b"ANMF":
            yield offset + 8 + 12
        offset += 8 + size + size % 2
