"""Impasto: neural style transfer, the whole lineage in one package.

>>> import impasto
>>> impasto.stylize("photo.jpg", "painting.jpg").save("out.png")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from impasto._version import __version__

if TYPE_CHECKING:
    from impasto.api.controls import Controls
    from impasto.api.invert import invert, ladder
    from impasto.api.stylize import build, stylize, synthesize
    from impasto.core.progress import Progress
    from impasto.errors import ImpastoError, InputError, InterruptedRun
    from impasto.image import Picture, load, save
    from impasto.methods.style import Style

# nothing heavy is imported until one of these names is used
_HOMES = {
    "Controls": "api.controls",
    "ImpastoError": "errors",
    "InputError": "errors",
    "InterruptedRun": "errors",
    "Picture": "image",
    "Progress": "core.progress",
    "Style": "methods.style",
    "build": "api.stylize",
    "invert": "api.invert",
    "ladder": "api.invert",
    "load": "image",
    "save": "image",
    "stylize": "api.stylize",
    "synthesize": "api.stylize",
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
