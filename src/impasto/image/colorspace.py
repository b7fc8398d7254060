"""Convert colour spaces that a PNG specifies by code points or numbers to sRGB.

The chunks cICP, sRGB, gAMA and cHRM of PNG (W3C PNG, 3rd edition, 4.3 and 11.3.2), with the code
points of ITU-T H.273. High dynamic range is tone-mapped: white is 203 cd/m² (ITU-R BT.2408), and
brighter values are compressed into the upper fifth of the range.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.image import hdr
from impasto.image.color import srgb_encode

BROKEN = "its colour information (gAMA, cHRM) is broken and was ignored"
UNKNOWN = "its colour space (cICP) is unknown here and was ignored"

Chromaticities = tuple[float, float, float, float, float, float, float, float]  # white, R, G, B
Curve = Callable[[hdr.Floats], hdr.Floats]  # code value to linear light, white is 1

_D65 = (0.3127, 0.3290)
_BT709: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_BT601: Chromaticities = (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
_PRIMARIES: Mapping[int, Chromaticities] = {  # H.273, table 2
    1: _BT709,
    2: _BT709,  # unspecified
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: _BT601,
    7: _BT601,
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def _srgb_decode(v: hdr.Floats) -> hdr.Floats:
    """Apply the inverse sRGB curve, IEC 61966-2-1."""
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _power(exponent: float) -> Curve:
    return lambda v: v**exponent


def _pq(v: hdr.Floats) -> hdr.Floats:
    return hdr.pq_to_nits(v) / hdr.WHITE


_CURVES: Mapping[int, Curve] = {  # H.273, table 3
    # video signals: the light that a display of ITU-R BT.1886 emits
    **dict.fromkeys((1, 6, 14, 15), _power(2.4)),
    2: _srgb_decode,  # unspecified
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    13: _srgb_decode,
    16: _pq,
    18: hdr.hlg_to_scene,
}
_HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Space:
    """A colour space: primaries, transfer curve and range.

    Attributes:
        primaries: Chromaticities x and y of white, red, green and blue.
        curve: Maps code values in [0, 1] to linear light.
        hdr: ``PQ``, ``HLG``, or empty.
        narrow: Whether black is 16 and white 235 of 255, as in video.
    """

    primaries: Chromaticities = _BT709
    curve: Curve = _srgb_decode
    hdr: str = ""
    narrow: bool = False


def named(info: Mapping[Any, Any]) -> tuple[Space | None, str]:
    """Return the colour space that a PNG specifies, None for sRGB, and a note for the user.

    cICP takes precedence over a profile, a profile over sRGB, and sRGB over gAMA and cHRM.

    Args:
        info: Pillow's ``Image.info`` of the file, with the four bytes of cICP as ``cicp``.
    """
    if "cicp" in info:
        return _by_code(info["cicp"])
    if info.get("icc_profile") or "srgb" in info:
        return None, ""
    try:
        return _by_numbers(info.get("gamma"), info.get("chromaticity")), ""
    except (ArithmeticError, TypeError, ValueError, np.linalg.LinAlgError):
        return None, BROKEN


def code_of(data: bytes) -> dict[str, bytes]:
    """Return the chunk cICP of a PNG, as ``{"cicp": bytes}``; empty if there is none.

    Pillow does not read this chunk.
    """
    offset = 8
    while offset + 8 <= len(data):
        (length,), name = (
            struct.unpack(">I", data[offset : offset + 4]),
            data[offset + 4 : offset + 8],
        )
        if name == b"cICP":
            return {"cicp": data[offset + 8 : offset + 8 + length]}
        if name == b"IDAT":
            break
        offset += length + 12
    return {}


def _by_code(cicp: bytes) -> tuple[Space | None, str]:
    if len(cicp) != 4 or cicp[0] not in _PRIMARIES or cicp[1] not in _CURVES or cicp[2]:
        return None, UNKNOWN
    signal = _HDR.get(cicp[1], "")
    space = Space(_PRIMARIES[cicp[0]], _CURVES[cicp[1]], signal, not cicp[3])
    note = f"high dynamic range ({signal}) was tone-mapped to sRGB" if signal else ""
    plain = space.primaries == _BT709 and space.curve is _srgb_decode and not space.narrow
    return (None if plain else space), note


def _by_numbers(gamma: float | None, points: Chromaticities | None) -> Space | None:
    if gamma is not None and not gamma > 0:
        raise ValueError("a gamma of 0")
    # 1 / 2.2 stands for sRGB; like libpng, accept values within 5% of it
    curve = _srgb_decode if gamma is None or abs(2.2 * gamma - 1) < 0.05 else _power(1 / gamma)
    primaries = _BT709 if points is None else points
    same = np.allclose(_to_srgb_light(primaries), np.eye(3), atol=2e-3)  # half an 8-bit level
    if same and curve is _srgb_decode:
        return None
    return Space(_BT709 if same else primaries, curve)


def to_srgb(values: NDArray[Any], space: Space) -> NDArray[np.float32]:
    """Convert pixels to sRGB.

    Args:
        values: (H, W, 1 or 3), uint8 or uint16. For grey, the primaries have no effect.
        space: Colour space of the values.

    Returns:
        (H, W, 3) in [0, 1]; colours outside the gamut of sRGB are clipped.
    """
    top = np.iinfo(values.dtype).max
    codes = np.arange(top + 1) / top
    if space.narrow:
        codes = np.clip((codes * 255 - 16) / 219, 0, 1)
    table = space.curve(codes).astype(np.float32)
    grey = values.shape[2] == 1
    matrix = np.eye(3) if grey else _to_srgb_light(space.primaries)
    luminance = _to_xyz(space.primaries)[1].astype(np.float32)  # luminance of R, G and B
    out = np.empty((*values.shape[:2], 3), np.float32)
    for row in range(values.shape[0]):  # row by row, to save memory
        light = table[np.repeat(values[row], 3, axis=1) if grey else values[row]]  # (W, 3)
        if space.hdr == "HLG":  # scene light to display light, BT.2100: system gamma 1.2
            light *= (light @ luminance)[:, None] ** np.float32(0.2) * (hdr.PEAK / hdr.WHITE)
        light = _compressed(light) if space.hdr else light
        out[row] = srgb_encode(light @ matrix.T.astype(np.float32))
    return out


def _compressed(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tone-map linear light (W, 3) to at most 1.

    All three channels are scaled by the factor for the brightest one, which preserves hues.
    """
    most = np.maximum(light.max(axis=1, keepdims=True), 1e-9) * hdr.WHITE
    factor = hdr.tone_curve(np.minimum(most, hdr.PEAK), hdr.PEAK) / most
    return (light * factor).astype(np.float32)


def _to_xyz(points: Chromaticities) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ, scaled so that RGB of 1 gives white."""
    xy = np.array(points, np.float64).reshape(4, 2)
    if not np.isfinite(xy).all() or (xy[:, 1] <= 0).any():
        raise ValueError("chromaticities that no colour has")
    white, *colours = np.column_stack([xy, 1 - xy.sum(1)]) / xy[:, 1:]  # with luminance 1
    columns = np.stack(colours, axis=1)
    return columns * np.linalg.solve(columns, white)


def _to_srgb_light(points: Chromaticities) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to linear sRGB, with white adapted by Bradford."""
    source, target = _to_xyz(points), _to_xyz(_BT709)
    cones = (_BRADFORD @ target.sum(1)) / (_BRADFORD @ source.sum(1))
    adapted = np.linalg.inv(_BRADFORD) @ (cones[:, None] * _BRADFORD)
    matrix: NDArray[np.float64] = np.linalg.solve(target, adapted @ source)
    if not np.isfinite(matrix).all():
        raise ValueError("primaries on one line")
    return matrix
