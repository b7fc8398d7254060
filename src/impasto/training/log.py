"""The log of a training: lines of JSON, and TensorBoard with sample pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor


class Log:
    """Writes ``log.jsonl`` and TensorBoard's files into a folder; None writes nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._board: Any = None

    def __enter__(self) -> Log:
        if self._folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._folder.mkdir(parents=True, exist_ok=True)
            self._board = SummaryWriter(self._folder / "tensorboard")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()

    def report(self, step: int, losses: Mapping[str, float], picture: Callable[[], Tensor]) -> None:
        """Write the mean losses since the last report, and a sample picture."""
        if self._folder is None:
            return
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **losses}) + "\n")
        for name, value in losses.items():
            self._board.add_scalar(f"loss/{name}", value, step)
        self._board.add_image("sample", picture()[0], step)
