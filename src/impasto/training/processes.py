"""The processes of one training, one or several, by Hugging Face Accelerate.

All that is asked of Accelerate is asked here. Its state is the process's, not the training's: see
:func:`_accelerator`. Its mixed precision patches the ``forward`` of a module, which is used without
it afterwards, so :class:`Reduced` stands here instead.
"""

from __future__ import annotations

import atexit
import gc
import os
import time
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import ImpastoError, InputError, MissingExtraError

T = TypeVar("T")


def local(runtime: Runtime) -> Runtime:
    """The runtime of this process: of several on one machine, each has its own GPU.

    Call it before a task is built, whose own networks lie where its runtime says.

    Example:
        >>> local(Runtime(torch.device("cpu"), torch.float32)).device
        device(type='cpu')
    """
    rank = os.environ.get("LOCAL_RANK", "")
    if str(runtime.device) != "cuda" or not rank.isdecimal():  # "cuda:1" is the caller's own choice
        return runtime
    return Runtime(torch.device("cuda", int(rank)), runtime.dtype)


class Processes:
    """All processes of a training, seen from one of them.

    Args:
        runtime: Where this one computes, and in which format.

    Attributes:
        rank: The number of this process.
        world: How many there are.
        main: Whether this is the one that writes and reports.
        device: Where this one computes.

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
        alone = self.world == 1  # then a device that the caller chose by number counts
        self.device: torch.device = runtime.device if alone else self._accelerator.device
        self._dtype = runtime.dtype

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module as it is called in training: in the runtime's format, gradients joined.

        The module itself is left as it is, and its weights are the ones that learn.
        """
        reduced = self._dtype is not torch.float32
        inner = Reduced(module, self.device.type, self._dtype) if reduced else module
        with warnings.catch_warnings():
            # Newer versions of torch have another name for what _accelerator asks for.
            warnings.simplefilter("ignore", FutureWarning)
            wrapped: nn.Module = self._accelerator.prepare_model(inner, device_placement=False)
        self.share_buffers(module)
        return wrapped

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process the main one's buffers, such as the running means of batch norms."""
        if self.world > 1:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)

    def autocast(self) -> torch.autocast:
        """A context in which networks run in the runtime's format."""
        return torch.autocast(
            self.device.type, self._dtype, enabled=self._dtype is not torch.float32
        )

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self._accelerator.backward(loss)

    def mean(self, values: Tensor) -> list[float]:
        """The means of a vector of values over all processes."""
        if self.world > 1:
            values = self._accelerator.reduce(values, "mean")
        numbers: list[float] = values.tolist()
        return numbers

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.world == 1:
            return flag
        return self.mean(torch.tensor([float(flag)], device=self.device))[0] > 0

    def union(self, items: Iterable[str]) -> list[str]:
        """What any process has, sorted."""
        everyone = set(items)
        if self.world > 1:
            from accelerate.utils import gather_object

            everyone = set(gather_object(sorted(everyone)))
        return sorted(everyone)

    def from_main(self, make: Callable[[], T]) -> T:
        """What the main process makes, in all of them: others may not see its disk.

        Raises:
            ImpastoError: What the main process failed with.
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
    """A module that computes in another format, and answers in float32.

    Args:
        module: Its weights stay float32.
        device: Type of the device that it runs on.
        dtype: The format.
    """

    def __init__(self, module: nn.Module, device: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.module = module
        self._device, self._dtype = device, dtype

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's answer."""
        with torch.autocast(self._device, self._dtype):
            answer = self.module(*args, **kwargs)
        return _to_float32(answer)


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
    """An Accelerator, though one of another device or precision may live in this process."""
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import DistributedDataParallelKwargs
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    on_cpu = device.type == "cpu"
    state = AcceleratorState._shared_state
    if state and (state.get("_mixed_precision") != "no" or state["device"].type != device.type):
        # It refuses a second Accelerator of another kind, even after the first has gone.
        AcceleratorState._reset_state(reset_partial_state=True)
    # Buffers go round at the start and at the end. Sending them before each pass as well gains
    # nothing, and breaks a loss that calls the module twice.
    calls = DistributedDataParallelKwargs(broadcast_buffers=False)
    return Accelerator(
        cpu=on_cpu, mixed_precision="no", device_placement=False, kwargs_handlers=[calls]
    )


@cache
def _end_in_order() -> None:
    """Leave the group when the interpreter ends, and only then let it end."""
    atexit.register(_leave)


def _leave() -> None:
    """End this process's part in the group.

    Gloo's threads may still hold tensors of their last work, and freeing those takes the
    interpreter: a thread that asks for it once it is closing takes the whole process down
    (SIGABRT), long after all is written.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    gc.collect()
    time.sleep(0.1)  # other threads have the interpreter meanwhile
