"""Choose the number of threads of a training, and lower it while the machine is busy.

Every parallel region ends in a barrier, and a barrier waits for the thread that another process has
pushed off its core. So beside other work two threads on two cores can be five to twenty times
slower than alone, where one thread would be two to three times slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

WINDOW = 8  # steps: tasks have steps of several kinds, the longest cycle is of eight
SLOW = 2.5  # times the best window of this run
PATIENCE = 20  # windows with fewer threads before more are tried again


class Threads:
    """Chooses the number of threads by the seconds that steps take.

    Args:
        most: Threads where nothing else is at work.
        fixed: Whether the number stays as it is.

    Attributes:
        number: Threads of the next step.
    """

    def __init__(self, most: int, *, fixed: bool = False) -> None:
        self.number, self._most, self._fixed = most, most, fixed
        self._best: float | None = None
        self._seconds: list[float] = []
        self._waited, self._patience = 0, PATIENCE
        self._tried = False  # more threads, and the machine was still busy

    @property
    def reduced(self) -> bool:
        """Return whether fewer threads are at work than could be."""
        return self.number < self._most

    def took(self, seconds: float) -> None:
        """Count a step, and change the number after a window of them.

        Example:
            >>> threads = Threads(2)
            >>> for seconds in [1.0] * 8 + [3.0] * 8:
            ...     threads.took(seconds)
            >>> threads.number
            1
        """
        if self._fixed or self._most == 1:
            return
        self._seconds.append(seconds)
        if len(self._seconds) < WINDOW:
            return
        mean = sum(self._seconds) / WINDOW
        self._seconds = []
        if self.reduced:
            self._waited += 1
            if self._waited >= self._patience:
                self._waited, self.number = 0, self._most
            return
        if self._best is not None and mean > SLOW * self._best:
            if self._tried:
                self._patience *= 2  # the machine is still busy: ask less often
            self.number, self._tried = max(1, self._most // 2), True
            return
        self._best = mean if self._best is None else min(self._best, mean)
        self._patience, self._tried = PATIENCE, False


@contextmanager
def computing(number: int | None) -> Iterator[Threads]:
    """Compute with a number of threads while inside.

    Args:
        number: Stays as it is; None begins with torch's own and goes down while the machine is
            busy with something else.
    """
    before = torch.get_num_threads()
    threads = Threads(number or before, fixed=number is not None)
    torch.set_num_threads(threads.number)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)
