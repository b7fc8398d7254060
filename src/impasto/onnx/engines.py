"""Run ONNX graphs in ONNX Runtime or in OpenVINO, behind one interface."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from impasto._version import __version__
from impasto.errors import InputError, WeightsError
from impasto.models import onnx_file
from impasto.nn import vgg_weights

Array = NDArray[np.float32]


class Engine(Protocol):
    """A graph that is ready to run; several threads may run it at once.

    Attributes:
        inputs: Names of its inputs.
    """

    inputs: tuple[str, ...]

    def run(self, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
        """Compute the outputs.

        Args:
            arrays: The inputs by name, contiguous float32; heights and widths may change from call
                to call.
        """


class OnnxRuntime:
    """A graph in ONNX Runtime, which computes in float32.

    Args:
        path: File of the graph.
        device: ``auto``, ``cpu`` or ``cuda``.
        bfloat16: Must be false.
        threads: Number of threads on the processor.

    Raises:
        InputError: The device or bfloat16 is not available.
        MissingExtraError: The library ``onnxruntime`` is not installed.
        WeightsError: See :func:`impasto.models.onnx_file.session`.
    """

    def __init__(self, path: Path, *, device: str, bfloat16: bool, threads: int) -> None:
        if bfloat16:
            raise InputError(f"ONNX Runtime runs {path.name} in float32: leave `precision` out")
        self._session = onnx_file.session(path, device, threads)
        self.inputs = tuple(one.name for one in self._session.get_inputs())

    def run(self, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
        """Compute the outputs, see :class:`Engine`."""
        return tuple(self._session.run(None, dict(arrays)))


class OpenVino:
    """A graph in OpenVINO, on the processor.

    It is compiled once for all sizes. The compiled graph is stored in the user's cache, in a folder
    named by the content of the file.

    Args:
        path: File of the graph.
        device: ``auto`` or ``cpu``.
        bfloat16: Compute in bfloat16 instead of float32.
        threads: Number of threads.

    Raises:
        InputError: The device or bfloat16 is not available.
        MissingExtraError: The library ``openvino`` is not installed.
        WeightsError: The file is missing or damaged.
    """

    def __init__(self, path: Path, *, device: str, bfloat16: bool, threads: int) -> None:
        if device not in {"auto", "cpu"}:
            raise InputError(f"device {device!r}: OpenVINO runs on cpu here, leave `device` out")
        library = onnx_file.library("openvino")
        with _CORE_LOCK:
            core = _core(library.Core)
        if bfloat16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise InputError("this processor has no bfloat16 for OpenVINO: leave `precision` out")
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": threads,
            # Several processes, each with a few threads, would all be bound to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        if not path.is_file():
            raise WeightsError(f"{path}: no such model")
        try:
            self._graph = _compiled(core, path, options, library.__version__)
        except Exception as error:  # its errors share no base class but this
            raise WeightsError(f"{path}: OpenVINO cannot read it; export it again") from error
        self.inputs = tuple(one.get_any_name() for one in self._graph.inputs)

    def run(self, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
        """Compute the outputs, see :class:`Engine`."""
        request = self._graph.create_infer_request()  # one for each call: it holds the results
        return tuple(request.infer(dict(arrays), share_inputs=True).values())


_CORE_LOCK = Lock()


@cache
def _core(create: Callable[[], Any]) -> Any:
    """Return the one Core of this process, which lives as long as the process.

    Each Core gives its thread an alternate stack for signal handlers, and restores the previous one
    when it is freed. If Cores are freed in the order of their creation, that is the freed stack of
    an earlier Core, and the next signal, such as Ctrl-C, is a segmentation fault.
    """
    return create()


_ENGINES: dict[str, Callable[..., Engine]] = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}
ENGINES = tuple(_ENGINES)


def open_engine(
    name: str, path: Path, *, device: str = "auto", bfloat16: bool = False, threads: int = 0
) -> Engine:
    """Make a graph ready to run in an engine.

    Args:
        name: One of ``ENGINES``.
        path: File of the graph.
        device: ``auto``, ``cpu`` or, for ONNX Runtime, ``cuda``.
        bfloat16: Compute in bfloat16, which OpenVINO can.
        threads: Number of threads on the processor; 0 leaves it to the engine.

    Raises:
        InputError: The engine does not have the device or the number format.
        MissingExtraError: The engine's library is not installed.
        WeightsError: The file is missing or damaged.
    """
    return _ENGINES[name](path, device=device, bfloat16=bfloat16, threads=threads)


def cache_folder(path: Path) -> Path:
    """Return the folder in the user's cache for what is derived from a file, named by its content.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return vgg_weights.cache_dir() / "onnx" / f"{digest}-{__version__}"


def _compiled(core: Any, path: Path, options: Mapping[str, Any], version: str) -> Any:
    """Compile a graph with OpenVINO, or load it from the cache, where it is stored if possible."""
    own = path.is_relative_to(vgg_weights.cache_dir() / "onnx")  # such a folder already
    folder = path.parent if own else cache_folder(path)
    compiled = folder / f"openvino-{version.partition('-')[0]}"
    try:
        compiled.mkdir(parents=True, exist_ok=True)
        with FileLock(compiled / f"{path.stem}.lock"):
            return core.compile_model(path, "CPU", {**options, "CACHE_DIR": str(compiled)})
    except (OSError, RuntimeError):  # a cache that cannot be written, or is damaged
        return core.compile_model(path, "CPU", dict(options))
