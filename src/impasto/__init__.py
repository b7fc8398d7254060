"""Provide the methods of neural style transfer in one package.

>>> import impasto
>>> impasto.stylize("photo.jpg", "painting.jpg").save("out.png")  # doctest: +SKIP

Submodules are imported when one of the names is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from impasto._version import __version__
from impasto.core.lazy import exports

if TYPE_CHECKING:
    from impasto.api.add_style import add_style
    from impasto.api.encode import encode
    from impasto.api.invert import invert, ladder
    from impasto.api.load import get_method, list_models, load_model
    from impasto.api.options import Controls
    from impasto.api.specialize import specialize
    from impasto.api.stylize import stylize
    from impasto.api.synthesize import synthesize
    from impasto.api.train import train
    from impasto.api.upscale import upscale
    from impasto.batch import stylize_folder
    from impasto.core.progress import Progress
    from impasto.errors import (
        CancelledError,
        DivergedError,
        ImpastoError,
        InputError,
        InterruptedRun,
        MissingExtraError,
        PassedOverError,
        TooSmallError,
        WeightsError,
    )
    from impasto.evaluation.compare import compare
    from impasto.evaluation.evaluate import evaluate
    from impasto.image import Image, load, save
    from impasto.losses.registry import register_loss
    from impasto.methods.registry import list_methods, register_method
    from impasto.methods.style import Style
    from impasto.nn.vgg import Encoder
    from impasto.onnx.exporter import export
    from impasto.video import stylize_video

__all__ = [
    "CancelledError",
    "Controls",
    "DivergedError",
    "Encoder",
    "Image",
    "ImpastoError",
    "InputError",
    "InterruptedRun",
    "MissingExtraError",
    "PassedOverError",
    "Progress",
    "Style",
    "TooSmallError",
    "WeightsError",
    "__version__",
    "add_style",
    "compare",
    "encode",
    "evaluate",
    "export",
    "get_method",
    "invert",
    "ladder",
    "list_methods",
    "list_models",
    "load",
    "load_model",
    "register_loss",
    "register_method",
    "save",
    "specialize",
    "stylize",
    "stylize_folder",
    "stylize_video",
    "synthesize",
    "train",
    "upscale",
]

_HOMES = {
    "CancelledError": "errors",
    "Controls": "api.options",
    "DivergedError": "errors",
    "Encoder": "nn.vgg",
    "Image": "image",
    "ImpastoError": "errors",
    "InputError": "errors",
    "InterruptedRun": "errors",
    "MissingExtraError": "errors",
    "PassedOverError": "errors",
    "Progress": "core.progress",
    "Style": "methods.style",
    "TooSmallError": "errors",
    "WeightsError": "errors",
    "add_style": "api.add_style",
    "compare": "evaluation.compare",
    "encode": "api.encode",
    "evaluate": "evaluation.evaluate",
    "export": "onnx.exporter",
    "get_method": "api.load",
    "invert": "api.invert",
    "ladder": "api.invert",
    "list_methods": "methods.registry",
    "list_models": "api.load",
    "load": "image",
    "load_model": "api.load",
    "register_loss": "losses.registry",
    "register_method": "methods.registry",
    "save": "image",
    "specialize": "api.specialize",
    "stylize": "api.stylize",
    "stylize_folder": "batch",
    "stylize_video": "video",
    "synthesize": "api.synthesize",
    "train": "api.train",
    "upscale": "api.upscale",
}

__getattr__, __dir__ = exports(__name__, _HOMES, __all__)
