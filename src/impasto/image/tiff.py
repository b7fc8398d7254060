"""TIFF of more than 8 bits a channel, which Pillow reads in part only: 16 and 32 bits, floats."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN, _DEFLATE = 1, (8, 32946)  # values of the tag Compression


@dataclass(frozen=True)
class Header:
    """What the first page of a TIFF says of itself, without its pixels."""

    width: int
    height: int
    pages: int
    orientation: int
    icc: bytes | None
    bits: int  # of a channel, the largest
    inverted: bool  # 0 is white


@dataclass(frozen=True)
class Deep:
    """Pixels of a TIFF: `color` (H, W, 1 or 3), `alpha` (H, W); uint16 or float32 in [0, 1]."""

    color: NDArray[Any]
    alpha: NDArray[Any] | None
    note: str = ""


def read_header(data: bytes) -> Header | None:
    """The header of the first page, or None when only Pillow may make sense of it."""
    from tifffile import TiffFile

    try:
        with TiffFile(BytesIO(data)) as file:
            page = file.pages.first
            bits: Any = page.bitspersample
            icc, turned = page.tags.get(34675), page.tags.get(274)
            return Header(
                width=int(page.imagewidth),
                height=int(page.imagelength),
                pages=len(file.pages),
                orientation=int(turned.value) if turned is not None else 1,
                icc=bytes(icc.value) if icc is not None else None,
                bits=max(bits) if isinstance(bits, tuple) else int(bits),
                inverted=page.photometric == 0,
            )
    except Exception:  # whatever it is: Pillow has the last word, and its failure is reported
        return None


def read(data: bytes, header: Header) -> Deep | None:
    """Pixels of more than 8 bits, or None when Pillow is the better reader or the only one.

    Tifffile reads plain and deflated data; the rest (LZW, JPEG, CMYK, CIELAB) is left to Pillow.
    Floats are taken as sRGB-encoded values like everything else; what lies outside [0, 1] is
    clipped, with a note.
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
    return _split(values, extra, header.inverted)


def _check_lengths(page: Any, data: bytes) -> None:
    """Refuse a file that is cut short, or whose strips swell to more than they should hold.

    Tifffile fills missing strips with zeros, and inflates without a bound.
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


def _split(values: NDArray[Any], extra: tuple[int, ...], inverted: bool) -> Deep | None:
    """Colour and alpha, by the tag ExtraSamples: 1 is alpha multiplied in, 2 is alpha apart."""
    colors = values.shape[2] - len(extra)
    if colors not in (1, 3) or values.dtype.kind not in "uif":
        return None
    note = ""
    if values.dtype.kind == "f":
        shown = values[:, :, :colors]
        if not bool(((shown >= 0) & (shown <= 1)).all()):
            note = "floating-point values outside 0 to 1 were clipped"
    values = unit(values)
    if inverted:
        top = 65535 if values.dtype == np.uint16 else 1
        values[:, :, :colors] = top - values[:, :, :colors]
    if not extra or extra[0] not in (1, 2):
        return Deep(values[:, :, :colors], None, note)
    both = values[:, :, : colors + 1]
    both = unmultiply(both) if extra[0] == 1 else both
    return Deep(both[:, :, :-1], both[:, :, -1], note)


def unit(values: NDArray[Any]) -> NDArray[Any]:
    """Any numbers as uint16, or as float32 in [0, 1]; NaN becomes 0."""
    values = values.astype(values.dtype.newbyteorder("="))  # a copy, in the machine's byte order
    if values.dtype == np.uint16:
        return values
    top = np.iinfo(values.dtype).max if values.dtype.kind in "ui" else 1.0
    clean = np.nan_to_num(values / top, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(clean, 0, 1).astype(np.float32)


def unmultiply(values: NDArray[Any]) -> NDArray[Any]:
    """Divide colours by their alpha, the last channel; (H, W, 2 or 4)."""
    top = 65535 if values.dtype == np.uint16 else 1
    alpha = values[:, :, -1:].astype(np.float64)
    colors = np.clip(values[:, :, :-1] * (top / np.maximum(alpha, top * 1e-9)), 0, top)
    if values.dtype == np.uint16:
        colors = np.rint(colors)
    return np.concatenate([colors.astype(values.dtype), values[:, :, -1:]], axis=2)
