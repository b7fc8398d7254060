"""Run a job from its folder of images to its folder of results, or resume it."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from impasto.batch import cluster, local
from impasto.batch.job import Job
from impasto.batch.manifest import Manifest
from impasto.batch.plan import JOB, MANIFEST, Item, pictures, plan
from impasto.batch.worker import ENDED, Outcome, Worker
from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError, check_choice, check_range
from impasto.image import files

ENGINES = ("local", "ray")

_LOCK = ".impasto-batch.lock"


@dataclass(frozen=True)
class Failure:
    """An image that was not stylized.

    Attributes:
        picture: Its path in the job's folder.
        style: The label of its style.
        error: The reason.
    """

    picture: str
    style: str
    error: str


@dataclass(frozen=True)
class Report:
    """The outcome of a job.

    Attributes:
        total: The number of all results of the job.
        kept: Results that existed before.
        painted: Results made now.
        failures: Items that failed.
        seconds: Duration.
        cancelled: Whether it was stopped before its end.
        passed: The number of files and links in the folder that were passed over, by kind.
    """

    total: int
    kept: int
    painted: int
    failures: tuple[Failure, ...]
    seconds: float
    cancelled: bool = False
    passed: Mapping[str, int] = field(default_factory=dict)


def run(
    job: Job,
    out: str | os.PathLike[str],
    *,
    engine: str = "local",
    workers: int = 1,
    address: str | None = None,
    restart: bool = False,
    callback: Callback = silent,
) -> Report:
    """Run a job, or what is left of it.

    Args:
        job: The job.
        out: The folder of the results, of ``manifest.jsonl`` and of ``batch.json``, which describes
            the job; created if missing.
        engine: ``local`` (processes on this machine) or ``ray`` (a cluster).
        workers: The number of parallel workers.
        address: Of Ray's cluster, see :func:`impasto.batch.cluster.paint`.
        restart: Delete the results in the folder, also those of another job, and start again.
        callback: Called after every image; cancelling keeps what is finished.

    Returns:
        A report; images that fail are listed, and the others continue.

    Raises:
        InputError: The folder holds another job or is in use, or the job is invalid.
        ImpastoError: The engine cannot continue; what is finished is kept.
    """
    check_choice("engine", engine, ENGINES)
    check_range(1, workers=workers)
    if address is not None and engine != "ray":
        raise InputError('`address` is of a cluster: it needs `engine="ray"`')
    folder = Path(out).absolute()
    names, passed = pictures(Path(job.folder), folder)
    items = plan(job, folder, names)
    with _locked(folder):
        manifest = Manifest(folder, job)
        if not restart:
            _check_same_job(job, folder, items)
        existing = [] if restart else [item for item in items if (folder / item.output).is_file()]
        there = {item.output for item in existing}
        left = [item for item in items if item.output not in there]
        if left:
            Worker(job, folder).check()
        if restart:
            _delete_results(job, folder, items, manifest)
        _delete_partial_files(folder)
        files.write(f"{job.json()}\n".encode(), folder / JOB)
        manifest.begin(existing, passed)
        start = time.perf_counter()
        try:
            with closing(_engine(job, folder, left, engine, workers, address)) as outcomes:
                done = _record_outcomes(job, left, outcomes, manifest, callback)
        finally:
            _delete_partial_files(folder)
    failures, painted, cancelled = done
    seconds = time.perf_counter() - start
    return Report(len(items), len(existing), painted, failures, seconds, cancelled, passed)


def _engine(
    job: Job, out: Path, items: Sequence[Item], engine: str, workers: int, address: str | None
) -> Generator[Outcome, None, None]:
    if not items:
        return
    if engine == "ray":
        yield from cluster.paint(job, out, items, workers, address)
    else:
        yield from local.paint(job, out, items, workers)


def _record_outcomes(
    job: Job,
    items: Sequence[Item],
    outcomes: Iterable[Outcome],
    manifest: Manifest,
    callback: Callback,
) -> tuple[tuple[Failure, ...], int, bool]:
    """Record the outcomes in the manifest as they arrive.

    Returns:
        The failures, the number of images stylized, and whether the user cancelled.
    """
    waiting = {item.output: item for item in items}
    failures: list[Failure] = []
    start, painted = time.perf_counter(), 0

    def note(outcome: Outcome) -> None:
        item = waiting.pop(outcome.output)
        manifest.add(item, outcome)
        if outcome.error:
            failures.append(Failure(item.picture, job.styles[item.style].label, outcome.error))

    for outcome in outcomes:
        note(outcome)
        painted += not outcome.error
        done = len(items) - len(waiting)
        rate = done / (time.perf_counter() - start)
        progress = Progress(done, len(items), stage=f"{rate:.2f} pictures/s")
        callback(progress)
        if progress.cancelled:
            return tuple(failures), painted, bool(waiting)
    for output in list(waiting):  # items without an outcome, which the engine has given up
        note(Outcome(output, error=ENDED))
    return tuple(failures), painted, False


def _check_same_job(job: Job, out: Path, items: Sequence[Item]) -> None:
    """Check that the results in the folder belong to this job.

    Raises:
        InputError: They belong to another job, or to none.
    """
    if (out / JOB).is_file():
        _compare_jobs(out / JOB, job)
        return
    for item in items:
        if (out / item.output).exists():
            raise InputError(
                f"{out / item.output} is there already, and of no job: choose another folder, "
                f"or `restart=True` to paint over it"
            )


def _compare_jobs(path: Path, job: Job) -> None:
    ways = "choose another folder, or `restart=True` to delete what is there"
    try:
        before = Job.parse(path.read_text(encoding="utf-8"))
    except (InputError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a job ({error}): {ways}") from error
    differences = before.differences(job)
    if differences:
        summary = "; ".join(differences[:5])
        raise InputError(f"{path.parent} holds another job ({summary}): {ways}")


def _delete_results(job: Job, out: Path, items: Sequence[Item], manifest: Manifest) -> None:
    """Delete the results of this job and of the previous one, and nothing else."""
    given = {str(Path(job.folder).resolve() / item.picture) for item in items}
    given |= {style.source for style in job.styles}
    root = out.resolve()
    old = [output for output in manifest.outputs() if ".." not in Path(output).parts]
    paths = [root / output for output in (*old, *(item.output for item in items))]
    for path in paths:
        if str(path) in given:
            raise InputError(f"{path} is a result of the job before: choose another folder")
    for path in paths:
        if path.is_relative_to(root):  # else the line was not written by a job
            path.unlink(missing_ok=True)
    for name in (MANIFEST, JOB):
        (out / name).unlink(missing_ok=True)


def _delete_partial_files(out: Path) -> None:
    """Delete partial files left by processes that were ended."""
    for part in out.rglob(files.PART):
        with suppress(OSError):
            part.unlink()


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Lock a folder against other jobs.

    Raises:
        InputError: Another job works there, or the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / _LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise InputError(f"another batch works in {out}: wait for it") from None
    except OSError as error:
        raise InputError(f"cannot write in {out}: choose another folder") from error
    try:
        yield
    finally:
        lock.release()
