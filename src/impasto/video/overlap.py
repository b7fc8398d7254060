"""Overlap the steps of a video: frames are decoded ahead, and stored and encoded behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError

Pixels = NDArray[np.uint8]  # (H, W, 3 or 4)
T = TypeVar("T")

_DEPTH = 2  # items that wait between two steps
_END: Any = object()


def ahead(items: Iterator[T], depth: int = _DEPTH) -> Generator[T, None, None]:
    """Yield the items of an iterator that runs in a thread, a few items ahead.

    An exception of the iterator is raised where its item would have come. Closing this generator
    ends the thread and closes the iterator.

    Example:
        >>> list(ahead(iter(range(4))))
        [0, 1, 2, 3]
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, items, _END) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, items, _END))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)
            if close := getattr(items, "close", None):
                close()


class Behind:
    """A thread that does work in order, while a few jobs at most wait for it.

    :meth:`submit` waits for a place, and raises the exception of an earlier job; so does
    :meth:`wait`, which waits for all jobs.
    """

    def __init__(self, depth: int = _DEPTH) -> None:
        self._pool, self._depth = ThreadPoolExecutor(1), depth
        self._waiting: deque[Future[None]] = deque()

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do ``work(*arguments)`` in the thread."""
        while len(self._waiting) >= self._depth:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(work, *arguments))

    def wait(self) -> None:
        """Wait until all jobs are done."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """Finish the job that runs, leave out the others, and end the thread."""
        self._pool.shutdown(cancel_futures=True)


class EndedError(ImpastoError):
    """A frame will not come: painting has ended before it."""

    def __init__(self, index: int) -> None:
        super().__init__(f"frame {index + 1} was not painted")


class Finished:
    """Stylized frames, which a thread fetches by their indices while more are added.

    Args:
        load: Reads a stored frame; only the last few are kept in memory.
        count: The number of frames that are stored already.

    Attributes:
        count: The number of frames that are stored.
    """

    def __init__(self, load: Callable[[int], Pixels], count: int) -> None:
        self._load, self.count, self._ended = load, count, False
        self._recent: dict[int, Pixels] = {}
        self._changed = Condition()

    def add(self, pixels: Pixels) -> None:
        """Add the next frame, which is stored."""
        with self._changed:
            self._recent[self.count] = pixels
            self._recent.pop(self.count - 4 * _DEPTH, None)
            self.count += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Let those who wait for a further frame end with :class:`EndedError`."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __call__(self, index: int) -> Pixels:
        """Return a frame; wait until it is there."""
        with self._changed:
            self._changed.wait_for(lambda: index < self.count or self._ended)
            if index >= self.count:
                raise EndedError(index)
            pixels = self._recent.get(index)
        return self._load(index) if pixels is None else pixels
