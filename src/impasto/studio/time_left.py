"""Estimate the time that is left of a job, and say it in plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LEVEL = re.compile(r"level (\d+) of (\d+)")
_PIXELS = re.compile(r"\d+x\d+")
_LEVEL_COST = 4.0  # a level has twice the height and width of the one before


@dataclass(eq=False)
class TimeLeft:
    """Estimate from the reports of a job how long the rest takes.

    Steps of one level take the same time; those of the next level have four times the pixels. The
    steps are assumed to be divided equally among the levels.
    """

    _stage: str = ""
    _first: tuple[float, int] | None = None  # second and step of the first report of the level
    _rate: float | None = None  # seconds per step at this level

    def update(self, now: float, step: int, total: int, stage: str = "") -> float | None:
        """Add a report, and return the seconds that are left; None if that is not known yet.

        Args:
            now: Time of the report in seconds.
            step: Steps done.
            total: Steps of the whole job.
            stage: The current part of the job as text.
        """
        level = _LEVEL.search(stage)
        number, count = (int(level[1]), int(level[2])) if level else (1, 1)
        found = level[0] if level else ""
        if found != self._stage and self._rate is not None:
            self._rate *= _LEVEL_COST
        if self._first is None or found != self._stage:
            self._stage, self._first = found, (now, step)
        elif step > self._first[1]:
            self._rate = (now - self._first[0]) / (step - self._first[1])
        if self._rate is None:
            return None
        later = [_LEVEL_COST**depth for depth in range(1, count - number + 1)]
        steps = total / count  # at each level
        here = max(0.0, total - step - steps * len(later))
        return self._rate * (here + steps * sum(later))


def duration(seconds: float) -> str:
    """Return a duration in plain text, rounded as befits an estimate.

    Example:
        >>> duration(7.4), duration(52), duration(100), duration(4000)
        ('5 seconds', '50 seconds', '2 minutes', '67 minutes')
    """
    if seconds < 2.5:
        return "a moment"
    if seconds < 57.5:
        return f"{5 * max(1, round(seconds / 5))} seconds"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minute{'s' * (minutes > 1)}"


def progress_text(step: int, total: int, stage: str, left: float | None, passed: float) -> str:
    """Return the progress of a job in plain text.

    Args:
        step: Steps done.
        total: Steps of the whole job.
        stage: The current part of the job; sizes and levels are left out.
        left: Seconds that are left; None if unknown.
        passed: Seconds since the job began.
    """
    plain = "" if _LEVEL.search(stage) or _PIXELS.search(stage) else stage
    parts = [plain, f"step {step} of {total}" if total > 1 else ""]
    text = ", ".join(filter(None, parts)) or "painting"
    if left is None:
        return f"{text}, {passed:.0f} s so far"
    return f"{text}, about {duration(left)} left"
