"""Run long jobs in threads, with progress reports and cancellation.

A job runs in its own thread; its watcher reads reports from a generator. The number of jobs at a
time is limited by the number of method caches, each of which is used by one job at a time.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from queue import Empty, LifoQueue
from typing import Any, Generic, TypeVar

from impasto.api.resolve import StyleResolver
from impasto.core.progress import Callback, Progress
from impasto.errors import CancelledError
from impasto.image import Image
from impasto.studio.time_left import TimeLeft, progress_text

T = TypeVar("T")

REPORT_INTERVAL = 1.0  # seconds between reports, at most
WATCHER_TIMEOUT = 60.0  # seconds without a watcher after which a job stops
_PREVIEW_INTERVAL = 0.5  # seconds between two previews, at least
_PREVIEW_FRACTION = 0.1  # fraction of a job's time for previews, at most
_PREVIEW_EDGE = 768  # long edge of a preview
_CACHE_SIZE = 3  # style resolvers in a method cache


_THREAD = "impasto job"


def wait_for_threads(seconds: float) -> bool:
    """Wait for the threads of stopped jobs, and check whether some still run.

    Args:
        seconds: Time to wait at most.
    """
    until = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name == _THREAD:
            thread.join(max(0.0, until - time.monotonic()))
    return any(thread.name == _THREAD for thread in threading.enumerate())


class MethodCache:
    """A cache of methods and models, used by one job at a time."""

    def __init__(self) -> None:
        self._cached: OrderedDict[tuple[Hashable, ...], StyleResolver] = OrderedDict()

    def resolver(
        self, method: str | None, quality: str | None, settings: dict[str, str], kind: str = "style"
    ) -> StyleResolver:
        """Return the style resolver for these settings, from the cache if possible."""
        key = (method, quality, tuple(sorted(settings.items())), kind)
        made = self._cached.pop(key, None)
        if made is None:
            made = StyleResolver(method, quality=quality, settings=settings, kind=kind)
        self._cached[key] = made
        while len(self._cached) > _CACHE_SIZE:
            self._cached.popitem(last=False)
        return made


@dataclass(frozen=True, eq=False)
class Report:
    """The progress of a job.

    Attributes:
        text: A line of text.
        fraction: The finished fraction, 0 to 1.
        preview: The image so far, scaled down; None if there is no new one.
        plain: The same line in plain text, with the time that is left.
    """

    text: str
    fraction: float = 0.0
    preview: Image | None = None
    plain: str = ""


@dataclass(frozen=True, eq=False)
class Finished(Generic[T]):
    """The outcome of a job.

    Attributes:
        result: The return value of the work.
        stopped: Whether it was stopped, so that the result is what was finished by then.
        seconds: Duration.
    """

    result: T
    stopped: bool
    seconds: float


@dataclass(eq=False)
class _Job:
    """The state that a job's thread shares with its watcher."""

    longest: float = math.inf
    stopped: threading.Event = field(default_factory=threading.Event)
    updated: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)
    report: Report = field(default_factory=lambda: Report("loading"))
    progress: Progress = field(default_factory=lambda: Progress(0, 1, stage="loading"))
    ends: float | None = None  # estimated
    finished: bool = False
    result: Any = None
    error: BaseException | None = None
    _shown: float = 0.0
    _pause: float = _PREVIEW_INTERVAL
    _time: TimeLeft = field(default_factory=TimeLeft)

    def __call__(self, progress: Progress) -> None:
        """Receive progress from the job, as its callback."""
        now = time.monotonic()
        if now - self.started > self.longest:
            self.stopped.set()
        if self.stopped.is_set() or now - self.seen > WATCHER_TIMEOUT:
            progress.cancel()
            return
        left = self._time.update(now, progress.step, progress.total, progress.stage)
        self.progress, self.ends = progress, None if left is None else now + left
        preview = None
        if progress.preview is not None and now - self._shown > self._pause:
            preview = _shrunk(Image(progress.preview().detach().cpu().clamp(0, 1)))
            self._shown = time.monotonic()
            self._pause = max(_PREVIEW_INTERVAL, (self._shown - now) / _PREVIEW_FRACTION)
        step = f"step {progress.step} of {progress.total}" if progress.total > 1 else ""
        text = ", ".join(filter(None, (step, progress.stage))) or "painting"
        shown = self.report.preview if preview is None and self.updated.is_set() else preview
        self.report = Report(text, progress.step / max(1, progress.total), shown)
        self.updated.set()

    def take_report(self) -> Report:
        """Return the current report to the watcher; each preview is returned once."""
        self.seen = time.monotonic()
        fresh = self.updated.is_set()
        self.updated.clear()
        now, at = self.report, self.progress
        passed = self.seen - self.started
        left = None if self.ends is None else max(0.0, self.ends - self.seen)
        plain = progress_text(at.step, at.total, at.stage, left, passed)
        preview = now.preview if fresh else None
        return Report(f"{now.text}, {passed:.0f} s", now.fraction, preview, plain)


