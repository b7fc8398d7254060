"""Convert colours to sRGB by the ICC profile of a file.

Pillow's LittleCMS converts 8-bit images, and supports every kind of profile, but no more than 8
bits per channel. The profiles of most 16-bit photos (Adobe RGB, Display P3, ProPhoto: three curves
and a matrix) are therefore also implemented here, in floats.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

BROKEN = "its colour profile is broken or unfit and was ignored"
EIGHT_BITS = "its colour profile was applied at 8 bits a channel"

# Columns are the sRGB primaries in XYZ under D50, the reference white of ICC profiles. The values
# are those of the ICC's sRGB profile.
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}


@lru_cache(maxsize=1)
def srgb_profile() -> bytes | None:
    """Return the sRGB profile to embed in saved files, or None if Pillow lacks LittleCMS."""
    try:
        from PIL import ImageCms

        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    except (ImportError, OSError):
        return None
    # LittleCMS writes the current time into the header; a fixed time makes files reproducible.
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def to_srgb(image: Image.Image, icc: bytes | None) -> tuple[NDArray[np.uint8], str]:
    """Convert an 8-bit Pillow image to sRGB.

    Args:
        image: Mode L, RGB, CMYK or LAB.
        icc: The profile of the file, or None.

    Returns:
        Pixels (H, W, 3), and a note for the user, usually empty.
    """
    if not icc and image.mode != "LAB":
        note = "CMYK without a colour profile: its colours are a guess"
        return np.array(image.convert("RGB")), note if image.mode == "CMYK" else ""
    try:
        return _by_lcms(image, icc), ""
    except Exception:
        # A file's profile is untrusted, and LittleCMS raises many types of exception. For a LAB
        # image `convert` raises a ValueError, which the decoder reports.
        return np.array(image.convert("RGB")), BROKEN


def deep_to_srgb(
    values: NDArray[Any], icc: bytes | None
) -> tuple[NDArray[np.uint16] | NDArray[np.float32], str]:
    """Convert an image of more than 8 bits per channel to sRGB.

    Args:
        values: (H, W, 1 or 3), uint16, or float32 in [0, 1].
        icc: The profile of the file, or None.

    Returns:
        Pixels (H, W, 3), uint16 from 0 to 65535 or float32 in [0, 1], and a note for the user,
        usually empty.
    """
    as_rgb = np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values
    if not icc:
        return as_rgb, ""
    as_uint16 = values if values.dtype == np.uint16 else np.rint(values * 65535).astype(np.uint16)
    try:
        probe = "L" if values.shape[2] == 1 and icc[16:20] == b"GRAY" else "RGB"
        if _is_srgb(_transform(icc, probe), probe):
            return as_rgb, ""
        exact = _by_matrix(as_uint16, icc)
        if exact is not None:
            return exact, ""
        coarse = np.rint(as_uint16 / 257).astype(np.uint8)
        image = Image.fromarray(coarse[:, :, 0] if coarse.shape[2] == 1 else coarse)
        return _by_lcms(image, icc).astype(np.uint16) * 257, EIGHT_BITS
    except Exception:
        return as_rgb, BROKEN


def _by_lcms(image: Image.Image, icc: bytes | None) -> NDArray[np.uint8]:
    from PIL import ImageCms

    if image.mode == "L" and icc and icc[16:20] == b"RGB ":
        image = image.convert("RGB")  # grey images often have an RGB profile
    transform = _transform(icc, image.mode)
    if _is_srgb(transform, image.mode):
        return np.array(image.convert("RGB"))
    # Grey images are converted by a table of all levels: LittleCMS would interpolate between 33
    # points, which is imprecise for linear profiles.
    grey = image.mode == "L"
    shown = Image.fromarray(np.arange(256, dtype=np.uint8)[None]) if grey else image
    converted = ImageCms.applyTransform(shown, transform)
    assert converted is not None  # it is None only for in-place conversions
    return np.array(converted)[0][np.asarray(image)] if grey else np.array(converted)


def _transform(icc: bytes | None, mode: str) -> ImageCmsTransform:
    """Return a LittleCMS transform from a profile to 8-bit sRGB.

    Raises:
        ValueError: The profile does not fit the mode.
    """
    from PIL import ImageCms

    if mode == "LAB":
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    else:
        source = ImageCms.ImageCmsProfile(BytesIO(icc or b""))
    if source.profile.xcolor_space.strip() != _SPACES[mode]:
        raise ValueError(f"a {source.profile.xcolor_space} profile on a picture of mode {mode}")
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    return ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        # Photoshop's default: it preserves contrast and shadows of print colours.
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=flags | ImageCms.Flags.NOOPTIMIZE if mode == "L" else flags,
    )


def _is_srgb(transform: ImageCmsTransform, mode: str) -> bool:
    """Check whether a profile equals sRGB: it changes no colour by more than one level.

    There are dozens of variants of sRGB profiles. Applying one would only add rounding errors, and
    loading and saving an image would change it.
    """
    from PIL import ImageCms

    if mode not in ("L", "RGB"):
        return False
    ramp = np.arange(256, dtype=np.uint8)[None]  # (1, 256)
    if mode == "RGB":
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        ramp = np.concatenate([np.repeat(ramp[..., None], 3, axis=2), grid], axis=1)
    converted = ImageCms.applyTransform(Image.fromarray(ramp), transform)
    before = np.asarray(Image.fromarray(ramp).convert("RGB")).astype(np.int16)
    return int(np.abs(np.asarray(converted).astype(np.int16) - before).max()) <= 1


def _by_matrix(words: NDArray[np.uint16], icc: bytes) -> NDArray[np.float32] | None:
    """Apply a profile of curves and a matrix (ICC.1:2010, F.2 and F.3); None for other profiles.

    Relative colorimetric: the curves map device values to linear light, the matrix maps it to XYZ
    under D50, and the inverse of sRGB's matrix and curve give sRGB.
    """
    tags = _tags(icc)
    if b"A2B0" in tags or b"A2B1" in tags or icc[20:24] != b"XYZ ":
        return None  # tables take precedence over the matrix, and need LittleCMS
    grey = words.shape[2] == 1
    if grey and b"kTRC" in tags:
        linear = _curve(tags[b"kTRC"])[words[:, :, 0]]
        return np.repeat(srgb_encode(linear)[..., None], 3, axis=2)
    if not {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= tags.keys():
        return None
    columns = [
        np.array(struct.unpack(">3i", tags[c + b"XYZ"][8:20])) / 65536 for c in (b"r", b"g", b"b")
    ]
    matrix = (np.linalg.inv(_SRGB_TO_XYZ) @ np.stack(columns, axis=1)).astype(np.float32)
    curves = [_curve(tags[c + b"TRC"]) for c in (b"r", b"g", b"b")]
    out = np.empty((*words.shape[:2], 3), np.float32)
    for row in range(words.shape[0]):  # row by row, to save memory
        device = np.repeat(words[row], 3, axis=1) if grey else words[row]  # (W, 3)
        linear = np.stack([curve[device[:, i]] for i, curve in enumerate(curves)], axis=1)
        out[row] = srgb_encode(linear @ matrix.T)
    return out


def srgb_encode(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the sRGB curve (IEC 61966-2-1) to linear light, clipped to [0, 1]."""
    x = np.clip(linear, 0, 1)
    curved = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** np.float32(1 / 2.4) - 0.055)
    return curved.astype(np.float32)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """Return the tags of a profile by signature; their table follows a header of 128 bytes."""
    (count,) = struct.unpack(">I", icc[128:132])
    table = [
        struct.unpack(">4sII", icc[132 + 12 * i : 144 + 12 * i]) for i in range(min(count, 256))
    ]
    return {name: icc[offset : offset + size] for name, offset, size in table}


