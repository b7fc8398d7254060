"""Read a video file or a folder of frames as a sequence of images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

from impasto import image
from impasto.errors import InputError
from impasto.image import Image
from impasto.image.animation import is_animated_webp
from impasto.training.sources import describe_skipped, search_flat
from impasto.video import frames
from impasto.video.decoder import FPS, Video, numbered
from impasto.video.webp import Animation


class Folder:
    """A folder of frames, in the order of the numbers in their names.

    Args:
        path: Of the folder; subfolders are ignored.
        fps: Frames per second; 25 when None.

    Raises:
        InputError: It has no images, one of them cannot be read, or numbers are missing.
    """

    def __init__(self, path: Path, fps: Fraction | None = None) -> None:
        self.path, self.fps = path, fps or FPS
        found = search_flat(path)
        over = describe_skipped(found.passed)
        if not found.files:
            remark = f" (passed over: {over})" if over else ""
            raise InputError(f"{path} holds no pictures{remark}: it needs frames such as 0001.png")
        self.files = frames.ordered(map(Path, found.files))
        frames.check(self.files)
        self.frames = len(self.files)
        self.notes = [f"passed over: {over}"] if over else []

    @property
    def names(self) -> Sequence[str]:
        """Return the names of the frames without endings, or numbers if two names are the same."""
        stems = [file.stem for file in self.files]
        alike = len({stem.casefold() for stem in stems}) < len(stems)
        return numbered(self.frames) if alike else stems

    def pictures(self, first: int = 0) -> Iterator[Image]:
        """Yield the frames from index ``first`` on.

        Raises:
            InputError: A frame cannot be read, or differs from the first in size.
        """
        size = image.load(self.files[0]).size if first < self.frames else (0, 0)
        for file in islice(self.files, first, None):
            # else each dark frame would be rescaled by its own range
            picture = image.load(file, full_range=True)
            if picture.size != size:
                sizes = [f"{width}x{height}" for width, height in (picture.size, size)]
                raise InputError(f"{file} is {sizes[0]}, the first frame {sizes[1]}: make them one")
            yield picture


Clip = Video | Folder | Animation


def open_clip(source: str | os.PathLike[str], fps: Fraction | float | str | None = None) -> Clip:
    """Open a clip by its path.

    Args:
        source: A video file, or a folder of frames.
        fps: Frame rate of a folder: ``25``, ``29.97``, ``30000/1001``.

    Raises:
        InputError: It is neither, or ``fps`` was given for a video.
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
        raise InputError("`fps` is for a folder of frames: a video has its own")
    return Animation(path) if is_animated_webp(path) else Video(path)


def _rate(fps: Fraction | float | str) -> Fraction:
    try:
        found = Fraction(str(fps))
    except (ValueError, ZeroDivisionError):
        found = Fraction(0)
    if not 0 < found <= 1000:
        raise InputError(f"{fps} frames a second: write 25 or 30000/1001, at most 1000")
    return found
