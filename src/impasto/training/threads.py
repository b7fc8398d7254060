"""Choose the number of CPU threads of a training, and lower it while the machine is busy.

Every parallel computation ends in a barrier, which waits for the slowest thread, and a thread whose
core is taken by another process is slow. So on a busy machine two threads on two cores can be five
to twenty times slower than on an idle one, where one thread would be two to three times slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

WINDOW = 8  # steps that are averaged: steps of a task may differ in a cycle of up to eight
SLOW = 2.5  # threads are reduced if a window takes this many times the best one of the run
STEPS_BETWEEN_TRIALS = 20  # windows with fewer threads before all threads are tried again


class Threads:
    """Chooses the number of threads from the durations of steps.

    Args:
        most: Number of threads on an idle machine.
        fixed: Whether the number never changes.

    Attributes:
        number: Number of threads of the next step.
    """

    def __init__(self, most: int, *, fixed: bool = False) -> None:
        self.number, self._most, self._fixed = most, most, fixed
        self._best: float | None = None
        self._seconds: list[float] = []
        self._waited, self._patience = 0, STEPS_BETWEEN_TRIALS
        self._tried = False  # threads were reduced, and no later window with all threads was fast

    @property
    def reduced(self) -> bool:
        """Check whether fewer threads are used than possible."""
        return self.number < self._most

    def record(self, seconds: float) -> None:
        """Record the duration of a step in seconds, and adapt the number after a window of steps.

        Example:
            >>> threads = Threads(2)
            >>> for seconds in [1.0] * 8 + [3.0] * 8:
            ...     threads.record(seconds)
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
                self._patience *= 2  # the machine is still busy: try less often
            self.number, self._tried = max(1, self._most // 2), True
            return
        self._best = mean if self._best is None else min(self._best, mean)
        self._patience, self._tried = STEPS_BETWEEN_TRIALS, False


@contextmanager
def computing(number: int | None) -> Iterator[Threads]:
    """Set the number of torch's CPU threads inside the context, and restore it afterwards.

    Args:
        number: Fixed number of threads; None starts with torch's own number and reduces it while
            other programs keep the machine busy.
    """
    before = torch.get_num_threads()
    threads = Threads(number or before, fixed=number is not None)
    torch.set_num_threads(threads.number)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)
