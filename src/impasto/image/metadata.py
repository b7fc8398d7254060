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
# Of the first directory: what is true of a painted picture as well. The rest is about how the
# pixels of the old file are stored.
_KEPT = (
    _BASE.ImageDescription,
    _BASE.Make,
    _BASE.Model,
    _BASE.DateTime,
    _BASE.Artist,
    _BASE.Copyright,
)
# A maker's note is bound to its place in the old file; the sizes are the old ones.
_DROPPED = (
    _BASE.MakerNote,
    _BASE.ExifInteroperabilityOffset,
    _BASE.ExifImageWidth,
    _BASE.ExifImageHeight,
)


@dataclass(frozen=True)
class Metadata:
    """Hold the metadata that goes from a photo's file into the painted one.

    Attributes:
        exif: Tags and directories of tags by number, without orientation, thumbnail and maker's
            note.
        dpi: Dots per inch across and down, or None.
    """

    exif: dict[int, Any]
    dpi: tuple[float, float] | None = None

    def block(self) -> bytes:
        """Return the EXIF block of a file with upright sRGB pixels; empty where there is none."""
        if not self.exif:
            return b""
        made = Image.Exif()
        for tag, value in self.exif.items():
            made[tag] = value
        made[_BASE.Orientation] = 1
        return made.tobytes()

    def words(self) -> dict[int, str]:
        """The tags of the first directory that are text, for a file that has no other room."""
        found = {tag: value for tag, value in self.exif.items() if isinstance(value, str)}
        taken = self.exif.get(_IFD.Exif, {}).get(_BASE.DateTimeOriginal)
        return found if taken is None else {_BASE.DateTime: taken, **found}


def of(image: Image.Image) -> Metadata | None:
    """The metadata of an image of Pillow's; None where it has none that can be read."""
    exif: dict[int, Any] = {}
    with contextlib.suppress(Exception):  # damaged EXIF is no reason to refuse the picture
        read = image.getexif()
        found = {int(tag): read[tag] for tag in _KEPT if tag in read}
        for ifd in (_IFD.Exif, _IFD.GPSInfo):
            tags = {tag: v for tag, v in read.get_ifd(ifd).items() if tag not in _DROPPED}
            if tags:
                found[int(ifd)] = tags
        if _IFD.Exif in found:
            found[_IFD.Exif][_BASE.ColorSpace] = 1  # sRGB, whatever the photo was in
        Metadata(found).block()  # fails where it cannot be written again
        exif = found
    dpi = None
    with contextlib.suppress(KeyError, TypeError, ValueError):
        across, down = map(float, image.info["dpi"])
        dpi = (across, down) if 0 < min(across, down) <= max(across, down) < 1e6 else None
    return Metadata(exif, dpi) if exif or dpi else None


def read(data: bytes, kind: str) -> Metadata | None:
    """The metadata of a file's bytes, of a format of Pillow's."""
    with contextlib.suppress(Exception), Image.open(BytesIO(data), formats=[kind]) as image:
        return of(image)
    return None


def orientation(image: Image.Image) -> int:
    """Return the orientation, 1 to 8 (EXIF 2.32, tag 274); 1 where the file has none."""
    with contextlib.suppress(Exception):  # damaged EXIF is no reason to refuse the picture
        value = image.getexif().get(_BASE.Orientation, 1)
        return value if isinstance(value, int) else 1
    return 1


def upright(a: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo how the camera was held: to the pose where row 0 is the top."""
    if orientation >= 5:
        a = np.swapaxes(a, 0, 1)  # 5 to 8 store columns as rows
    if orientation in (2, 3, 6, 7):
        a = a[:, ::-1]
    if orientation in (3, 4, 7, 8):
        a = a[::-1]
    return np.ascontiguousarray(a)
