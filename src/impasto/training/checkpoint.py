"""Checkpoints: one file, whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from impasto.errors import ImpastoError, InputError

FORMAT = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint in place of the one before, which stays whole if the disk is full.

    Args:
        path: Its final name; the folder is made.
        state: Tensors, numbers, text, and lists and dicts of them.

    Raises:
        ImpastoError: It could not be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch wraps a failed write into a RuntimeError
        partial.unlink(missing_ok=True)
        kept = f"; the one before is kept in {path}" if path.exists() else ""
        raise ImpastoError(f"could not write the checkpoint {path} ({error}){kept}") from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, tensors on the CPU.

    Raises:
        InputError: It is no checkpoint, or one of another version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in many ways
        raise InputError(f"{path} is no checkpoint: delete it to start anew") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(f"{path} is a checkpoint of another version: delete it to start anew")
    return state
