"""Pictures on their way to the page and from its brush; files that wait to be fetched."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import torch

from impasto import image
from impasto.api.inputs import fit
from impasto.image import Image

_SHOWN = 1600  # long edge of what the page shows; the download is the full size
_BRUSHED = 800  # long edge of the photo that is painted on with a brush


def brushed(layers: Sequence[Image]) -> Image | None:
    """What was painted with a brush, as a mask; None if it was nothing.

    Args:
        layers: Strokes on nothing, opaque where they are.
    """
    marks = [one.alpha for one in layers if one.alpha is not None]
    if not marks:
        return None
    # strokes may be translucent on the page: whatever was touched is meant
    touched = torch.stack(marks).amax(0) > 0.02
    if not bool(touched.any()):
        return None
    return Image(touched.float().expand(-1, 3, -1, -1).contiguous())


def to_brush_on(photo: Image) -> Image:
    """A photo as the page's brush gets it."""
    return fit(photo, None, _BRUSHED)


def keep(picture: Image, folder: Path, name: str, *, small: bool = False) -> Path:
    """Write a picture where only who is told its path finds it.

    Args:
        picture: To be written.
        folder: Of all files of this server.
        name: Of the file, with its ending.
        small: For the page, which needs no more pixels than a screen has.
    """
    path = place(folder) / name
    image.save(fit(picture, None, _SHOWN) if small else picture, path, quality=90)
    return path


def place(folder: Path) -> Path:
    """A new folder that nobody can guess."""
    made = folder / secrets.token_hex(16)
    made.mkdir(parents=True)
    return made
