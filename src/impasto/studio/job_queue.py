"""Long jobs in threads, watched by people who may stop them or walk away.

A job runs in a thread of its own; who watches it gets reports from a generator. At most so many
run at a time, each at a bench, which keeps the methods that were built there.
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

from impasto.api.resolve import Brushes
from impasto.core.progress import Callback, Progress
from impasto.errors import CancelledError
from impasto.image import Image

T = TypeVar("T")

BEAT = 1.0  # seconds after which a watcher hears something, whatever the job does
FORGOTTEN = 60.0  # seconds after which a job that nobody asks about stops
_APART = 0.5  # seconds between two previews, at least
_SHARE = 0.1  # of a job's time that may go into previews
_LONGEST = 768  # long edge of a preview
_KEPT = 3  # kinds of brushes that a bench keeps


_THREAD = "impasto job"


def working(seconds: float) -> bool:
    """Whether threads of jobs still run, some seconds after their jobs were stopped.

    Args:
        seconds: To wait for them.
    """
    until = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name == _THREAD:
            thread.join(max(0.0, until - time.monotonic()))
    return any(thread.name == _THREAD for thread in threading.enumerate())


class Bench:
    """A place to work, with the methods that were built and the models that were opened there."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Hashable, ...], Brushes] = OrderedDict()

    def brushes(
        self, method: str | None, quality: str | None, settings: dict[str, str], kind: str = "style"
    ) -> Brushes:
        """Brushes of these numbers, those of before if there are some."""
        key = (method, quality, tuple(sorted(settings.items())), kind)
        made = self._kept.pop(key, None)
        if made is None:
            made = Brushes(method, quality=quality, settings=settings, kind=kind)
        self._kept[key] = made
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made


@dataclass(frozen=True, eq=False)
class Report:
    """How a job stands.

    Attributes:
        words: In a line.
        share: What is done of it, 0 to 1.
        preview: The picture as it stands, scaled down; None where there is no new one.
    """

    words: str
    share: float = 0.0
    preview: Image | None = None


@dataclass(frozen=True, eq=False)
class Done(Generic[T]):
    """What became of a job.

    Attributes:
        result: What it made.
        stopped: Whether it was stopped, and this is how far it came.
        seconds: What it took.
    """

    result: T
    stopped: bool
    seconds: float


@dataclass(eq=False)
class _Job:
    """What the thread of a job and its watcher share."""

    longest: float = math.inf
    stopped: threading.Event = field(default_factory=threading.Event)
    news: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)
    report: Report = field(default_factory=lambda: Report("loading"))
    over: bool = False
    result: Any = None
    error: BaseException | None = None
    _shown: float = 0.0
    _pause: float = _APART

    def __call__(self, progress: Progress) -> None:
        """Listen to the job: the callback that it gets."""
        now = time.monotonic()
        if now - self.started > self.longest:
            self.stopped.set()
        if self.stopped.is_set() or now - self.seen > FORGOTTEN:
            progress.cancel()
            return
        preview = None
        if progress.preview is not None and now - self._shown > self._pause:
            preview = _small(Image(progress.preview().detach().cpu().clamp(0, 1)))
            self._shown = time.monotonic()
            self._pause = max(_APART, (self._shown - now) / _SHARE)
        step = f"step {progress.step} of {progress.total}" if progress.total > 1 else ""
        words = ", ".join(filter(None, (step, progress.stage))) or "painting"
        kept = self.report.preview if preview is None and self.news.is_set() else preview
        self.report = Report(words, progress.step / max(1, progress.total), kept)
        self.news.set()

    def taken(self) -> Report:
        """The report of now, for the watcher; its preview is given once."""
        self.seen = time.monotonic()
        fresh = self.news.is_set()
        self.news.clear()
        now = self.report
        words = f"{now.words}, {time.monotonic() - self.started:.0f} s"
        return Report(words, now.share, now.preview if fresh else None)


class Desk:
    """Runs the jobs of many people.

    Args:
        jobs: How many at a time.
        longest: Seconds after which a job stops as if somebody had stopped it.
    """

    def __init__(self, jobs: int = 1, longest: float = math.inf) -> None:
        self._longest = longest
        self._benches: LifoQueue[Bench] = LifoQueue()
        for _ in range(jobs):
            self._benches.put(Bench())
        self._running: dict[Hashable, _Job] = {}
        self._lock = threading.Lock()

    def run(
        self, key: Hashable, work: Callable[[Bench, Callback], T]
    ) -> Generator[Report, None, Done[T]]:
        """Do some work, and tell how it stands; closing the generator stops it.

        Args:
            key: Whose it is, for :meth:`stop`. Another job of this key is stopped first.
            work: Gets a bench and the callback to report to.

        Yields:
            How it stands, once a second at least.

        Returns:
            What became of it.

        Raises:
            CancelledError: It was stopped before there was anything to keep.
            Exception: What the work raised.
        """
        job = _Job(self._longest)
        with self._lock:
            before = self._running.get(key)
            self._running[key] = job
        if before is not None:
            before.stopped.set()
        try:
            bench = yield from self._seat(job)
            threading.Thread(
                target=self._work, args=(job, bench, work), name=_THREAD, daemon=True
            ).start()
            while not job.over:
                job.news.wait(BEAT)
                report = job.taken()
                if not job.over:
                    yield report
            if job.error is not None:
                raise job.error
            return Done(job.result, job.stopped.is_set(), time.monotonic() - job.started)
        finally:  # also where nobody watches any more
            job.stopped.set()
            with self._lock:
                if self._running.get(key) is job:
                    del self._running[key]

    def stop(self, key: Hashable) -> bool:
        """Let a job end after this step, and keep what it has; False where there is none."""
        with self._lock:
            job = self._running.get(key)
        if job is not None:
            job.stopped.set()
        return job is not None

    def close(self) -> None:
        """Stop everything."""
        with self._lock:
            jobs = list(self._running.values())
        for job in jobs:
            job.stopped.set()

    def __len__(self) -> int:
        """How many jobs run or wait for a bench."""
        return len(self._running)

    def _seat(self, job: _Job) -> Generator[Report, None, Bench]:
        while not job.stopped.is_set():
            try:
                bench = self._benches.get(timeout=BEAT)
            except Empty:
                yield Report("waiting for the picture before yours to stop")
            else:
                job.started = time.monotonic()
                return bench
        raise CancelledError("stopped before it began")

    def _work(self, job: _Job, bench: Bench, work: Callable[[Bench, Callback], Any]) -> None:
        try:
            job.result = work(bench, job)
        except BaseException as error:
            job.error = error
        finally:
            self._benches.put(bench)
            job.over = True
            job.news.set()


def _small(picture: Image) -> Image:
    factor = _LONGEST / max(picture.size)
    if factor >= 1:
        return picture
    return picture.resized(*(max(1, round(s * factor)) for s in (picture.height, picture.width)))
