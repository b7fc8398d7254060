"""Store the frames of an unfinished video and the settings that they were made with."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from impasto import image
from impasto.errors import InputError
from impasto.image import Image, files
from impasto.video.flow import opencv

_JOB, _STATE, _LOCK = "video.json", "state.safetensors", ".impasto-video.lock"
_FORMAT = 2


class FrameStore:
    """A folder of stylized frames.

    Args:
        folder: The folder, created if missing.
        names: The names of the frames, without endings.
        own: Whether the folder is temporary, and deleted in the end.
    """

    def __init__(self, folder: Path, names: Sequence[str], *, own: bool) -> None:
        self.folder, self._names, self._temporary = folder, names, own

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other processes.

        Raises:
            InputError: Another process works there, or the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK, timeout=0)
            lock.acquire()
        except Timeout:
            raise InputError(f"another process paints in {self.folder}: wait for it") from None
        except OSError as error:
            raise InputError(f"cannot write in {self.folder}: choose another place") from error
        try:
            self._sweep()
            yield
        finally:
            lock.release()
            with suppress(OSError):
                (self.folder / _LOCK).unlink(missing_ok=True)

    def frame(self, index: int) -> Path:
        """Return the path of a stylized frame."""
        name = self._names[index] if index < len(self._names) else f"{index + 1:08d}"
        return self.folder / f"{name}.png"

    def save(self, index: int, picture: Image) -> None:
        """Store a stylized frame; one that will be deleted with less compression, for speed."""
        if not self._temporary:
            image.save(picture, self.frame(index))
            return
        cv2 = opencv()
        way = cv2.COLOR_RGB2BGR if picture.alpha is None else cv2.COLOR_RGBA2BGRA
        settings = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 2]
        _, content = cv2.imencode(".png", cv2.cvtColor(picture.numpy(), way), settings)
        files.write(content.tobytes(), self.frame(index))

    def begin(self, job: Mapping[str, Any], *, resume: bool) -> None:
        """Check that the folder's content belongs to this job, or delete it.

        Raises:
            InputError: It belongs to another job, or to none.
        """
        ways = "give the same options, name another target, or `resume=False` to start again"
        path = self.folder / _JOB
        if not resume:
            self._clear()
        elif path.is_file():
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
                if before.pop("format") != _FORMAT:
                    raise ValueError("another version")
            except (OSError, ValueError, KeyError, AttributeError) as error:
                raise InputError(f"{path} is damaged, or of another version: {ways}") from error
            now = json.loads(json.dumps(job))
            changes = [
                f"{name} was {_shown(before.get(name))}, is {_shown(now.get(name))}"
                for name in {**before, **now}
                if before.get(name) != now.get(name)
            ]
            if changes:
                why = "; ".join(changes[:4])
                raise InputError(f"{self.folder} holds frames of other settings ({why}): {ways}")
        elif any(self.frame(index).exists() for index in range(len(self._names))):
            raise InputError(f"{self.folder} holds pictures that are not of this job: {ways}")
        text = json.dumps({"format": _FORMAT, **job}, indent=2)
        files.write(f"{text}\n".encode(), path)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the last saved tensors and metadata, such as the number of finished ``frames``."""
        none: tuple[dict[str, Tensor], dict[str, Any]] = {}, {"frames": 0, "shots": 0}
        try:
            with safe_open(self.folder / _STATE, "pt") as file:
                metadata = json.loads((file.metadata() or {})["video"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, ValueError):
            return none
        if not all(self.frame(index).is_file() for index in range(metadata["frames"])):
            return none
        return tensors, metadata

    def save_state(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
        """Write a state atomically."""
        data = serialize(dict(tensors), {"video": json.dumps(metadata)})
        files.write(data, self.folder / _STATE)

    def finish(self) -> None:
        """Delete the temporary folder."""
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _clear(self) -> None:
        """Delete frames with these names and their metadata, and nothing else."""
        for index in range(len(self._names)):
            self.frame(index).unlink(missing_ok=True)
        for name in (_JOB, _STATE):
            (self.folder / name).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Delete partial files left by a process that was ended."""
        for part in self.folder.glob(files.PART):
            with suppress(OSError):
                os.unlink(part)


def _shown(value: Any) -> str:
    return "not given" if value is None or value == "" else str(value)
