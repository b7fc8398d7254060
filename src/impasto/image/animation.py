"""Animated WebP in: frames and how long each is shown, by Pillow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from impasto.errors import InputError
from impasto.image import MAX_PIXELS
from impasto.image import Image as Picture

_HEAD = 21  # bytes up to the flags of the chunk VP8X
_ANIMATED = 2  # the flag
_BRIEF, _USUAL = 10, 100  # ms: as browsers do, frames of at most the first are shown for the second


def is_animated_webp(path: Path) -> bool:
    """Check whether a file is a WebP whose header announces an animation."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    known = len(head) == _HEAD and head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return known and bool(head[-1] & _ANIMATED)


def frames(path: Path) -> Iterator[tuple[Picture, int]]:
    """Read the frames of an animated WebP.

    Args:
        path: Of the file.

    Yields:
        Each frame as it is shown, whole, with its duration in ms.

    Raises:
        InputError: The file cannot be read, or is damaged; what comes before the damage is yielded.
    """
    with _in_words(path), Image.open(path, formats=["WEBP"]) as image:
        if image.width * image.height > MAX_PIXELS:
            raise InputError(f"{path} is {image.width}x{image.height}: make it smaller first")
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            lasts = int(image.info.get("duration", 0))
            yield Picture.from_pil(image.copy()), lasts if lasts > _BRIEF else _USUAL


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Pillow fails on bad bytes with nearly every exception there is
        raise InputError(f"{path} is a damaged animated WebP: fetch it again") from error
