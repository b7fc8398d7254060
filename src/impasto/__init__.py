"""Impasto: neural style transfer, the whole lineage in one package.

>>> import impasto
>>> impasto.stylize("photo.jpg", "painting.jpg").save("out.png")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from impasto._version import __version__

if TYPE_CHECKING:
    from impasto.controls import Controls
    from impasto.errors import ImpastoError, InputError, InterruptedRun
    from impasto.image import Picture, load, save
    from impasto.inspection import invert, ladder
    from impasto.pipeline import build, stylize, synthesize
    from impasto.progress import Progress
    from impasto.style import Style

# nothing heavy is imported until one of these names is used
_HOMES = {
    "Controls": "controls",
    "ImpastoError": "errors",
    "InputError": "errors",
    "InterruptedRun": "errors",
    "Picture": "image",
    "Progress": "progress",
    "Style": "style",
    "build": "pipeline",
    "invert": "inspection",
    "ladder": "inspection",
    "load": "image",
    "save": "image",
    "stylize": "pipeline",
    "synthesize": "pipeline",
}

__all__ = [
    "Controls",
    "ImpastoError",
    "InputError",
    "InterruptedRun",
    "Picture",
    "Progress",
    "Style",
    "__version__",
    "build",
    "invert",
    "ladder",
    "load",
    "save",
    "stylize",
    "synthesize",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    return getattr(importlib.import_module(f"impasto.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
