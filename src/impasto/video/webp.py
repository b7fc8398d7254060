"""Animated WebP: in as a clip, which FFmpeg cannot; out with the last frame's duration."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

from impasto.errors import InputError
from impasto.image import Image, animation
from impasto.video.decoder import numbered

_UNIT = Fraction(1, 1000)  # s, in which WebP counts
_LONGEST = 2**24 - 1  # ms of a frame
_FLAGS, _ALPHA = 20, 16  # where the chunk VP8X has its flags, which comes first; one of them


class Animation:
    """An animated WebP as a clip.

    Args:
        path: Of the file.

    Attributes:
        frames: How many there are.
        times: Of each frame: when it is shown and for how long, in seconds.
        transparent: Whether any pixel is.

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
        """Numbers, as many as there are frames."""
        return numbered(self.frames)

    @property
    def lasts(self) -> Fraction:
        """How long the last frame is shown, in seconds."""
        return self.times[-1][1]

    def pictures(self, first: int = 0) -> Iterator[Image]:
        """The frames from one on."""
        for picture, _ in islice(animation.frames(self.path), first, self.frames):
            yield picture


def finish(path: Path, end: Fraction, *, alpha: bool) -> None:
    """Write into an animated WebP what FFmpeg and libwebp leave open.

    FFmpeg does not say how long the last frame is shown, and libwebp takes the mean of the others.
    Where every frame is an opaque rectangle on a clear canvas, libwebp says that there is no alpha.
    A file of one frame is no animation, and stays as it is.

    Args:
        path: Of the file, which is changed.
        end: How long the whole is shown, in seconds.
        alpha: Whether pixels are transparent.
    """
    with path.open("r+b") as file:
        data = file.read()
        places = list(_durations(data))
        if not places:
            return
        before = sum(int.from_bytes(data[place : place + 3], "little") for place in places[:-1])
        lasts = min(max(round(end / _UNIT) - before, 1), _LONGEST)
        file.seek(places[-1])
        file.write(lasts.to_bytes(3, "little"))
        if alpha:
            file.seek(_FLAGS)
            file.write(bytes([data[_FLAGS] | _ALPHA]))


def _durations(data: bytes) -> Iterator[int]:
    """Where the duration of each frame stands: 24 bits, in the chunk ANMF after place and size."""
    place = 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        if name == b"ANMF":
            yield place + 8 + 12
        place += 8 + size + size % 2
