"""Detect whether decoded frames are HDR, and read the peak luminance of a clip."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from impasto.image.hdr import BT709, BT2020, DISPLAY_P3, HLG, PEAK, PQ, WHITE, Hdr

if TYPE_CHECKING:
    from av import VideoFrame

_UNKNOWN = 2  # AVColorTransferCharacteristic
_MAX_PEAK = 10000.0  # the peak of PQ, in cd/m²


def detect_hdr(frame: VideoFrame, transfer: int) -> Hdr | None:
    """Return the HDR signal of a clip, or None for an SDR clip.

    Args:
        frame: The first of the clip.
        transfer: The clip's transfer characteristic, as FFmpeg numbers them, used if the frame has
            none.
    """
    own = int(frame.color_trc)
    transfer = transfer if own == _UNKNOWN else own
    if transfer not in {PQ, HLG}:
        return None
    primaries = int(frame.color_primaries)
    primaries = primaries if primaries in {BT709, DISPLAY_P3} else BT2020
    return Hdr(transfer, primaries, _peak(frame.side_data) if transfer == PQ else PEAK)


def _peak(side_data: Iterable[Any]) -> float:
    """Return the peak luminance in cd/m²: MaxCLL, else that of the mastering display."""
    data = {str(one.type.name): bytes(one) for one in side_data}
    found = 0.0
    level = data.get("CONTENT_LIGHT_LEVEL", b"")  # two unsigned integers, MaxCLL first
    if len(level) >= 8:
        found = float(struct.unpack_from("=I", level)[0])
    display = data.get("MASTERING_DISPLAY_METADATA", b"")
    if not found and len(display) >= 88:  # ten fractions, then two flags, the last for luminance
        top, bottom, _, known = struct.unpack_from("=4i", display, 72)
        found = top / bottom if known and bottom else 0.0
    return min(max(found, WHITE), _MAX_PEAK) if found > 0 else PEAK
