"""Run a job in processes on this machine; a process that dies costs only the time of its image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import IO, Any

from impasto.batch.job import Job
from impasto.batch.plan import Item
from impasto.batch.worker import Outcome
from impasto.errors import ImpastoError
from impasto.evaluation.worker import describe_exit

_COMMAND = (sys.executable, "-m", "impasto.batch.worker")
_TRIES = 3  # an image is given up after this many processes died on it


def paint(
    job: Job, out: Path, items: Sequence[Item], workers: int
) -> Generator[Outcome, None, None]:
    """Stylize items in several processes, which divide the processor's threads among them.

    Yields:
        One outcome for each item, in order of completion. Closing the generator ends the processes.

    Raises:
        ImpastoError: Processes cannot be started.
    """
    pool = _WorkerPool(job, out, items, max(1, min(workers, len(items))))
    try:
        for _ in items:
            outcome = pool.done.get()
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome
    finally:
        pool.stop()


def threads_per_worker(workers: int) -> int:
    """Return the number of this machine's threads for each worker."""
    allowed = getattr(os, "sched_getaffinity", None)  # fewer in a container
    count = len(allowed(0)) if allowed else os.cpu_count() or 1
    return max(1, count // workers)


class _WorkerPool:
    """Run a thread for each process, which sends it items and receives its outcomes."""

    def __init__(self, job: Job, out: Path, items: Sequence[Item], workers: int) -> None:
        self.done: SimpleQueue[Outcome | Exception] = SimpleQueue()
        self._waiting = deque((item, 1) for item in items)
        header = {"job": job.json(), "out": str(out), "threads": threads_per_worker(workers)}
        self._header = json.dumps(header)
        self._environment = {**os.environ, "OMP_NUM_THREADS": str(header["threads"])}
        self._lock, self._stopped = Lock(), False
        self._processes: set[_Process] = set()
        self._threads = [Thread(target=self._serve_process, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all processes at once; unfinished images are not written."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.end()
        for thread in self._threads:
            thread.join()

    def _serve_process(self) -> None:
        """Keep one process running as long as there are items; replace it if it dies."""
        process = None
        try:
            while (task := self._next_item()) is not None:
                item, tries = task
                process = process or self._start_process()
                line = process.ask(json.dumps(asdict(item)))
                if line:
                    self.done.put(Outcome(**json.loads(line)))
                    continue
                why, process = self._end_process(process), None
                if tries < _TRIES:
                    self._waiting.append((item, tries + 1))  # last, as it may need much memory
                elif not self._stopped:
                    self.done.put(Outcome(item.output, error=why))
        except Exception as error:  # raised by the main thread
            self.done.put(error)
        finally:
            if process is not None:
                self._end_process(process)

    def _next_item(self) -> tuple[Item, int] | None:
        with suppress(IndexError):
            return None if self._stopped else self._waiting.popleft()
        return None

    def _start_process(self) -> _Process:
        """Return a process that is ready to stylize.

        Raises:
            ImpastoError: It ends before it is ready, several times in a row.
        """
        why = ""
        for _ in range(_TRIES):
            with self._lock:
                if self._stopped:
                    raise ImpastoError("stopped")
                process = _Process(self._environment)
                self._processes.add(process)
            if process.ask(self._header):
                return process
            why = self._end_process(process)
        raise ImpastoError(f"a worker cannot start: {why}")

    def _end_process(self, process: _Process) -> str:
        """End a process, and return why it ended."""
        with self._lock:
            self._processes.discard(process)
        return process.end()


class _Process:
    """A worker process; requests and answers are lines."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in end)
        self._process: subprocess.Popen[str] = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=environment,
            # its own process group, so that Ctrl-C in a terminal reaches this process only
            process_group=0,
        )
        self._lock, self._why = Lock(), ""

    def ask(self, line: str) -> str:
        """Send a line and return the answer; empty if the process has ended."""
        pipe: Any = self._process
        with suppress(OSError, ValueError):  # ValueError: the pipe is closed
            pipe.stdin.write(f"{line}\n")
            pipe.stdin.flush()
            answer = pipe.stdout.readline()
            return answer if answer.endswith("\n") else ""
        return ""

    def end(self) -> str:
        """End the process if it still runs, and return why it ended."""
        pipe: Any = self._process
        with self._lock:
            if not self._why:
                # a process that has answered everything can be killed without loss
                self._process.kill()
                self._why = describe_exit(self._process.wait(), self._log)
                self._log.close()
                with suppress(OSError):
                    pipe.stdin.close()
        return self._why
