"""Choose the device and the number format of a job from what the machine supports.

The choice is made once at the start of a job and passed down. The caller can override each part.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import TypedDict

import psutil
import torch

from impasto.errors import InputError, check_choice

PRECISIONS = ("auto", "float32", "bfloat16")


class Place(TypedDict, total=False):
    """Device, number format and memory budget that a caller asks for: arguments of :func:`choose`.

    Attributes:
        device: See :func:`choose`.
        precision: See :func:`choose`.
        memory: Memory budget in bytes, see :class:`Runtime`.
    """

    device: str
    precision: str
    memory: int | None


@dataclass(frozen=True)
class Runtime:
    """Device, number format and memory budget of a job.

    Attributes:
        device: The device of all tensors of a job.
        dtype: The number format of the networks; losses are always computed in float32 or better.
        memory: Memory budget in bytes for processing one image, on top of what the process uses
            already; None allows half of the free memory.
    """

    device: torch.device
    dtype: torch.dtype
    memory: int | None = None

    def memory_budget(self) -> int:
        """Return the memory budget for one image in bytes, as of now."""
        if self.memory is not None:
            return self.memory
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0] // 2
        return psutil.virtual_memory().available // 2

    def autocast(self) -> torch.autocast:
        """Return a context in which networks run in the number format."""
        reduced = self.dtype is not torch.float32
        return torch.autocast(self.device.type, self.dtype, enabled=reduced)

    def describe(self) -> str:
        """Return device and number format as the command line prints them: ``cpu, bfloat16``."""
        return f"{self.device}, {str(self.dtype).removeprefix('torch.')}"


def choose(device: str = "auto", precision: str = "auto", memory: int | None = None) -> Runtime:
    """Choose device and precision for this machine, or check the caller's choice.

    Args:
        device: ``auto`` (CUDA, else Apple's MPS, else the CPU) or a torch device string.
        precision: ``auto``, ``float32`` or ``bfloat16``. ``auto`` is bfloat16 where the hardware
            computes with it: a CPU with AVX512-BF16 or AMX, or a GPU that supports it; float32
            elsewhere.
        memory: Memory budget in bytes, see :class:`Runtime`.

    Raises:
        InputError: The device or the precision is unknown or not available on this machine.
    """
    check_choice("precision", precision, PRECISIONS)
    chosen = _device(device)
    if precision == "auto":
        dtype = torch.bfloat16 if _has_native_bfloat16(chosen) else torch.float32
    else:
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return Runtime(chosen, dtype, memory)


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()  # fails for the meta device, which stores no values
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise InputError(f"device {name!r} is not on this machine: try cpu, cuda or mps") from error
    return device


def _has_native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Private functions of torch: a version without them gets float32, which always works.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, probe, lambda: False)()) for probe in probes)


class _Bfloat16Products(AbstractContextManager[None]):
    """Context in which the CPU may round the factors of float32 matrix products to bfloat16.

    PyTorch has one switch for the whole process, so nested and concurrent uses are counted: the
    first to enter turns it on, the last to leave restores the earlier setting. PyTorch versions
    without the switch are left as they are.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._before = Lock(), 0, "none"

    def __enter__(self) -> None:
        settings = getattr(torch.backends.mkldnn, "matmul", None)
        with self._lock:
            if settings is not None and self._inside == 0:
                self._before = settings.fp32_precision
                settings.fp32_precision = "bf16"
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        settings = getattr(torch.backends.mkldnn, "matmul", None)
        with self._lock:
            self._inside -= 1
            if settings is not None and self._inside == 0:
                settings.fp32_precision = self._before


_BFLOAT16 = _Bfloat16Products()


def matrix_products(*, fast: bool) -> AbstractContextManager[object]:
    """Return a context for float32 matrix products, which may be faster and less precise.

    Args:
        fast: Round each factor to bfloat16 and sum in float32. This is exact where the factors come
            from a bfloat16 network, and about twice as fast on CPUs that support it; without that
            support the products stay float32.
    """
    return _BFLOAT16 if fast else nullcontext()
