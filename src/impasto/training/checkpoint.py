"""Read and write training checkpoints atomically, each as one file."""

from __future__ import annotations

import contextlib
import os
import zipfile
from dataclasses import asdict, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from impasto.errors import ImpastoError, InputError
from impasto.training.learner import Learner
from impasto.training.processes import Processes
from impasto.training.state import State

FORMAT = 1


class Checkpoint:
    """The checkpoint of a run.

    Args:
        folder: Its folder; None neither writes nor reads.
        seed: That of the run.
        processes: The processes that train together, of which the main one writes.
    """

    def __init__(self, folder: Path | None, seed: int, processes: Processes) -> None:
        self.path = folder / "checkpoint.pt" if folder else None
        self._seed, self._processes = seed, processes

    def save(self, state: State, learner: Learner) -> None:
        """Write the state of a run.

        Raises:
            DivergedError: A weight is not finite; the previous checkpoint is kept.
            ImpastoError: The file cannot be written.
        """
        learner.check(state.step)
        if self.path is not None and self._processes.main:
            save(self.path, {**asdict(state), "seed": self._seed, **learner.state()})

    def resume(self, learner: Learner) -> State:
        """Return the stored state, with which the learner goes on, or that of a new run.

        Raises:
            InputError: The file is damaged, or belongs to another training.
        """
        stored = self._processes.from_main(self._load)
        if stored is None:
            return State()
        try:
            learner.restore(stored)
            return State(**{entry.name: stored[entry.name] for entry in fields(State)})
        except (InputError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path} belongs to another training: delete it, or give another output"
            ) from error

    def _load(self) -> dict[str, Any] | None:
        if self.path is None or not self.path.is_file():
            return None
        stored = load(self.path)
        if stored.get("seed") != self._seed:
            raise InputError(f"{self.path} was begun with seed {stored.get('seed')}: give the same")
        return stored


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; the previous one stays intact if writing fails.

    Args:
        path: Path of the file; missing folders are created.
        state: Tensors, numbers, text, and lists and dicts of them.

    Raises:
        ImpastoError: The file cannot be written.
    """
    # Serialised in memory first: torch.save to a full disk raises an unclear internal error.
    data = BytesIO()
    torch.save({"format": FORMAT, **state}, data)
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        hint = f"; the one before is kept in {path}" if path.exists() else ""
        raise ImpastoError(
            f"could not write the checkpoint {path} ({error.strerror or error}): "
            f"make room or choose another folder{hint}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()  # also after Ctrl-C


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, with its tensors on the CPU.

    Raises:
        InputError: The file is no checkpoint, damaged, or of another version.
    """
    try:
        data = BytesIO(path.read_bytes())
        sound = zipfile.ZipFile(data).testzip() is None  # torch does not verify checksums
        data.seek(0)
        state = torch.load(data, map_location="cpu", weights_only=True) if sound else None
    except OSError as error:
        raise InputError(
            f"cannot read the checkpoint {path} ({error.strerror or error})"
        ) from error
    except Exception as error:  # a damaged file fails in many ways
        raise InputError(f"{path} is no checkpoint: delete it to start anew") from error
    if not sound:
        raise InputError(f"{path} is damaged: delete it to start anew")
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(f"{path} is a checkpoint of another version: delete it to start anew")
    return state
