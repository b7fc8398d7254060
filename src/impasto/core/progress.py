"""What a long job reports, and how it is cancelled.

A long job takes one ``callback`` and calls it with a :class:`Progress` after every step. The bar in
the terminal, the previews on disk, the JSON lines for scripts and, later, the picture that comes
into being on the web page are listeners to the same report.
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
        losses: Named loss values; ``"total"`` is what is being minimised, when there is one.
        stage: Which part of the job this is, in words (``"level 2 of 3, 256x192"``).
        preview: Renders the picture as it stands, (1, 3, H, W) in [0, 1]; free until called.
    """

    step: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict)
    stage: str = ""
    preview: Callable[[], Tensor] | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        """Ask the job to stop after this step. It returns what it has made so far."""
        self.cancelled = True


Callback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Listen to nothing: the callback of a job that nobody watches."""


class Share:
    """The callback of one of several equal parts of a job: counts its steps into the whole's.

    Attributes:
        cancelled: Whether the listener asked to stop during this part.

    Example:
        >>> Share(lambda whole: print(whole.step, whole.total), index=1, count=3)(Progress(4, 10))
        14 30
    """

    def __init__(self, callback: Callback, index: int, count: int, stage: str = "") -> None:
        self._callback, self._index, self._count, self._stage = callback, index, count, stage
        self.cancelled = False

    def __call__(self, progress: Progress) -> None:
        """Report a step of this part, under its stage's name if it has one."""
        whole = Progress(
            self._index * progress.total + progress.step,
            self._count * progress.total,
            progress.losses,
            self._stage or progress.stage,
            progress.preview,
        )
        self._callback(whole)
        progress.cancelled = self.cancelled = whole.cancelled


def chain(*callbacks: Callback | None) -> Callback:
    """Join several listeners into one callback; those that are None are left out.

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
