"""Read and write training checkpoints atomically, each as one file."""

from __future__ import annotations

import contextlib
import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from impasto.errors import ImpastoError, InputError

FORMAT = 1


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
