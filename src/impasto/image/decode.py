"""Decode image files to upright sRGB pixels with separate alpha."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from impasto.errors import InputError
from impasto.image import color, colorspace, metadata, tiff
from impasto.image.kinds import kind_of
from impasto.image.metadata import Metadata

COARSE = "more than 8 bits a channel in a form that can only be read at 8"

_lock = threading.RLock()


@dataclass(frozen=True)
class Pixels:
    """A decoded image: uint8, uint16 (full range) or float32 in [0, 1].

    Attributes:
        rgb: (H, W, 3), sRGB.
        alpha: (H, W), or None if opaque.
        notes: Messages for the user.
        metadata: EXIF and dots per inch of the file, or None.
    """

    rgb: NDArray[Any]
    alpha: NDArray[Any] | None
    notes: tuple[str, ...] = ()
    metadata: Metadata | None = None


def decode(data: bytes, name: str, max_pixels: int, *, full_range: bool = False) -> Pixels:
    """Decode the bytes of a file.

    Args:
        data: The whole file.
        name: Name of the file for messages.
        max_pixels: Larger images are rejected by their header, before anything is decoded.
        full_range: Scale integers in a TIFF by the range of their type only.

    Raises:
        InputError: The bytes are no valid image of a supported format and size.
    """
    kind = kind_of(data[:4096], name)
    try:
        with _quiet_decoders(max_pixels):
            return _decode(data, kind, max_pixels, full_range)
    except (_TooLargeError, Image.DecompressionBombError) as error:
        size = f" ({error})" if isinstance(error, _TooLargeError) else ""
        raise InputError(
            f"{name} has more pixels{size} than the limit of {max_pixels}: "
            "make it smaller first, or raise max_pixels"
        ) from error
    except MemoryError as error:
        raise InputError(
            f"{name} needs more memory than there is: make it smaller first"
        ) from error
    except Exception as error:
        # Pillow and tifffile raise many types of exception for bad bytes.
        reason = re.sub(r" <_io[^>]*>", "", str(error))[:160]  # without memory addresses
        reason = "".join(c for c in reason if c.isprintable()) or type(error).__name__
        raise InputError(
            f"{name} is a damaged, cut-short or unusual {kind} file ({reason}): "
            "fetch it again, or open it in a picture editor and save it as PNG"
        ) from error


def from_pillow(image: Image.Image) -> Pixels:
    """Convert a Pillow image to upright sRGB pixels with separate alpha.

    Raises:
        InputError: The image cannot be read, or its mode is not supported.
    """
    try:
        with _quiet_decoders(Image.MAX_IMAGE_PIXELS):
            return replace(_from_pillow(image), metadata=metadata.of(image))
    except Exception as error:
        raise InputError(f"cannot use this {image.mode} image of Pillow: {error}") from error


class _TooLargeError(Exception):
    pass


@contextlib.contextmanager
def _quiet_decoders(max_pixels: int | None) -> Iterator[None]:
    """Suppress the warnings of Pillow and tifffile, and set Pillow's limit of pixels.

    These are settings of the whole process, hence the lock: concurrent loads run one by one.
    """
    loggers = [logging.getLogger(name) for name in ("PIL", "tifffile")]
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, levels = Image.MAX_IMAGE_PIXELS, [logger.level for logger in loggers]
        Image.MAX_IMAGE_PIXELS = max_pixels
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _check(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _TooLargeError(f"{width} x {height}")


def _decode(data: bytes, kind: str, max_pixels: int, full_range: bool) -> Pixels:
    header = tiff.read_header(data) if kind == "TIFF" else None
    if header is not None:
        header = replace(header, whole=header.whole or full_range)
        _check(header.width, header.height, max_pixels)
        deep = tiff.read(data, header)
        if deep is not None:
            rgb, note = color.deep_to_srgb(deep.color, header.icc)
            notes = (deep.note, note, _pages(header.pages))
            upright_pixels = _upright(rgb, deep.alpha, header.orientation, notes)
            return replace(upright_pixels, metadata=metadata.read(data, kind))
    quiet = tiff.silent_libtiff() if kind == "TIFF" else contextlib.nullcontext()
    with quiet, Image.open(BytesIO(data), formats=[kind]) as image:
        _check(*image.size, max_pixels)
        code = colorspace.code_of(data) if kind == "PNG" else {}
        image.info.update(code)
        deep_image = _sixteen_bits(data, image, kind)
        if deep_image:
            deep_image[1].info.update(code)
            values, note = deep_image[0], ""
            if header is not None:
                values, note = tiff.scaled(values, header)
            pixels = _finish_deep(values, deep_image[1], note)
        else:
            pixels = _from_pillow(image, header)
        found = metadata.of(deep_image[1] if deep_image else image)
        coarse = header is not None and header.bits > 8 and pixels.rgb.dtype == np.uint8
        extra = (COARSE if coarse else "", _frames(image))
    all_notes = (*pixels.notes, *filter(None, extra))
    return replace(pixels, notes=all_notes, metadata=found)


def _from_pillow(image: Image.Image, header: tiff.Header | None = None) -> Pixels:
    image.load()
    if image.mode.startswith("I;16"):
        values = np.array(image)[:, :, None].astype(np.uint16)  # native byte order
        note = ""
        if header is not None and header.bits < 16:  # for example 0 to 4095 for 12 bits
            values = np.rint(values * (65535 / (2**header.bits - 1))).astype(np.uint16)
        elif header is not None:
            values, note = tiff.scaled(values, header)
        if header is not None and header.inverted:
            values = 65535 - values
        return _finish_deep(values, image, note)
    if image.mode == "I" and header is not None:
        values, note = tiff.scaled(np.array(image)[:, :, None], header)
        return _finish_deep(values, image, note)
    if image.mode == "I":
        return _finish_deep(np.clip(np.array(image), 0, 65535).astype(np.uint16)[:, :, None], image)
    if image.mode == "F":
        return _finish_deep(tiff.unit(np.array(image))[:, :, None], image)
    return _finish(image)


def _frames(image: Image.Image) -> str:
    # Counting may seek in the file and change the image, so this is done after reading the pixels.
    # The further images of an MPO (a kind of JPEG) are previews and depth maps, not frames.
    count = 1
    if image.format != "MPO":
        with contextlib.suppress(Exception):
            count = getattr(image, "n_frames", 1)
    if image.format == "TIFF":
        return _pages(count)
    return f"animated: first frame of {count} taken" if count > 1 else ""


def _pages(count: int) -> str:
    return f"several pages: first of {count} taken" if count > 1 else ""


def _rawmode(image: Image.Image) -> str:
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return ""
    args = image.tile[0].args
    return str(args[0] if isinstance(args, tuple) and args else args)


def _sixteen_bits(
    data: bytes, image: Image.Image, kind: str
) -> tuple[NDArray[np.uint16], Image.Image] | None:
    """Return all 16 bits of a PNG or TIFF with several 16-bit channels; None for other images.

    Pillow has no such mode and keeps the high byte of each sample. The "raw mode" of the decoder
    specifies the byte order, so a second pass with the other byte order yields the low bytes, and
    Pillow still handles all other details of the format.

    Returns:
        Samples (H, W, 2 to 4), and the image of the last pass, which has the metadata.
    """
    raw = _rawmode(image)
    if raw == "LA;16B":  # four bytes per pixel, read as four channels
        last = _pass(data, kind, "RGBA")
        four = np.asarray(last).astype(np.uint16)
        return four[:, :, 0::2] * 256 + four[:, :, 1::2], last
    found = re.fullmatch(r"(RGB|RGBA|RGBX|RGBa);16([BLN])", raw)
    if not found or kind not in ("PNG", "TIFF"):
        return None
    order = found[2].replace("N", "L" if sys.byteorder == "little" else "B")
    base = found[1].replace("RGBa", "RGBA")  # alpha is divided out below, at 16 bits
    values = np.asarray(_pass(data, kind, f"{base};16{order}")).astype(np.uint16)
    values *= 256
    last = _pass(data, kind, f"{base};16{'B' if order == 'L' else 'L'}")
    values += np.asarray(last)
    return (tiff.unmultiply(values) if found[1] == "RGBa" else values), last


def _pass(data: bytes, kind: str, raw: str) -> Image.Image:
    """Decode with another raw mode; this applies the orientation of TIFF, but not that of PNG."""
    with Image.open(BytesIO(data), formats=[kind]) as image:
        assert isinstance(image, ImageFile.ImageFile)
        image.tile = [
            t._replace(args=(raw, *t.args[1:]) if isinstance(t.args, tuple) else raw)
            for t in image.tile
        ]
        image.load()
        return image


def _finish_deep(values: NDArray[Any], image: Image.Image, found: str = "") -> Pixels:
    """Apply alpha, colour space and orientation to (H, W, 1 to 4) of uint16 or float32."""
    channels = values.shape[2]
    colors, alpha = (values, None) if channels in (1, 3) else (values[:, :, :-1], values[:, :, -1])
    key = image.info.get("transparency")
    if alpha is None and isinstance(key, int | tuple):  # PNG: one transparent colour
        hidden = np.all(colors == np.asarray(key), axis=2)
        alpha = np.where(hidden, 0, 65535).astype(np.uint16)
    space, note = colorspace.named(image.info)
    if space is not None:
        rgb: NDArray[Any] = colorspace.to_srgb(colors, space)
    else:
        rgb, other = color.deep_to_srgb(colors, _icc(image))
        note = note or other
    return _upright(rgb, alpha, metadata.orientation(image), (found, note))


def _finish(image: Image.Image) -> Pixels:
    orientation, icc = metadata.orientation(image), _icc(image)
    space, note = colorspace.named(image.info)
    grey = image.mode in ("1", "L", "LA", "La")
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.array(image.getchannel("A"))
    if grey:
        image = image.convert("L")
    elif image.mode not in ("RGB", "CMYK", "LAB"):
        image = image.convert("RGB")
    if space is not None and image.mode in ("L", "RGB"):
        values = np.atleast_3d(np.array(image))
        return _upright(colorspace.to_srgb(values, space), alpha, orientation, (note,))
    rgb, other = color.to_srgb(image, icc)
    return _upright(rgb, alpha, orientation, (note or other,))


def _icc(image: Image.Image) -> bytes | None:
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) and icc else None


def _upright(
    rgb: NDArray[Any], alpha: NDArray[Any] | None, orientation: int, notes: tuple[str, ...]
) -> Pixels:
    """Apply the EXIF orientation, and drop an alpha that is opaque everywhere."""
    if alpha is not None:
        opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind == "u" else 1
        alpha = None if bool((alpha >= opaque).all()) else metadata.upright(alpha, orientation)
    return Pixels(metadata.upright(rgb, orientation), alpha, tuple(note for note in notes if note))
