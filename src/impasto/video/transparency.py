"""Detect transparent pixels in a clip."""

from __future__ import annotations

from impasto.image.transparency import is_transparent
from impasto.video.reader import Clip, Folder


def transparent(clip: Clip) -> bool:
    """Check whether any pixel of any frame is transparent.

    Frames are decoded only if their format has alpha, up to the first transparent one.

    Raises:
        InputError: A frame cannot be read.
    """
    if isinstance(clip, Folder):
        return any(map(is_transparent, clip.files))
    return clip.transparent
