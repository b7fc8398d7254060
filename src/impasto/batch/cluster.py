"""Run a job on a cluster through Ray Data; Ray restarts the actor of a worker that dies."""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from impasto.batch.job import Job
from impasto.batch.local import threads_per_worker
from impasto.batch.plan import Item
from impasto.batch.worker import ENDED, Outcome, Worker
from impasto.errors import ImpastoError, MissingExtraError
from impasto.image import files

_TRIES = 3  # an image is given up after this many actors died on it
_MOST_BLOCKS = 10_000  # Ray tasks; a million images give blocks of a hundred


def paint(
    job: Job, out: Path, items: Sequence[Item], workers: int, address: str | None = None
) -> Generator[Outcome, None, None]:
    """Stylize items by several actors.

    Args:
        job: The job; its folder is on storage that every machine sees under this name.
        out: The folder of the results, likewise.
        items: The items to stylize.
        workers: The number of actors.
        address: Of a running cluster; ``auto`` is this machine's; None starts one here for the
            duration of the job.

    Yields:
        One outcome for each item, in order of completion; none for blocks that Ray has given up.

    Raises:
        MissingExtraError: Ray is not installed.
        ImpastoError: Ray cannot start, or gives up.
    """
    ray = _ray()
    workers = max(1, min(workers, len(items)))
    started = not ray.is_initialized()
    if started:
        _start(ray, address, workers)
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.max_errored_blocks = -1  # the other blocks continue
        context.enable_progress_bars = False
        per_worker = _processors_each(
            [node["Resources"].get("CPU", 0) for node in ray.nodes()], workers
        )
        rows = [asdict(item) for item in items]
        # one row per block: a dead actor loses one image
        pictures = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))
        painted = pictures.map_batches(
            _Actor,
            fn_constructor_args=(job.json(), str(out), per_worker),
            batch_size=None,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2),
            num_cpus=per_worker,
            num_gpus=_gpus(ray, job, workers),
        )
        for row in painted.iter_rows():
            seconds = float(row["seconds"])
            spent = None if math.isnan(seconds) else seconds
            yield Outcome(str(row["output"]), spent, str(row["error"]), str(row["note"]))
    except ray.exceptions.RayError as error:
        raise ImpastoError(
            f"Ray gave up ({_first_line(error)}): the same command resumes"
        ) from error
    finally:
        if started:
            ray.shutdown()


class _Actor:
    """A worker in a Ray actor."""

    def __init__(self, job: str, out: str, share: int) -> None:
        import torch

        torch.set_num_threads(share)
        self._worker, self._out = Worker(Job.parse(job), Path(out)), Path(out)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Stylize a block of items; existing results count as done."""
        columns = ("picture", "style", "seed", "output")
        rows = zip(*(batch[name].tolist() for name in columns), strict=True)
        outcomes = [self._paint(Item(*row)) for row in rows]
        return {
            "output": [one.output for one in outcomes],
            "seconds": [math.nan if one.seconds is None else one.seconds for one in outcomes],
            "error": [one.error for one in outcomes],
            "note": [one.note for one in outcomes],
        }

    def _paint(self, item: Item) -> Outcome:
        """Stylize an image, unless too many actors died on it: Ray itself retries without limit."""
        name = hashlib.sha256(item.output.encode(errors="surrogateescape")).hexdigest()[:16]
        tries = self._out / files.PART.replace("*", name)
        try:
            count = tries.stat().st_size if tries.exists() else 0
            if count >= _TRIES:
                return Outcome(item.output, error=ENDED)
            tries.write_bytes(bytes(count + 1))
        except OSError as error:
            return Outcome(item.output, error=f"cannot write in {self._out}: {error.strerror}")
        outcome = self._worker.paint(item)
        tries.unlink(missing_ok=True)
        return outcome


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtraError('`engine="ray"`', "ray") from None
    return ray


def _start(ray: Any, address: str | None, workers: int) -> None:
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # keep the progress bar clean
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # send no usage statistics
        count = workers * threads_per_worker(workers)
        options |= {"address": "local", "num_cpus": count, "include_dashboard": False}
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises a bare one if it starts too slowly
        if address is None:
            raise ImpastoError(f"Ray cannot start: {_first_line(error)}") from error
        raise ImpastoError(
            f"Ray cannot reach the cluster at {address} ({_first_line(error)}): check the address, "
            f"and RAY_AUTH_MODE and RAY_AUTH_TOKEN if the cluster asks for a token"
        ) from error


def _processors_each(processors: Sequence[float], workers: int) -> int:
    """Return the largest number of processors that each worker can have on the given machines.

    Example:
        >>> _processors_each([4, 4], 3), _processors_each([1, 7], 2), _processors_each([2], 5)
        (2, 3, 1)
    """
    able = (
        per_worker
        for per_worker in range(int(max(processors, default=1)), 1, -1)
        if sum(count // per_worker for count in processors) >= workers
    )
    return next(able, 1)


def _gpus(ray: Any, job: Job, workers: int) -> float:
    """Return the fraction of a GPU that each worker gets, in steps of 0.01."""
    there = 0.0 if job.device == "cpu" else float(ray.cluster_resources().get("GPU", 0))
    return min(1.0, math.floor(100 * there / workers) / 100)


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
