"""What ends a job early: Ctrl-C, the signals that ask the same, a memory that is full."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from impasto.core.progress import Callback, Progress
from impasto.errors import CancelledError, ImpastoError

# As schedulers, "docker stop" and "kill" ask; and what a process gets whose terminal has gone.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruptible(Protocol):
    """A job that can be asked to end."""

    interrupted: bool


@contextmanager
def interruptible(job: Interruptible) -> Iterator[Callback]:
    """A listener that cancels after the first signal; the second one is a KeyboardInterrupt."""

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
def as_ctrl_c() -> Iterator[None]:
    """Make each of the signals a KeyboardInterrupt, for what ends cleanly at one."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield


@contextmanager
def in_words() -> Iterator[None]:
    """Turn Ctrl-C and a full memory into errors of the package."""
    try:
        yield
    except KeyboardInterrupt:
        raise CancelledError("cancelled, nothing written") from None
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        raise ImpastoError("not enough memory for this: try a smaller `size`") from error


def _out_of_memory(error: Exception) -> bool:
    # torch's allocators raise plain RuntimeErrors on some devices
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


@contextmanager
def _handled(interrupt: Callable[[], None]) -> Iterator[None]:
    terminals = _terminals()

    def handle(number: int, frame: FrameType | None) -> None:
        for descriptor in set(terminals) - set(_terminals()):  # it has gone: nowhere else to write
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), descriptor)
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
    """Those of standard output and standard error that are a terminal."""
    return [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
