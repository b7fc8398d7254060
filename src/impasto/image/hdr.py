"""Tone-map HDR signals, PQ and HLG, to SDR in BT.709.

ITU-R BT.2100-2 defines the two signals, BT.2408 the 203 cd/m² of reference white (58% of PQ, 75%
of HLG), BT.2390 the tone curve (section 5.4.1), BT.1886 the display of SDR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

PQ, HLG = 16, 18  # AVColorTransferCharacteristic
BT709, BT2020, DISPLAY_P3 = 1, 9, 12  # AVColorPrimaries
WHITE = 203.0  # cd/m² of reference white, which maps to SDR's white
PEAK = 1000.0  # cd/m² of HLG's nominal display, and assumed for PQ without metadata
_PQ_PEAK = 10000.0
_GAMMA = 2.4  # gamma of SDR's display

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_HLG_GAMMA = 1.2  # system gamma on a display of 1000 cd/m²
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # BT.2020: red, green, blue

# red, green, blue as (x, y) of CIE 1931; all with the white D65
_CHROMATICITIES = {
    BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)


@dataclass(frozen=True)
class Hdr:
    """An HDR signal: transfer function, primaries and peak.

    Attributes:
        transfer: `PQ` or `HLG`.
        primaries: `BT2020`, `DISPLAY_P3` or `BT709`.
        peak: Luminance in cd/m² above which values are clipped.
    """

    transfer: int
    primaries: int = BT2020
    peak: float = PEAK

    @property
    def name(self) -> str:
        """Return the name of the transfer function."""
        return "PQ" if self.transfer == PQ else "HLG"


def pq_to_nits(signal: Floats) -> Floats:
    """Convert a PQ signal in [0, 1] to luminance in cd/m² (SMPTE ST 2084, EOTF)."""
    power = np.power(signal, 1 / _M2)
    return _PQ_PEAK * np.power(np.maximum(power - _C1, 0) / (_C2 - _C3 * power), 1 / _M1)


def nits_to_pq(nits: Floats) -> Floats:
    """Convert luminance in cd/m² to a PQ signal in [0, 1] (SMPTE ST 2084, inverse EOTF)."""
    power = np.power(np.maximum(nits, 0) / _PQ_PEAK, _M1)
    return np.power((_C1 + _C2 * power) / (1 + _C3 * power), _M2)


def hlg_to_scene(signal: Floats) -> Floats:
    """Convert an HLG signal in [0, 1] to scene light in [0, 1] (BT.2100, inverse OETF)."""
    low, high = np.square(signal) / 3, (np.exp((signal - _C) / _A) + _B) / 12
    return np.where(signal <= 0.5, low, high)


def scene_to_nits(scene: Floats) -> Floats:
    """Convert HLG scene light (..., 3) to cd/m² on a display of 1000 cd/m² (BT.2100, OOTF)."""
    luminance = scene @ _LUMINANCE
    return scene * (PEAK * np.power(luminance, _HLG_GAMMA - 1))[..., None]


def tone_curve(nits: Floats, peak: float, target: float = WHITE) -> Floats:
    """Compress luminance from [0, peak] to [0, target] by the EETF of BT.2390, section 5.4.1.

    Values below a knee are unchanged; above it a Hermite spline in PQ values ends at the target.

    Args:
        nits: Luminance in cd/m².
        peak: Peak of the source in cd/m²; brighter values become `target`.
        target: Peak of the result in cd/m².
    """
    if peak <= target:
        return np.minimum(nits, target)
    top, most = (float(nits_to_pq(np.array(value))) for value in (peak, target))
    most /= top
    knee = 1.5 * most - 0.5
    relative = np.minimum(nits_to_pq(nits) / top, 1)
    t = np.maximum(relative - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * most
    )
    return np.where(relative < knee, nits, pq_to_nits(spline * top))


@cache
def to_bt709(primaries: int) -> Floats:
    """Return the matrix (3, 3) from linear RGB of other primaries to linear RGB of BT.709."""
    return np.linalg.solve(_to_xyz(BT709), _to_xyz(primaries)).astype(np.float32)


def _to_xyz(primaries: int) -> Floats:
    """Return the matrix from linear RGB to CIE XYZ, with a Y of 1 for white."""
    columns = np.array([_xyz(point) for point in _CHROMATICITIES[primaries]]).T
    return columns * np.linalg.solve(columns, _xyz(_D65))


def _xyz(point: Sequence[float]) -> Floats:
    x, y = point
    return np.array([x / y, 1, (1 - x - y) / y])


def to_sdr(pixels: NDArray[np.uint16], hdr: Hdr, rows: int = 128) -> NDArray[np.float32]:
    """Tone-map a frame to BT.709 SDR.

    `tone_curve` is applied to the largest of a pixel's three channels, and all three are scaled by
    the same factor, which preserves hue and saturation. Then the primaries are converted to BT.709,
    with clipping. The result is encoded for a display of gamma 2.4 with a black of 0 (BT.1886).

    Args:
        pixels: (H, W, 3), R'G'B' of the HDR signal, 0 to 65535.
        hdr: The kind of signal.
        rows: Number of rows that are converted at once; bounds the memory.

    Returns:
        (H, W, 3), R'G'B' in [0, 1].
    """
    light, gain, encoded = _light(hdr.transfer), _gain(hdr.peak), _encoded()
    shown = np.empty(pixels.shape, np.float32)
    for top in range(0, len(pixels), rows):
        nits = light[pixels[top : top + rows]]
        if hdr.transfer == HLG:
            nits = scene_to_nits(nits)
        relative = np.minimum(nits.max(axis=2) / np.float32(hdr.peak), 1)
        mapped = np.minimum(nits, np.float32(hdr.peak)) * _look_up(gain, relative)[..., None]
        linear = np.clip(mapped @ to_bt709(hdr.primaries).T, 0, 1).astype(np.float32)
        shown[top : top + rows] = _look_up(encoded, linear)
    return shown


# Powers are slow, so functions on [0, 1] are tabulated, at squares for precision near 0.
_STEPS = np.square(np.arange(65536) / 65535)


def _look_up(table: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    indices = np.sqrt(values) * np.float32(65535) + np.float32(0.5)
    return np.take(table, indices.astype(np.uint16))


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Return the light for each 16-bit code: cd/m² for PQ, scene light for HLG."""
    curve: Callable[[Floats], Floats] = pq_to_nits if transfer == PQ else hlg_to_scene
    return curve(np.arange(65536) / 65535).astype(np.float32)


@cache
def _gain(peak: float) -> NDArray[np.float32]:
    """Return the factors from cd/m² to SDR's linear light, at squares of fractions of the peak."""
    nits = np.maximum(_STEPS * peak, 1e-9)
    return (tone_curve(nits, peak) / nits / WHITE).astype(np.float32)


@cache
def _encoded() -> NDArray[np.float32]:
    return np.power(_STEPS, 1 / _GAMMA).astype(np.float32)
