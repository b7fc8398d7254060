"""Read TIFF of more than 8 bits per channel, which Pillow supports only partly."""

from __future__ import annotations

import contextlib
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN, _DEFLATE = 1, (8, 32946)  # values of the tag Compression
_DEPTHS = (8, 10, 12, 14, 16, 24, 32, 48)  # numbers of bits that files use of a larger integer type


@dataclass(frozen=True)
class Header:
    """Header of the first page of a TIFF.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        pages: Number of pages.
        orientation: EXIF orientation, 1 to 8.
        icc: Colour profile, or None.
        bits: Bits of the channel with most.
        inverted: Whether 0 is white.
        limit: Value of white by the tag MaxSampleValue; 0 without the tag.
        whole: Whether white is the largest number of the type.
    """

    width: int
    height: int
    pages: int
    orientation: int
    icc: bytes | None
    bits: int
    inverted: bool
    limit: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Deep:
    """Pixels of a TIFF, uint16 or float32 in [0, 1].

    Attributes:
        color: (H, W, 1 or 3).
        alpha: (H, W), or None.
        note: A message for the user, or empty.
    """

    color: NDArray[Any]
    alpha: NDArray[Any] | None
    note: str = ""


def read_header(data: bytes) -> Header | None:
    """Return the header of the first page, or None if tifffile cannot read it."""
    from tifffile import TiffFile

    try:
        with TiffFile(BytesIO(data)) as file:
            page = file.pages.first
            bits: Any = page.bitspersample
            icc, turned, limit = (page.tags.get(number) for number in (34675, 274, 281))
            return Header(
                width=int(page.imagewidth),
                height=int(page.imagelength),
                pages=len(file.pages),
                orientation=int(turned.value) if turned is not None else 1,
                icc=bytes(icc.value) if icc is not None else None,
                bits=max(bits) if isinstance(bits, tuple) else int(bits),
                inverted=page.photometric == 0,
                limit=int(np.max(limit.value)) if limit is not None else 0,
                # files with a profile use the full range
                whole=icc is not None,
            )
    except Exception:  # Pillow is tried next, and its error is reported
        return None


def read(data: bytes, header: Header) -> Deep | None:
    """Read pixels of more than 8 bits, or return None for a file that Pillow should read.

    Tifffile reads uncompressed and deflated data; the rest (LZW, JPEG, CMYK, CIELAB) is left to
    Pillow. Floats are taken as sRGB-encoded values; values outside [0, 1] are clipped, with a note.
    Integers are scaled, see :func:`scaled`.

    Raises:
        ValueError: The file is cut short, or its data is larger than its header says.
    """
    from tifffile import TiffFile

    if header.bits not in (16, 32, 64):
        return None
    with TiffFile(BytesIO(data)) as file:
        page = file.pages.first
        if page.photometric not in (0, 1, 2) or page.axes not in ("YX", "YXS", "SYX"):
            return None
        if page.compression != _PLAIN and page.compression not in _DEFLATE:
            return None
        _check_lengths(page, data)
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, -1)
        extra = tuple(int(e) for e in page.extrasamples)
    if values.ndim == 2:
        values = values[:, :, None]
    return _split(values, extra, header)


def _check_lengths(page: Any, data: bytes) -> None:
    """Raise an error for a file that is cut short, or whose strips are larger than declared.

    Tifffile fills missing strips with zeros, and decompresses without a limit.
    """
    size = math.prod(page.chunks) * page.dtype.itemsize
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if any(count <= 0 or offset + count > len(data) for offset, count in spans):
        raise ValueError("its pixel data ends too early")
    if page.compression == _PLAIN:
        if sum(count for _, count in spans) < page.nbytes:
            raise ValueError("it has less pixel data than its header says")
    elif any(
        len(zlib.decompressobj().decompress(data[offset : offset + count], size + 1)) > size
        for offset, count in spans
    ):
        raise ValueError("it has more pixel data than its header says")


