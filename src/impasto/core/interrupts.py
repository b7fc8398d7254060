"""Handle what ends a job early: Ctrl-C, termination signals, exhausted memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from impasto.core.progress import Callback, Progress
from impasto.errors import CancelledError, ImpastoError

# SIGTERM comes from schedulers, "docker stop" and "kill"; SIGHUP when the terminal is closed.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruptible(Protocol):
    """A job that can be asked to stop.

    Attributes:
        interrupted: Whether it has been asked to stop.
    """

    interrupted: bool


@contextmanager
def interruptible(job: Interruptible) -> Iterator[Callback]:
    """Yield a callback that cancels the job after the first signal; a second one raises.

    Args:
        job: Its ``interrupted`` is set by the first signal.

    Raises:
        KeyboardInterrupt: At the second signal.
    """

    def note(progress: Progress) -> None:
        if job.interrupted:
            progress.cancel()

    def interrupt() -> None:
        if job.interrupted:
            raise KeyboardInterrupt
        job.interrupted = True

    with _handled(interrupt):
        yield note


@contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into KeyboardInterrupt inside the context."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn Ctrl-C and exhausted memory into errors of the package.

    Raises:
        CancelledError: Ctrl-C was pressed.
        ImpastoError: The memory did not suffice.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise CancelledError("cancelled, nothing written") from None
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        raise ImpastoError("not enough memory for this: try a smaller `size`") from error


def _out_of_memory(error: Exception) -> bool:
    # On some devices torch's allocators raise a plain RuntimeError.
    phrases = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in phrases)


@contextmanager
def _handled(interrupt: Callable[[], None]) -> Iterator[None]:
    terminals = _terminals()

    def handle(number: int, frame: FrameType | None) -> None:
        for descriptor in set(terminals) - set(_terminals()):  # was closed: discard the output
            with open(os.devnull, "wb") as null:
                os.dup2(null.fileno(), descriptor)
        interrupt()

    before = {}
    try:
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                before[number] = signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminals() -> list[int]:
    """Return the file descriptors of standard output and standard error that are terminals."""
    return [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
