"""Check whether an image file has transparent pixels, decoding it only if needed."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from impasto import image
from impasto.image import files
from impasto.image.kinds import kind_of

_OPAQUE = {"JPEG", "BMP"}  # formats that the package reads without alpha


def is_transparent(path: Path) -> bool:
    """Check whether an image has a pixel that is not opaque.

    Pixels are decoded only if the header does not decide it.

    Raises:
        InputError: The image cannot be read.
    """
    with path.open("rb") as file:
        kind = kind_of(file.read(files.HEAD), str(path))
    if kind in _OPAQUE or (kind in {"PNG", "GIF", "WEBP"} and not _may_be(path, kind)):
        return False
    return image.load(path).alpha is not None


def _may_be(path: Path, kind: str) -> bool:
    try:
        with Image.open(path, formats=[kind]) as header:
            return header.has_transparency_data
    except Exception:  # damaged: reading it reports the error
        return True
