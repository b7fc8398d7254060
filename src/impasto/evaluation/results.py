"""Store the results of an evaluation: rows, failures, and a summary as a table or as JSON."""

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
    """The measurements of one image.

    Attributes:
        method: Label of the candidate.
        content: File of the photo.
        style: File of the style image.
        metrics: By name: ``style``, ``gram``, ``content``, ``edges``, ``edge_ssim``; see
            :meth:`impasto.evaluation.metrics.Scores.means`.
        layers: The distances ``style``, ``gram`` and ``content`` layer by layer.
        seconds: Time of stylizing; None for the photo.
        memory: Peak main memory of the method's process so far, in bytes, or None.
        device_memory: The same of a CUDA device.
        picture: File of the stylized image; empty if it was not stored.
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
    """A pair that was not measured, and the reason."""

    method: str
    content: str
    style: str
    error: str


@dataclass(frozen=True)
class Comparison:
    """The results of an evaluation.

    Attributes:
        size: Long edge of the images, in pixels.
        seed: Seed of all random numbers.
        rows: One for each image.
        failures: Pairs that failed.
        passed: The number of files in the folders that were passed over, by kind.
    """

    size: int
    seed: int
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...] = ()
    passed: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> list[dict[str, Any]]:
        """Return for each method the mean and the standard deviation (over n) of every metric.

        Memory is the peak; values that were not measured are None.
        """
        labels = dict.fromkeys(row.method for row in self.rows)
        return [_summary(label, [r for r in self.rows if r.method == label]) for label in labels]

    def json(self) -> str:
        """Return all fields and the ``summary`` as JSON."""
        return json.dumps({**asdict(self), "summary": self.summary()}, indent=2, sort_keys=True)

    def table(self) -> Iterator[tuple[str, ...]]:
        """Yield rows of text in the columns of :data:`HEADER`."""
        for line in self.summary():
            memory = "" if line["memory"] is None else f"{line['memory'] / 1e6:.0f} MB"
            numbers = (_format_cell(line[name], line["pictures"]) for name in _COLUMNS)
            yield (line["method"], str(line["pictures"]), *numbers, memory)


def _summary(label: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return one line of the summary."""
    line: dict[str, Any] = {"method": label, "pictures": len(rows)}
    for name in _COLUMNS:
        values = [row.seconds if name == "seconds" else row.metrics[name] for row in rows]
        known = [value for value in values if value is not None]
        line[name] = {"mean": fmean(known), "std": pstdev(known)} if known else None
    for name in ("memory", "device_memory"):
        line[name] = max((getattr(row, name) or 0 for row in rows), default=0) or None
    return line


def _format_cell(number: Mapping[str, float] | None, pictures: int) -> str:
    if number is None:
        return ""
    deviation = f" ± {number['std']:.2f}" if pictures > 1 else ""
    return f"{number['mean']:.2f}{deviation}"
