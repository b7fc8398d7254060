"""Choose the device and the number format of a job by what the machine can do.

Chosen once at the start of a job and passed down; every choice can be overridden.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import TypedDict

import psutil
import torch

from impasto.errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16")


class Place(TypedDict, total=False):
    """Where a job shall run, in a user's words: the arguments of :func:`choose`, to be handed on.

    Attributes:
        device: See :func:`choose`.
        precision: See :func:`choose`.
        memory: See :class:`Runtime`.
    """

    device: str
    precision: str
    memory: int | None


@dataclass(frozen=True)
class Runtime:
    """Where and how a network runs.

    Attributes:
        device: The device of all tensors of a job.
        dtype: The number format of the networks; losses are float32 or better regardless.
        memory: Bytes that a picture may take on its way, beside what the process has already; None
            is half of what is free.
    """

    device: torch.device
    dtype: torch.dtype
    memory: int | None = None

    def room(self) -> int:
        """Bytes that a picture may take on its way, now."""
        if self.memory is not None:
            return self.memory
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0] // 2
        return psutil.virtual_memory().available // 2

    def describe(self) -> str:
        """The choice in words, as the command line prints it: ``cpu, bfloat16``."""
        return f"{self.device}, {str(self.dtype).removeprefix('torch.')}"


def choose(device: str = "auto", precision: str = "auto", memory: int | None = None) -> Runtime:
    """Choose device and precision by the machine's abilities, or check the caller's choice.

    Args:
        device: ``auto`` (CUDA, then Apple's MPS, then the processor) or a torch device string.
        precision: ``auto``, ``float32`` or ``bfloat16``. ``auto`` is bfloat16 where it is native:
            a processor with AVX512-BF16 or AMX, or a GPU that has it; float32 elsewhere.
        memory: See :class:`Runtime`.

    Raises:
        InputError: The device or the precision is unknown or not on this machine.
    """
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}: choose {', '.join(PRECISIONS)}")
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
        torch.ones(1, device=device).item()  # the meta device holds no values
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise InputError(f"device {name!r} is not on this machine: try cpu, cuda or mps") from error
    return device


def _has_native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Private names, so a torch without them only means the safe choice.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, probe, lambda: False)()) for probe in probes)


class _Bfloat16Products(AbstractContextManager[None]):
    """While inside, the CPU may round the factors of float32 matrix products to bfloat16.

    The switch is PyTorch's and for the whole process, so the way in and out is counted: the first
    in turns it on, the last out puts back what was there. Older versions lack it.
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
    """A context for float32 matrix products: as they are, or of bfloat16 numbers where it can.

    With ``fast`` each factor is rounded to bfloat16 first, and the sums are float32: exact where
    the factors came out of a bfloat16 network, about twice as fast where the processor has it.
    """
    return _BFLOAT16 if fast else nullcontext()
