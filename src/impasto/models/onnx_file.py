"""Read the metadata of ONNX files that this package exported, and run them."""

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
_TEXT_KEYS = ("method", "kind", "licence", "version", "predictor", "paints_with")


def library(name: str) -> ModuleType:
    """Import one of the libraries for ONNX files, which are optional dependencies.

    Args:
        name: ``onnx``, ``onnxruntime``, ``onnxscript`` or ``openvino``.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if name == "openvino":
            raise MissingExtraError("the runtime openvino", "openvino") from error
        raise MissingExtraError("an ONNX file", "onnx") from error


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of an exported file, see docs/onnx.md.

    Raises:
        InputError: The file is a part of another export, which should be named instead.
        MissingExtraError: The library ``onnx`` is not installed.
        WeightsError: The file is missing, damaged, or was not written by this package.
    """
    onnx = library("onnx")
    if not path.is_file():
        raise WeightsError(f"{path}: no such model")
    try:
        entries = onnx.load(path, load_external_data=False).metadata_props
        metadata = from_strings({entry.key: entry.value for entry in entries})
    except Exception as error:  # protobuf, onnx, the file system or JSON may fail
        raise WeightsError(f"{path}: cannot be read as ONNX; export it again") from error
    kinds = {"method": str, "kind": str, "styles": list, "multiple": int, "card": dict}
    if metadata.get("impasto") != FORMAT:
        raise WeightsError(f"{path}: is no export of Impasto, or one of a newer version")
    if not all(isinstance(metadata.get(key), kind) for key, kind in kinds.items()):
        raise WeightsError(f"{path}: its header is damaged; export it again")
    if "paints_with" in metadata:
        raise InputError(f"{path} is a part of {metadata['paints_with']}: name that file")
    return metadata


def to_strings(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Convert metadata to the strings that ONNX stores: text as it is, anything else as JSON."""
    return {
        key: value if key in _TEXT_KEYS else json.dumps(value, ensure_ascii=False)
        for key, value in metadata.items()
    }


def from_strings(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Convert the strings of :func:`to_strings` back; empty for a file of another program.

    Example:
        >>> from_strings(to_strings({"impasto": 1, "method": "cin", "styles": ["a", "b"]}))
        {'impasto': 1, 'method': 'cin', 'styles': ['a', 'b']}
    """
    if "impasto" not in metadata:
        return {}
    return {key: text if key in _TEXT_KEYS else json.loads(text) for key, text in metadata.items()}


def read_header(path: Path) -> Model:
    """Return the metadata of an exported file as a :class:`Model` without weights.

    Raises:
        InputError: See :func:`read_metadata`.
        MissingExtraError: The library ``onnx`` is not installed.
        WeightsError: See :func:`read_metadata`.
    """
    metadata = read_metadata(path)
    return Model(metadata["method"], {}, {}, tuple(metadata["styles"]), metadata["card"])


def session(source: Path | bytes, device: str = "auto", threads: int = 0) -> Any:
    """Open a graph for inference as an ``onnxruntime.InferenceSession``.

    Args:
        source: A file, or its content.
        device: ``auto`` and ``cpu`` run on the CPU; ``cuda`` needs an ONNX Runtime with CUDA.
        threads: Number of threads on the CPU; 0 is one for each core.

    Raises:
        InputError: The device is not available.
        MissingExtraError: The library ``onnxruntime`` is not installed.
        WeightsError: The file is missing, damaged, or too new for this version of the library.
    """
    runtime = library("onnxruntime")
    name = "CUDA" if device.startswith("cuda") else "CPU"
    if name not in {"CUDA"} and device not in {"auto", "cpu"}:
        raise InputError(f"device {device!r}: an ONNX file runs on cpu or cuda")
    provider = f"{name}ExecutionProvider"
    if provider not in runtime.get_available_providers():
        raise InputError(f"this ONNX Runtime has no {name}: install onnxruntime-gpu, or take cpu")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = threads
    content = source if isinstance(source, bytes) else str(source)
    named = "the graph" if isinstance(source, bytes) else source
    try:
        return runtime.InferenceSession(content, options, providers=[provider])
    except Exception as error:  # its errors share no base class but this
        raise WeightsError(f"{named}: ONNX Runtime cannot read it; export it again") from error
