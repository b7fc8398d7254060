"""Services that every other package uses: progress, devices, memory, interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impasto.core.lazy import exports

if TYPE_CHECKING:
    from impasto.core.device import Runtime
    from impasto.core.progress import Callback, Progress

__all__ = ["Callback", "Progress", "Runtime"]
_HOMES = {"Callback": "progress", "Progress": "progress", "Runtime": "device"}
__getattr__, __dir__ = exports(__name__, _HOMES, __all__)
