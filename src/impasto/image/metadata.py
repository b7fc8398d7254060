"""Read and write metadata of image files: EXIF (date, camera, place, orientation) and DPI."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_BASE, _IFD = ExifTags.Base, ExifTags.IFD
# Tags of the first directory that also hold for the stylised image. The others describe how the
# pixels of the original file are stored.
_COPIED_TAGS = (
    _BASE.ImageDescription,
    _BASE.Make,
    _BASE.Model,
    _BASE.DateTime,
    _BASE.Artist,
    _BASE.Copyright,
)
# Maker's notes contain offsets in the original file; the sizes are those of the original.
_REMOVED_TAGS = (
    _BASE.MakerNote,
    _BASE.ExifInteroperabilityOffset,
    _BASE.ExifImageWidth,
    _BASE.ExifImageHeight,
)


@dataclass(frozen=True)
class Metadata:
    """Metadata of a photo that is written to the stylised file.

    Attributes:
        exif: Tags and directories of tags by number, without orientation, thumbnail and maker's
            note.
        dpi: Dots per inch across and down, or None.
    """

    exif: dict[int, Any]
    dpi: tuple[float, float] | None = None

    def block(self) -> bytes:
        """Return the EXIF block for a file with upright sRGB pixels; empty if there are no tags."""
        if not self.exif:
            return b""
        block = Image.Exif()
        for tag, value in self.exif.items():
            block[tag] = value
        block[_BASE.Orientation] = 1
        return block.tobytes()

    def text_tags(self) -> dict[int, str]:
        """Return the text tags of the first directory, for a format without EXIF directories.

        The date of recording replaces a missing date of the file.
        """
        found = {tag: value for tag, value in self.exif.items() if isinstance(value, str)}
        taken = self.exif.get(_IFD.Exif, {}).get(_BASE.DateTimeOriginal)
        return found if taken is None else {_BASE.DateTime: taken, **found}


def of(image: Image.Image) -> Metadata | None:
    """Return the metadata of a Pillow image; None if it has none that can be read."""
    exif: dict[int, Any] = {}
    with contextlib.suppress(Exception):  # damaged EXIF is ignored
        read = image.getexif()
        found = {int(tag): read[tag] for tag in _COPIED_TAGS if tag in read}
        for ifd in (_IFD.Exif, _IFD.GPSInfo):
            tags = {tag: v for tag, v in read.get_ifd(ifd).items() if tag not in _REMOVED_TAGS}
            if tags:
                found[int(ifd)] = tags
        if _IFD.Exif in found:
            found[_IFD.Exif][_BASE.ColorSpace] = 1  # sRGB, to which the pixels are converted
        Metadata(found).block()  # raises if it cannot be written
        exif = found
    dpi = None
    with contextlib.suppress(KeyError, TypeError, ValueError):
        across, down = map(float, image.info["dpi"])
        dpi = (across, down) if 0 < min(across, down) <= max(across, down) < 1e6 else None
    return Metadata(exif, dpi) if exif or dpi else None


def read(data: bytes, kind: str) -> Metadata | None:
    """Return the metadata of a file, given its content and Pillow's name of its format."""
    with contextlib.suppress(Exception), Image.open(BytesIO(data), formats=[kind]) as image:
        return of(image)
    return None


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8 (EXIF 2.32, tag 274); 1 if there is none."""
    with contextlib.suppress(Exception):  # damaged EXIF is ignored
        value = image.getexif().get(_BASE.Orientation, 1)
        return value if isinstance(value, int) else 1
    return 1


def upright(a: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation to pixels (H, W, ...), so that row 0 is the top."""
    if orientation >= 5:
        a = np.swapaxes(a, 0, 1)  # 5 to 8 store columns as rows
    if orientation in (2, 3, 6, 7):
        a = a[:, ::-1]
    if orientation in (3, 4, 7, 8):
        a = a[::-1]
    return np.ascontiguousarray(a)
