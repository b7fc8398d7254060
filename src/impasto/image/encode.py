"""Encode pixels to image files."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.errors import InputError
from impasto.image import files
from impasto.image.color import srgb_profile
from impasto.image.files import Target
from impasto.image.metadata import Metadata

# By name, which is also the suffix of a file.
FORMATS = {
    "png": "PNG",
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "tif": "TIFF",
    "tiff": "TIFF",
}
SUFFIXES = tuple(f".{name}" for name in FORMATS)
_DEEP = ("PNG", "TIFF")
DEEP_SUFFIXES = tuple(f".{name}" for name, kind in FORMATS.items() if kind in _DEEP)
_LARGEST = {"JPEG": 65500, "WEBP": 16383}  # pixels per side, by the definition of the format


def check(kind: str, width: int, height: int, *, quality: int, depth: int) -> None:
    """Check whether a format supports an image and options.

    Raises:
        InputError: It does not, or an option is out of range.
    """
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise InputError(f"quality is {quality!r}: choose a whole number from 1 to 100")
    if depth not in (8, 16):
        raise InputError(f"depth is {depth!r}: choose 8 or 16")
    if depth == 16 and kind not in _DEEP:
        raise InputError(f"{kind} cannot hold 16 bits a channel: save as .png or .tif")
    limit = _LARGEST.get(kind)
    if limit and max(width, height) > limit:
        raise InputError(
            f"{kind} holds at most {limit} pixels a side, not {width} x {height}: "
            "save as .png or .tif"
        )


def encode(
    pixels: NDArray[Any], kind: str, *, quality: int, metadata: Metadata | None = None
) -> bytes:
    """Encode pixels to the content of a file.

    Args:
        pixels: (H, W, 3 or 4), sRGB with alpha not multiplied in; uint8, or uint16 for PNG and
            TIFF.
        kind: A value of `FORMATS`. JPEG has no alpha: the image is composited on white.
        quality: 1 to 100, for JPEG and WebP; 100 makes WebP lossless.
        metadata: EXIF and dots per inch to write. WebP does not support dots per inch, and in a
            16-bit TIFF only text tags and the date are written.

    Raises:
        InputError: The encoder failed.
    """
    icc = srgb_profile()
    try:
        if pixels.dtype == np.uint16:
            return (_png16 if kind == "PNG" else _tiff16)(pixels, icc, metadata)
        if kind == "JPEG" and pixels.shape[2] == 4:
            pixels = on_white(pixels)
        options: dict[str, Any] = {"icc_profile": icc} if icc else {}
        if metadata is not None:
            options |= {"exif": metadata.block()} if metadata.exif else {}
            options |= {"dpi": metadata.dpi} if metadata.dpi else {}
        if kind == "JPEG":
            # Full colour resolution at high quality: stylised images have sharp coloured edges.
            options |= {"quality": quality, "subsampling": 0 if quality >= 90 else 2}
        elif kind == "WEBP":
            # exact: keep the colours of transparent pixels, as in the other formats.
            options |= {"quality": quality, "lossless": quality == 100, "exact": True}
        elif kind == "TIFF":
            # libtiff, needed for compression, does not write EXIF directories
            options |= {} if "exif" in options else {"compression": "tiff_adobe_deflate"}
        out = BytesIO()
        Image.fromarray(pixels).save(out, kind, **options)
        return out.getvalue()
    except (OSError, RuntimeError, ValueError, MemoryError, KeyError, struct.error) as error:
        height, width = pixels.shape[:2]
        reason = str(error) or "out of memory"
        raise InputError(
            f"cannot make a {kind} file of {width} x {height} pixels ({reason}): try PNG"
        ) from error


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite (H, W, 4) on white: (H, W, 3)."""
    alpha = pixels[:, :, 3:].astype(np.float32) / 255
    return np.rint(pixels[:, :, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _tiff16(pixels: NDArray[np.uint16], icc: bytes | None, metadata: Metadata | None) -> bytes:
    from tifffile import TiffWriter

    channels = pixels.shape[2]
    tags: list[tuple[int, str, int, Any, bool]] = [(281, "H", channels, (65535,) * channels, True)]
    dpi = None
    if metadata is not None:
        dpi = metadata.dpi
        tags += [(tag, "s", 0, text, True) for tag, text in metadata.text_tags().items()]
    out = BytesIO()
    with TiffWriter(out) as writer:
        writer.write(
            pixels,
            photometric="rgb",
            extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
            compression="zlib",
            predictor=True,
            iccprofile=icc,
            metadata=None,
            software=False,
            resolution=dpi,
            resolutionunit="INCH" if dpi else None,
            extratags=tags,
        )
    return out.getvalue()


def _png16(pixels: NDArray[np.uint16], icc: bytes | None, metadata: Metadata | None) -> bytes:
    """Encode a PNG of 16 bits per channel (W3C PNG, 3rd edition), which Pillow cannot in colour."""
    height, width, channels = pixels.shape
    step = 2 * channels  # bytes per pixel
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, width * step)
    # Filter 2 stores each byte minus the one above it, filter 1 minus the one to its left, modulo
    # 256. Of both, the row with the smaller absolute sum usually compresses better.
    up, left = rows.copy(), rows.copy()
    up[1:] -= rows[:-1]
    left[:, step:] -= rows[:, :-step]
    cost_up, cost_left = (np.abs(a.view(np.int8).astype(np.int16)).sum(1) for a in (up, left))
    use_up = (cost_up < cost_left)[:, None]
    lines = np.concatenate(
        [np.where(use_up, 2, 1).astype(np.uint8), np.where(use_up, up, left)], axis=1
    )
    header = struct.pack(">IIBBBBB", width, height, 16, 6 if channels == 4 else 2, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header)]
    if icc:
        parts.append(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(icc)))
    if metadata is not None and metadata.exif:
        parts.append(_chunk(b"eXIf", metadata.block().removeprefix(b"Exif\0\0")))
    if metadata is not None and metadata.dpi:
        per_metre = (round(one / 0.0254) for one in metadata.dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    parts += [_chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def format_of(target: Target, format: str | None) -> str:
    """Return the format, a value of :data:`FORMATS`, by its name or by the suffix of a file.

    Args:
        target: The file.
        format: Name of the format; None takes the suffix, or PNG if the target has no name.

    Raises:
        InputError: The name or the suffix is unknown.
    """
    known = ", ".join(SUFFIXES)
    if format is not None:
        kind = FORMATS.get(format.lower().lstrip("."))
        if kind is None:
            raise InputError(f"cannot write the format {format!r}: choose one of {known}")
        return kind
    suffix = files.suffix_of(target)
    kind = FORMATS.get(suffix[1:])
    if kind is not None:
        return kind
    if not isinstance(target, str | os.PathLike) or os.fspath(target) == "-":
        return "PNG"
    what = f"the ending {suffix}" if suffix else "no ending"
    raise InputError(f"{os.fspath(target)} has {what}: name the file with one of {known}")
