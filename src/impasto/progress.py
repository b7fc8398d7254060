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
        preview: Renders the picture as it stands, (1, 3, H, W) in [0, 1]; costs nothing until called.
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
