"""Read the frames of animated WebP files and their durations, by Pillow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from impasto.errors import InputError
from impasto.image import MAX_PIXELS
from impasto.image import Image as Picture

_HEAD = 21  # bytes up to and including the flags of the chunk VP8X
_ANIMATED = 2  # flag of VP8X
# ms: like browsers, show frames of at most the first for the second
_TOO_SHORT, _DEFAULT_DURATION = 10, 100


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
        path: Path of the file.

    Yields:
        Each complete frame as it is displayed, with its duration in ms.

    Raises:
        InputError: The file is too large, unreadable or damaged; frames before the damage are
            yielded.
    """
    with _decoding_errors(path), Image.open(path, formats=["WEBP"]) as image:
        if image.width * image.height > MAX_PIXELS:
            raise InputError(f"{path} is {image.width}x{image.height}: make it smaller first")
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            lasts = int(image.info.get("duration", 0))
            yield Picture.from_pil(image.copy()), lasts if lasts > _TOO_SHORT else _DEFAULT_DURATION


@contextlib.contextmanager
def _decoding_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Pillow raises many types of exception for bad bytes
        raise InputError(f"{path} is a damaged animated WebP: fetch it again") from error
