"""Whether a clip has transparent pixels."""

from __future__ import annotations

from impasto.image.transparency import is_transparent
from impasto.video.reader import Clip, Folder


def transparent(clip: Clip) -> bool:
    """Whether any pixel of any frame is not opaque.

    Frames are only decoded where their format leaves it open, up to the first that is.

    Raises:
        InputError: A frame cannot be read.
    """
    if isinstance(clip, Folder):
        return any(map(is_transparent, clip.files))
    return clip.transparent
