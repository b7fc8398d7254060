"""Train in one or several processes through Hugging Face Accelerate.

Only this module uses Accelerate. Its state belongs to the process and not to one training, see
:func:`_accelerator`. Its mixed precision changes the ``forward`` of a module for good, so
:class:`Reduced` is used instead.
"""

from __future__ import annotations

import atexit
import gc
import os
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import ImpastoError, InputError, MissingExtraError

T = TypeVar("T")


def local(runtime: Runtime) -> Runtime:
    """Return the runtime of this process; each of several on one machine gets its own GPU.

    Call it before building a task, which creates its networks on the device of the runtime.

    Example:
        >>> local(Runtime(torch.device("cpu"), torch.float32)).device
        device(type='cpu')
    """
    rank = os.environ.get("LOCAL_RANK", "")
    if str(runtime.device) != "cuda" or not rank.isdecimal():  # an explicit "cuda:1" is kept
        return runtime
    return replace(runtime, device=torch.device("cuda", int(rank)))


class Processes:
    """The group of processes of a training, as seen from one of them.

    Args:
        runtime: Device and number format of this process.

    Attributes:
        rank: Index of this process.
        world: Number of processes.
        main: Whether this is the process that writes files and reports.
        device: Device of this process.

    Raises:
        MissingExtraError: The library ``accelerate`` is not installed.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._accelerator = _accelerator(runtime.device)
        self.rank: int = self._accelerator.process_index
        self.world: int = self._accelerator.num_processes
        self.main = self.rank == 0
        if self.world > 1:
            _end_in_order()
        alone = self.world == 1  # then the caller's choice such as "cuda:1" is used
        self.device: torch.device = runtime.device if alone else self._accelerator.device
        self._dtype = runtime.dtype

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return a module for training, with the runtime's number format and averaged gradients.

        The original module is not changed; it shares its weights with the result.
        """
        reduced = self._dtype is not torch.float32
        inner = Reduced(module, self.device.type, self._dtype) if reduced else module
        with warnings.catch_warnings():
            # Newer versions of torch have renamed the option that _accelerator sets.
            warnings.simplefilter("ignore", FutureWarning)
            wrapped: nn.Module = self._accelerator.prepare_model(inner, device_placement=False)
        self.share_buffers(module)
        return wrapped

    def share_buffers(self, module: nn.Module) -> None:
        """Copy the main process's buffers, such as batch norm statistics, to all processes."""
        if self.world > 1:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)

    def autocast(self) -> torch.autocast:
        """Return a context in which networks run in the runtime's number format."""
        return torch.autocast(
            self.device.type, self._dtype, enabled=self._dtype is not torch.float32
        )

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to those of the weights."""
        self._accelerator.backward(loss)

    def mean(self, values: Tensor) -> list[float]:
        """Return the means of a vector of values over all processes."""
        if self.world > 1:
            values = self._accelerator.reduce(values, "mean")
        numbers: list[float] = values.tolist()
        return numbers

    def any(self, flag: bool) -> bool:
        """Check whether the flag is set in any process."""
        if self.world == 1:
            return flag
        return self.mean(torch.tensor([float(flag)], device=self.device))[0] > 0

    def union(self, items: Iterable[str]) -> list[str]:
        """Return the sorted union of the items of all processes."""
        everyone = set(items)
        if self.world > 1:
            from accelerate.utils import gather_object

            everyone = set(gather_object(sorted(everyone)))
        return sorted(everyone)

    def from_main(self, make: Callable[[], T]) -> T:
        """Return in all processes what ``make`` returns in the main one.

        The other processes may have no access to the main process's disk.

        Raises:
            ImpastoError: ``make`` failed in the main process.
        """
        if self.world == 1:
            return make()
        from accelerate.utils import broadcast_object_list

        box: list[Any] = [None, None, None]
        if self.main:
            try:
                box = [make(), None, None]
            except ImpastoError as error:
                box = [None, str(error), isinstance(error, InputError)]
        made, failure, ours = broadcast_object_list(box)
        if failure is not None:
            raise (InputError if ours else ImpastoError)(failure)
        return made


class Reduced(nn.Module):
    """Wraps a module to compute in a reduced number format and to return float32.

    Args:
        module: Its weights stay float32.
        device: Type of the device that it runs on.
        dtype: The reduced format.
    """

    def __init__(self, module: nn.Module, device: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.module = module
        self._device, self._dtype = device, dtype

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output of the module in float32."""
        with torch.autocast(self._device, self._dtype):
            result = self.module(*args, **kwargs)
        return _to_float32(result)


def _to_float32(answer: Any) -> Any:
    if isinstance(answer, Tensor):
        return answer.float() if answer.is_floating_point() else answer
    if isinstance(answer, dict):
        return {name: _to_float32(part) for name, part in answer.items()}
    if isinstance(answer, list | tuple):
        parts = [_to_float32(part) for part in answer]
        named = hasattr(answer, "_fields")
        return type(answer)(*parts) if named else type(answer)(parts)
    return answer


def _accelerator(device: torch.device) -> Any:
    """Return a new Accelerator, even if one of another device or precision exists."""
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import DistributedDataParallelKwargs
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    on_cpu = device.type == "cpu"
    state = AcceleratorState._shared_state
    if state and (state.get("_mixed_precision") != "no" or state["device"].type != device.type):
        # Accelerate refuses a second Accelerator of another kind, even after the first is deleted.
        AcceleratorState._reset_state(reset_partial_state=True)
    # Buffers are shared at the start and at the end. Sharing them before each forward pass gains
    # nothing, and fails if a loss calls the module twice.
    calls = DistributedDataParallelKwargs(broadcast_buffers=False)
    return Accelerator(
        cpu=on_cpu, mixed_precision="no", device_placement=False, kwargs_handlers=[calls]
    )


@cache
def _end_in_order() -> None:
    """Leave the process group when the interpreter exits."""
    atexit.register(_leave)


def _leave() -> None:
    """Leave the process group.

    Gloo's threads may still hold tensors, and freeing them needs Python's interpreter lock. A
    thread that requests the lock while the interpreter shuts down aborts the process (SIGABRT),
    even though all files are written.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    gc.collect()
    time.sleep(0.1)  # lets other threads take the interpreter lock
