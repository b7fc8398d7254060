"""What a comparison of methods found: rows, failures, and a summary as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, pstdev
from typing import Any

HEADER = (
    "method",
    "pictures",
    "style",
    "style (Gram)",
    "content",
    "edges",
    "edge SSIM",
    "seconds",
    "memory",
)

_COLUMNS = ("style", "gram", "content", "edges", "edge_ssim", "seconds")


@dataclass(frozen=True)
class Row:
    """What was measured of one picture.

    Attributes:
        method: Label of what painted it.
        content: File of the photo.
        style: File of the style picture.
        metrics: By name: ``style``, ``gram``, ``content``, ``edges``, ``edge_ssim``; see
            :meth:`impasto.evaluation.metrics.Scores.means`.
        layers: The distances ``style``, ``gram`` and ``content`` layer by layer.
        seconds: Of painting; None for the photo.
        memory: The most main memory that the method's process had held by then, in bytes, or None.
        device_memory: The same of a CUDA device.
        picture: File of the painted picture; empty if it was not kept.
    """

    method: str
    content: str
    style: str
    metrics: Mapping[str, float]
    layers: Mapping[str, Mapping[str, float]]
    seconds: float | None = None
    memory: int | None = None
    device_memory: int | None = None
    picture: str = ""


@dataclass(frozen=True)
class Failure:
    """A pair of which there is no number, and why."""

    method: str
    content: str
    style: str
    error: str


@dataclass(frozen=True)
class Comparison:
    """All that was measured.

    Attributes:
        size: Long edge of the pictures, in pixels.
        seed: Of everything random.
        rows: A picture each.
        failures: Pairs that failed.
        passed: How many files of the folders were passed over, by kind.
    """

    size: int
    seed: int
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...] = ()
    passed: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> list[dict[str, Any]]:
        """For each method the mean and the standard deviation (over n) of every number.

        Memory is the peak; what nobody measured is None.
        """
        labels = dict.fromkeys(row.method for row in self.rows)
        return [_summary(label, [r for r in self.rows if r.method == label]) for label in labels]

    def json(self) -> str:
        """Everything as JSON: the fields, and the ``summary``."""
        return json.dumps({**asdict(self), "summary": self.summary()}, indent=2, sort_keys=True)

    def table(self) -> Iterator[tuple[str, ...]]:
        """The summary as lines of text under :data:`HEADER`; of one picture without deviations."""
        for line in self.summary():
            memory = "" if line["memory"] is None else f"{line['memory'] / 1e6:.0f} MB"
            numbers = (_words(line[name], line["pictures"]) for name in _COLUMNS)
            yield (line["method"], str(line["pictures"]), *numbers, memory)


def _summary(label: str, rows: Sequence[Row]) -> dict[str, Any]:
    """One line of the summary."""
    line: dict[str, Any] = {"method": label, "pictures": len(rows)}
    for name in _COLUMNS:
        values = [row.seconds if name == "seconds" else row.metrics[name] for row in rows]
        known = [value for value in values if value is not None]
        line[name] = {"mean": fmean(known), "std": pstdev(known)} if known else None
    for name in ("memory", "device_memory"):
        line[name] = max((getattr(row, name) or 0 for row in rows), default=0) or None
    return line


def _words(number: Mapping[str, float] | None, pictures: int) -> str:
    if number is None:
        return ""
    deviation = f" ± {number['std']:.2f}" if pictures > 1 else ""
    return f"{number['mean']:.2f}{deviation}"