class JobQueue:
    """Run the jobs of several clients.

    Args:
        jobs: The number of jobs at a time.
        longest: Seconds after which a job is stopped; its result so far is kept.
    """

    def __init__(self, jobs: int = 1, longest: float = math.inf) -> None:
        self._longest = longest
        self._caches: LifoQueue[MethodCache] = LifoQueue()
        for _ in range(jobs):
            self._caches.put(MethodCache())
        self._running: dict[Hashable, _Job] = {}
        self._lock = threading.Lock()

    def run(
        self, key: Hashable, work: Callable[[MethodCache, Callback], T]
    ) -> Generator[Report, None, Finished[T]]:
        """Run a job and yield its progress; closing the generator stops it.

        Args:
            key: The owner, for :meth:`stop`. Another job of this key is stopped first.
            work: Takes a method cache and the callback to report to.

        Yields:
            Progress, at least once a second.

        Returns:
            The outcome.

        Raises:
            CancelledError: It was stopped before there was a result.
            Exception: What the work raised.
        """
        job = _Job(self._longest)
        with self._lock:
            before = self._running.get(key)
            self._running[key] = job
        if before is not None:
            before.stopped.set()
        try:
            cache = yield from self._wait_for_cache(job)
            threading.Thread(
                target=self._work, args=(job, cache, work), name=_THREAD, daemon=True
            ).start()
            while not job.finished:
                job.updated.wait(REPORT_INTERVAL)
                report = job.take_report()
                if not job.finished:
                    yield report
            if job.error is not None:
                raise job.error
            return Finished(job.result, job.stopped.is_set(), time.monotonic() - job.started)
        finally:  # also if the generator is closed
            job.stopped.set()
            with self._lock:
                if self._running.get(key) is job:
                    del self._running[key]

    def stop(self, key: Hashable) -> bool:
        """Stop a job after the current step, keeping its result; return False if there is none."""
        with self._lock:
            job = self._running.get(key)
        if job is not None:
            job.stopped.set()
        return job is not None

    def close(self) -> None:
        """Stop all jobs."""
        with self._lock:
            jobs = list(self._running.values())
        for job in jobs:
            job.stopped.set()

    def __len__(self) -> int:
        """Return the number of jobs that run or wait for a method cache."""
        return len(self._running)

    def _wait_for_cache(self, job: _Job) -> Generator[Report, None, MethodCache]:
        while not job.stopped.is_set():
            try:
                cache = self._caches.get(timeout=REPORT_INTERVAL)
            except Empty:
                yield Report(text := "waiting for another job to finish", plain=text)
            else:
                job.started = time.monotonic()
                return cache
        raise CancelledError("stopped before it began")

    def _work(
        self, job: _Job, cache: MethodCache, work: Callable[[MethodCache, Callback], Any]
    ) -> None:
        try:
            job.result = work(cache, job)
        except BaseException as error:
            job.error = error
        finally:
            self._caches.put(cache)
            job.finished = True
            job.updated.set()


def _shrunk(picture: Image) -> Image:
    factor = _PREVIEW_EDGE / max(picture.size)
    if factor >= 1:
        return picture
    return picture.resized(*(max(1, round(s * factor)) for s in (picture.height, picture.width)))
