"""Write the log of a training: JSON lines, and TensorBoard with sample images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from impasto.errors import ImpastoError, MissingExtraError


class Log:
    """Writes ``log.jsonl`` and TensorBoard files. A context manager.

    Args:
        folder: Folder of the log; created if missing. None writes nothing.
        step: The step from which training resumes. Entries of later steps, which an earlier run
            wrote, are removed.

    Raises:
        MissingExtraError: The library ``tensorboard`` is not installed.
        ImpastoError: The folder cannot be written to.
    """

    def __init__(self, folder: Path | None, step: int = 0) -> None:
        self._folder, self._step = folder, step
        self._board: Any = None

    def __enter__(self) -> Log:
        if self._folder is None:
            return self
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("training", "train") from error
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._forget()
            board = self._folder / "tensorboard"
            self._board = SummaryWriter(board, purge_step=self._step + 1)
        except OSError as error:
            raise self._failed(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()

    def report(
        self,
        step: int,
        losses: Mapping[str, float],
        picture: Callable[[], Tensor | None],
        threads: int | None = None,
    ) -> None:
        """Write the mean losses since the last report, and a sample image if there is one.

        Args:
            step: Steps done.
            losses: Losses by name.
            picture: Returns the sample image, (1, 3, H, W) in [0, 1], or None.
            threads: Number of CPU threads, which is logged as well if given.

        Raises:
            ImpastoError: The log cannot be written.
        """
        if self._folder is None:
            return
        line: dict[str, float] = {"step": step, **losses}
        if threads is not None:
            line["threads"] = threads
        try:
            with self._lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            for name, value in losses.items():
                self._board.add_scalar(f"loss/{name}", value, step)
            if (sample := picture()) is not None:
                self._board.add_image("sample", sample[0], step)
        except OSError as error:
            raise self._failed(error) from error

    @property
    def _lines(self) -> Path:
        assert self._folder is not None
        return self._folder / "log.jsonl"

    def _forget(self) -> None:
        if not self._lines.exists():
            return
        lines = self._lines.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        retained = [line for line in lines if _step_of(line) <= self._step]
        if retained != lines:
            partial = self._lines.with_name(".log.jsonl.part")
            partial.write_text("".join(retained), encoding="utf-8")
            partial.replace(self._lines)

    def _failed(self, error: OSError) -> ImpastoError:
        return ImpastoError(
            f"could not write the log in {self._folder} ({error.strerror or error}): "
            "make room or choose another folder; the last checkpoint is kept"
        )


def _step_of(line: str) -> float:
    """Return the step of a log line; infinity for a line that is incomplete after a crash."""
    try:
        return float(json.loads(line)["step"]) if line.endswith("\n") else float("inf")
    except (ValueError, KeyError, TypeError):
        return float("inf")