def _split(values: NDArray[Any], extra: tuple[int, ...], header: Header) -> Deep | None:
    """Split into colour and alpha, by the tag ExtraSamples: 1 is premultiplied alpha, 2 is not."""
    colors = values.shape[2] - len(extra)
    if colors not in (1, 3) or values.dtype.kind not in "uif":
        return None
    note = ""
    if values.dtype.kind == "f":
        shown = values[:, :, :colors]
        if not bool(((shown >= 0) & (shown <= 1)).all()):
            note = "floating-point values outside 0 to 1 were clipped"
        values = unit(values)
    else:
        values, note = scaled(values, header, premultiplied=extra[:1] == (1,))
    if header.inverted:
        top = 65535 if values.dtype == np.uint16 else 1
        values[:, :, :colors] = top - values[:, :, :colors]
    if not extra or extra[0] not in (1, 2):
        return Deep(values[:, :, :colors], None, note)
    both = values[:, :, : colors + 1]
    both = unmultiply(both) if extra[0] == 1 else both
    return Deep(both[:, :, :-1], both[:, :, -1], note)


def unit(values: NDArray[Any]) -> NDArray[np.float32]:
    """Convert floating-point numbers to float32 in [0, 1]; NaN becomes 0."""
    clean = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(clean, 0, 1).astype(np.float32)


def scaled(
    values: NDArray[Any], header: Header, *, premultiplied: bool = False
) -> tuple[NDArray[Any], str]:
    """Scale integers to the full range, for files that use only a part of it.

    Cameras of 10 to 14 bits and programs with 32-bit integers use only a part of the range, and
    nearly all of these files do not declare which. White is the tag MaxSampleValue, if there is
    one. Otherwise it is the largest number of the fewest bits that can store all the colours,
    except for files with a colour profile, which use the full range of their type.

    Args:
        values: (H, W, 1 to 4), integers; the second and the fourth channel are alpha.
        header: Header of the file.
        premultiplied: Whether alpha is multiplied into the colours.

    Returns:
        uint16 or, if white is above 65535, float32 in [0, 1]; and a note for the user.
    """
    most, count = int(np.iinfo(values.dtype).max), values.shape[2]
    colors = count if premultiplied or count in (1, 3) else count - 1
    found = int(values[:, :, :colors].max())
    white = most
    if 0 < found <= header.limit < most:
        white = header.limit
    elif not header.limit and not header.whole and found > 0:
        white = next((2**n - 1 for n in _DEPTHS if found < 2**n <= most), most)
    notes = [f"its values go up to {found}: {white} of {most} was taken as white"]
    if white == most:
        notes.clear()
    if values.dtype.kind == "i" and int(values.min()) < 0:
        notes.append("negative values were taken as black")
    tops = np.full(count, white, np.float64)
    tops[colors:][values[:, :, colors:].max((0, 1)) > white] = most
    if white == most == 65535:
        return values.astype(np.uint16), "; ".join(notes)  # native byte order
    fractions = np.clip(values / tops, 0, 1)
    if white <= 65535:
        return np.rint(fractions * 65535).astype(np.uint16), "; ".join(notes)
    return fractions.astype(np.float32), "; ".join(notes)


@contextlib.contextmanager
def silent_libtiff() -> Iterator[None]:
    """Suppress libtiff's messages on damaged data inside the context.

    It writes them directly to file descriptor 2, and Pillow has no option to prevent that.
    """
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def unmultiply(values: NDArray[Any]) -> NDArray[Any]:
    """Divide colours by their alpha, the last channel; (H, W, 2 or 4)."""
    top = 65535 if values.dtype == np.uint16 else 1
    alpha = values[:, :, -1:].astype(np.float64)
    colors = np.clip(values[:, :, :-1] * (top / np.maximum(alpha, top * 1e-9)), 0, top)
    if values.dtype == np.uint16:
        colors = np.rint(colors)
    return np.concatenate([colors.astype(values.dtype), values[:, :, -1:]], axis=2)
