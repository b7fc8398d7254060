"""Limit the disk space of each client, and delete old files and broken uploads."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from impasto.errors import InputError

log = logging.getLogger("impasto.studio")

MAX_AGE = 3600.0  # seconds after which a file is deleted
SWEEP_INTERVAL = 60.0  # seconds between two searches for such files
BYTES_PER_FILE = 8 << 10  # bytes added to each file's size for its folder and its last block
STYLES = "styles"  # the folder that is exempt from deletion

_opened: ContextVar[list[Path] | None] = ContextVar("opened", default=None)


class DiskQuota:
    """Count the bytes that clients have stored, and delete old files.

    Bytes are counted until their file is certainly deleted, an hour and two sweeps later.

    Args:
        folder: Of all files of this server.
        most: Limit for all clients together, in bytes.
        each: Limit for one client, in bytes.
    """

    def __init__(self, folder: Path, most: int = 4 << 30, each: int = 1 << 30) -> None:
        self.folder, self._most, self._each = folder, most, each
        self._stored: dict[str, deque[list[float]]] = {}  # [second, bytes] of each client
        self._lock = threading.Lock()

    def add(self, client: str, size: int) -> None:
        """Count bytes; a negative number for files that are deleted early."""
        now = time.monotonic()
        with self._lock:
            taken = self._stored.setdefault(client, deque())
            if taken and now - taken[-1][0] < SWEEP_INTERVAL:
                taken[-1][1] += size
            else:
                taken.append([now, float(size)])

    def check(self, client: str, more: int = 0) -> None:
        """Check that more bytes are within the limits.

        Raises:
            InputError: The limit of the client, or of all together, would be exceeded.
        """
        now = time.monotonic()
        with self._lock:
            for name, taken in list(self._stored.items()):
                while taken and now - taken[0][0] > MAX_AGE + 3 * SWEEP_INTERVAL:
                    taken.popleft()
                if not taken:
                    del self._stored[name]
            sums = {name: sum(one[1] for one in taken) for name, taken in self._stored.items()}
        later = "files are deleted after an hour: try again later"
        if sums.get(client, 0) + more > self._each:
            raise InputError(
                f"your files would take more than {self._each >> 20} MB here, the most for one "
                f"client; {later}"
            )
        if sum(sums.values()) + more > self._most:
            raise InputError(f"the studio's disk is full; {later}")

    def count(self, client: str, path: Path) -> None:
        """Count a file that was made for a client."""
        with contextlib.suppress(OSError):
            self.add(client, path.stat().st_size + BYTES_PER_FILE)

    def sweep(self) -> None:
        """Delete old files and empty folders."""
        before = time.time() - MAX_AGE
        for entry in self.folder.iterdir():
            if entry.name == STYLES:
                continue
            # another thread may delete the same file
            with contextlib.suppress(OSError):
                for path in sorted(entry.rglob("*"), reverse=True):
                    _delete(path, before)
                _delete(entry, before)

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """Delete old files in a thread while the context is open."""
        over = threading.Event()

        def sweep() -> None:
            while not over.wait(SWEEP_INTERVAL):
                try:
                    self.sweep()
                except Exception:
                    log.exception("old files could not be deleted")

        worker = threading.Thread(target=sweep, daemon=True)
        worker.start()
        try:
            yield
        finally:
            over.set()
            worker.join(timeout=5)


@contextmanager
def temporary_files(folder: Path) -> Iterator[None]:
    """Create the temporary files of Gradio's upload reader in a folder, and record their paths.

    A request that is cut off leaves its files there: see :func:`deleting_leftovers`.
    """
    from gradio import route_utils

    reader: Any = route_utils  # imports the name into its own module, so it is patched there
    plain = reader.NamedTemporaryFile

    def noted(*, delete: bool = False, dir: Any = None) -> Any:
        file = NamedTemporaryFile(delete=delete, dir=dir or folder)  # noqa: SIM115
        opened = _opened.get()
        if opened is not None:
            opened.append(Path(file.name))
        return file

    reader.NamedTemporaryFile = noted
    try:
        yield
    finally:
        reader.NamedTemporaryFile = plain


@contextmanager
def deleting_leftovers() -> Iterator[None]:
    """Delete the temporary files of a request that are left when it is over."""
    opened: list[Path] = []
    token = _opened.set(opened)
    try:
        yield
    finally:
        _opened.reset(token)
        for path in opened:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _delete(path: Path, before: float) -> None:
    if path.lstat().st_ctime >= before:
        return
    if path.is_dir():
        path.rmdir()  # fails if the folder has new files
    else:
        path.unlink()