def _curve(tag: bytes) -> NDArray[np.float32]:
    """Return a tone curve as a table: linear light for each of the 65536 device values."""
    x = np.linspace(0, 1, 65536)
    if tag[:4] == b"curv":
        (count,) = struct.unpack(">I", tag[8:12])
        points = np.frombuffer(tag[12 : 12 + 2 * count], ">u2").astype(np.float64)
        if len(points) != count:
            raise ValueError("a tone curve is cut short")
        if count == 0:
            y = x
        elif count == 1:
            y = x ** (points[0] / 256)
        else:
            y = np.interp(x, np.linspace(0, 1, count), points / 65535)
    elif tag[:4] == b"para":
        y = _parametric(x, tag)
    else:
        raise ValueError("a tone curve of an unknown type")
    return np.clip(np.nan_to_num(y), 0, 1).astype(np.float32)


def _parametric(x: NDArray[np.float64], tag: bytes) -> NDArray[np.float64]:
    """Compute one of the five parametric curves (ICC.1:2010, table 65), by one formula."""
    (kind,) = struct.unpack(">H", tag[8:10])
    size = (1, 3, 4, 5, 7)[kind]
    g, *rest = (v / 65536 for v in struct.unpack(f">{size}i", tag[12 : 12 + 4 * size]))
    a, b = rest[:2] if kind else (1.0, 0.0)
    c, d, e, f = 0.0, -1.0, 0.0, 0.0
    if kind == 1:
        d = -b / a
    elif kind == 2:
        d, e, f = -b / a, rest[2], rest[2]
    elif kind >= 3:
        c, d, e, f = (*rest[2:], 0.0, 0.0)[:4]
    return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
