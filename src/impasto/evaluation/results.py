"""Store the results of an evaluation: rows, failures, and a summary as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, pstdev
from typing import Any

_DISTANCES = ("style", "gram", "sliced", "color", "content", "layout")
_METRICS = (*_DISTANCES, "edges", "edge_ssim", "lattice", "flicker", "seconds")
_LEFT_OUT = ("gram", "edge_ssim")  # of the table, which has no room for them


@dataclass(frozen=True)
class Row:
    """The measurements of one image.

    Attributes:
        method: Label of the candidate.
        content: File of the photo.
        style: File of the style image.
        metrics: By name: ``style``, ``gram``, ``sliced``, ``color``, ``content``, ``layout``,
            ``edges``, ``edge_ssim``, ``lattice`` if the image has 208 pixels a side, see
            :meth:`impasto.evaluation.metrics.Scores.means`; ``flicker`` if it was asked for, see
            :func:`impasto.evaluation.artifacts.flicker`.
        layers: The distances ``style``, ``gram``, ``sliced`` and ``content`` layer by layer.
        seconds: Time of stylizing; None for a sentinel.
        memory: Peak main memory of the method's process so far, in bytes, or None.
        device_memory: The same of a CUDA device.
        picture: File of the stylized image; empty if it was not stored.
        sentinel: Whether the image is the photo or the painting itself, which shows what no method
            should reach and takes no part in rankings.
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
    sentinel: bool = False


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
        sliced_weights: Name of the weights whose features the sliced distance compares.
    """

    size: int
    seed: int
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...] = ()
    passed: Mapping[str, int] = field(default_factory=dict)
    sliced_weights: str = ""

    def summary(self) -> list[dict[str, Any]]:
        """Return for each method the mean and the standard deviation (over n) of every metric.

        Memory is the peak; values that were not measured are None. ``sentinel`` marks the photo and
        the painting themselves.
        """
        labels = dict.fromkeys(row.method for row in self.rows)
        return [_summary(label, [r for r in self.rows if r.method == label]) for label in labels]

    def json(self) -> str:
        """Return all fields and the ``summary`` as JSON."""
        return json.dumps({**asdict(self), "summary": self.summary()}, indent=2, sort_keys=True)

    @property
    def header(self) -> tuple[str, ...]:
        """Return the titles of the table's columns; ``n`` is the number of images."""
        titles = (name.replace("color", "colour") for name in self._columns())
        return ("method", "n", *titles, "memory")

    def table(self) -> Iterator[tuple[str, ...]]:
        """Yield rows of text in the columns of :attr:`header`: the means."""
        for line in self.summary():
            memory = "" if line["memory"] is None else f"{line['memory'] / 1e6:.0f} MB"
            label = f"the {line['method']} itself" if line["sentinel"] else line["method"]
            means = (line[name] for name in self._columns())
            cells = ("" if one is None else f"{one['mean']:.2f}" for one in means)
            yield (label, str(line["pictures"]), *cells, memory)

    def _columns(self) -> list[str]:
        """Return the names of the metrics in the table; flicker only if it was measured."""
        measured = any("flicker" in row.metrics for row in self.rows)
        left_out = _LEFT_OUT if measured else (*_LEFT_OUT, "flicker")
        return [name for name in _METRICS if name not in left_out]


def _summary(label: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return one line of the summary."""
    sentinel = all(row.sentinel for row in rows)
    line: dict[str, Any] = {"method": label, "pictures": len(rows), "sentinel": sentinel}
    for name in _METRICS:
        values = [row.seconds if name == "seconds" else row.metrics.get(name) for row in rows]
        known = [value for value in values if value is not None]
        line[name] = {"mean": fmean(known), "std": pstdev(known)} if known else None
    for name in ("memory", "device_memory"):
        line[name] = max((getattr(row, name) or 0 for row in rows), default=0) or None
    return line
