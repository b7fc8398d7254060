"""Record the result of each image as a line of JSON while a job runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from impasto.batch.job import Job
from impasto.batch.plan import MANIFEST, Item
from impasto.batch.worker import Outcome
from impasto.errors import InputError
from impasto.image import files


class Manifest:
    """The manifest of a folder of results.

    Each line has ``picture``, ``styles``, ``strength``, ``seed``, ``output`` and ``seconds``; or
    ``error`` in place of the last two, where there is no result. ``seconds`` is null if a process
    wrote a result and died before it reported it. ``note`` is present if there is one, such as
    "animated: first frame of 12 taken". If files were passed over, the first line has only
    ``passed_over``: their number by kind.

    Args:
        out: The folder.
        job: The job that writes there.
    """

    def __init__(self, out: Path, job: Job) -> None:
        self._path, self._job = out / MANIFEST, job

    def outputs(self) -> list[str]:
        """Return the paths of the results in the manifest."""
        return [line["output"] for line in self._lines() if line.get("output")]

    def begin(self, existing: Iterable[Item], skipped: Mapping[str, int] | None = None) -> None:
        """Rewrite it with the existing results; errors are left out, since they are retried."""
        recorded = {line["output"]: line for line in self._lines() if line.get("output")}
        lines = [json.dumps({"passed_over": dict(skipped)})] if skipped else []
        lines += [
            json.dumps(recorded.get(item.output) or self._line(item, Outcome(item.output)))
            for item in existing
        ]
        files.write("".join(f"{line}\n" for line in lines).encode(), self._path)

    def add(self, item: Item, outcome: Outcome) -> None:
        """Append a line.

        Raises:
            InputError: It cannot be written.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(self._line(item, outcome))}\n")
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror}") from error

    def _line(self, item: Item, outcome: Outcome) -> dict[str, Any]:
        line: dict[str, Any] = {
            "picture": item.picture,
            "styles": [self._job.styles[item.style].source],
            "strength": self._job.controls.strength,
            "seed": item.seed,
        }
        if outcome.error:
            return {**line, "error": outcome.error}
        line |= {"output": item.output, "seconds": outcome.seconds}
        return {**line, "note": outcome.note} if outcome.note else line

    def _lines(self) -> list[dict[str, Any]]:
        """Return its valid lines; a truncated one is ignored."""
        if not self._path.is_file():
            return []
        lines = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                lines.append(entry)
        return lines
