"""The state of a training between two steps, besides that of the learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class State:
    """State of the loop in a checkpoint, besides that of the :class:`Learner`.

    Attributes:
        step: Steps done.
        seconds: Duration of these steps.
        losses: Means of each loss, one per report.
        skipped: Files that could not be read.
        sums: Sums of the losses since the last report.
        counts: Number of steps since the last report that had each loss: steps of a task may have
            different losses.
    """

    step: int = 0
    seconds: float = 0.0
    losses: dict[str, list[float]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, losses: Mapping[str, float]) -> None:
        """Add the losses of one step."""
        self.step += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """Return the mean of each loss since the last report."""
        return {name: self.sums[name] / count for name, count in self.counts.items()}

    def close(self) -> dict[str, float]:
        """Store the means since the last report, reset the sums, and return the means."""
        means = self.means()
        for name, value in means.items():
            self.losses.setdefault(name, []).append(value)
        self.sums, self.counts = {}, {}
        return means
