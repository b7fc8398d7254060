"""Report the progress of a long job, and cancel it.

A long job takes one ``callback`` and calls it with a :class:`Progress` after every step. The
progress bar in the terminal, previews, JSON lines for scripts and the web page all use this report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Progress:
    """One report of a long job.

    Attributes:
        step: Steps done so far, counted over the whole job.
        total: Steps that the whole job will take.
        losses: Loss values by name; ``"total"`` is the value that is minimised, if there is one.
        stage: The current part of the job as text (``"level 2 of 3, 256x192"``).
        preview: Computes the current image when called, (1, 3, H, W) in [0, 1].
        cancelled: Whether a callback has asked the job to stop.
    """

    step: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict)
    stage: str = ""
    preview: Callable[[], Tensor] | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        """Ask the job to stop after this step and to return what it has so far."""
        self.cancelled = True


Callback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Ignore a report: the default callback."""


class PartProgress:
    """Callback for one of several equal parts of a job: reports steps of the whole job.

    Args:
        callback: Receives the reports of the whole job.
        index: Index of this part, from 0.
        count: Number of parts.
        stage: Replaces the ``stage`` of the reports, unless empty.

    Attributes:
        cancelled: Whether the callback asked to stop during this part.

    Example:
        >>> part = PartProgress(lambda whole: print(whole.step, whole.total), index=1, count=3)
        >>> part(Progress(4, 10))
        14 30
    """

    def __init__(self, callback: Callback, index: int, count: int, stage: str = "") -> None:
        self._callback, self._index, self._count, self._stage = callback, index, count, stage
        self.cancelled = False

    def __call__(self, progress: Progress) -> None:
        """Report a step of this part."""
        whole = Progress(
            self._index * progress.total + progress.step,
            self._count * progress.total,
            progress.losses,
            self._stage or progress.stage,
            progress.preview,
        )
        self._callback(whole)
        progress.cancelled = self.cancelled = whole.cancelled


def map_previews(callback: Callback, through: Callable[[Tensor], Tensor]) -> Callback:
    """Return a callback that applies a function to each preview first."""

    def call(progress: Progress) -> None:
        raw = progress.preview
        if raw is not None:
            progress.preview = lambda: through(raw())
        callback(progress)

    return call


def chain(*callbacks: Callback | None) -> Callback:
    """Join several callbacks into one; those that are None are left out.

    Example:
        >>> seen = []
        >>> chain(lambda p: seen.append(p.step), None, silent)(Progress(3, 10))
        >>> seen
        [3]
    """
    listeners = [callback for callback in callbacks if callback is not None]

    def call_all(progress: Progress) -> None:
        for listener in listeners:
            listener(progress)

    return call_all
