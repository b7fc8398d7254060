"""ONNX files that this package wrote: what they tell of themselves, and how they are run."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from impasto.errors import InputError, MissingExtraError, WeightsError
from impasto.models.checkpoint import Model

SUFFIX = ".onnx"

FORMAT = 1
_WORDS = ("method", "kind", "licence", "version", "predictor", "paints_with")


def library(name: str) -> ModuleType:
    """One of the libraries of the extra.

    Args:
        name: ``onnx``, ``onnxruntime`` or ``onnxscript``.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("an ONNX file", "onnx") from error


def facts(path: Path) -> dict[str, Any]:
    """What a file tells of itself, see docs/onnx.md.

    Raises:
        MissingExtraError: The library ``onnx`` is not installed.
        WeightsError: It is missing, damaged, or was not written by this package.
    """
    onnx = library("onnx")
    if not path.is_file():
        raise WeightsError(f"{path}: no such model")
    try:
        entries = onnx.load(path, load_external_data=False).metadata_props
        told = unfold({entry.key: entry.value for entry in entries})
    except Exception as error:  # of protobuf, of onnx, of the system, or none of JSON
        raise WeightsError(f"{path}: cannot be read as ONNX; export it again") from error
    kinds = {"method": str, "kind": str, "styles": list, "multiple": int, "card": dict}
    if told.get("impasto") != FORMAT:
        raise WeightsError(f"{path}: is no export of Impasto, or one of a newer version")
    if not all(isinstance(told.get(key), kind) for key, kind in kinds.items()):
        raise WeightsError(f"{path}: its header is damaged; export it again")
    if "paints_with" in told:
        raise InputError(f"{path} is a part of {told['paints_with']}: name that file")
    return told


def fold(told: Mapping[str, Any]) -> dict[str, str]:
    """Facts as the text that ONNX keeps: words as they are, all else as JSON."""
    return {
        key: value if key in _WORDS else json.dumps(value, ensure_ascii=False)
        for key, value in told.items()
    }


def unfold(told: Mapping[str, str]) -> dict[str, Any]:
    """What :func:`fold` folded.

    Example:
        >>> unfold(fold({"impasto": 1, "method": "cin", "styles": ["a", "b"]}))
        {'impasto': 1, 'method': 'cin', 'styles': ['a', 'b']}
    """
    if "impasto" not in told:
        return {}
    return {key: text if key in _WORDS else json.loads(text) for key, text in told.items()}


def header(path: Path) -> Model:
    """What a file tells of itself as a model without weights.

    Raises:
        MissingExtraError: The library ``onnx`` is not installed.
        WeightsError: See :func:`facts`.
    """
    told = facts(path)
    return Model(told["method"], {}, {}, tuple(told["styles"]), told["card"])


def session(source: Path | bytes, device: str = "auto") -> Any:
    """A graph that can be run: an ``onnxruntime.InferenceSession``.

    Args:
        source: A file, or what is in it.
        device: ``auto`` and ``cpu`` are the processor; ``cuda`` wants an ONNX Runtime that has it.

    Raises:
        InputError: The device is not there.
        MissingExtraError: The library ``onnxruntime`` is not installed.
        WeightsError: It is missing, damaged, or beyond this version of the library.
    """
    runtime = library("onnxruntime")
    name = "CUDA" if device.startswith("cuda") else "CPU"
    if name not in {"CUDA"} and device not in {"auto", "cpu"}:
        raise InputError(f"device {device!r}: an ONNX file runs on cpu or cuda")
    provider = f"{name}ExecutionProvider"
    if provider not in runtime.get_available_providers():
        raise InputError(f"this ONNX Runtime has no {name}: install onnxruntime-gpu, or take cpu")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    content = source if isinstance(source, bytes) else str(source)
    named = "the graph" if isinstance(source, bytes) else source
    try:
        return runtime.InferenceSession(content, options, providers=[provider])
    except Exception as error:  # its errors have no parent of their own
        raise WeightsError(f"{named}: ONNX Runtime cannot read it; export it again") from error
