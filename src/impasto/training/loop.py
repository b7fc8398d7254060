"""Train the module of a task by the loss of the task.

Random draws and batches of a step are seeded by its number. So a resumed run gives the same result
as an uninterrupted one, and two processes with half the batch each compute the same as one with the
whole batch (except for batch norms, whose statistics are those of the half).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.memory import keep_large_blocks
from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError
from impasto.training.checkpoint import Checkpoint
from impasto.training.data import BatchLoader, Source
from impasto.training.learner import Learner
from impasto.training.log import Log
from impasto.training.plan import Plan
from impasto.training.processes import Processes
from impasto.training.state import State
from impasto.training.task import Task
from impasto.training.threads import Threads, computing


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of a training.

    Attributes:
        module: The trained module on the CPU, in evaluation mode; with averaged weights if the plan
            asks for that.
        steps: Steps done, including those of earlier runs that were resumed.
        seconds: Duration of these steps.
        losses: For each loss its means over intervals of ``Plan.report_every`` steps; the last
            interval may be shorter.
        pictures: Number of images seen of each source.
        skipped: Files that could not be read.
        finished: Whether all steps were done.
        threads: Number of CPU threads at the end.
    """

    module: nn.Module
    steps: int
    seconds: float
    losses: Mapping[str, list[float]]
    pictures: int
    skipped: tuple[str, ...]
    finished: bool
    threads: int = 1


def train(
    task: Task,
    plan: Plan,
    *,
    sources: Mapping[str, Source] | None = None,
    runtime: Runtime,
    folder: Path | None = None,
    resume: bool = True,
    max_seconds: float | None = None,
    threads: int | None = None,
    callback: Callback = silent,
) -> Result:
    """Train a task's module.

    To train in several processes (``torchrun``, ``accelerate launch``), call this in each with the
    same arguments, and with a runtime from :func:`~impasto.training.processes.local`. Only the main
    process calls ``callback`` and writes files.

    Args:
        task: Module and loss.
        plan: Hyperparameters of the training.
        sources: The images for each of ``task.sources``.
        runtime: Device and number format; with bfloat16 the network runs under autocast.
        folder: For the checkpoint and the log; None writes nothing.
        resume: Resume from the checkpoint in ``folder`` if there is one.
        max_seconds: Stop with a checkpoint after this time; the next run can resume.
        threads: Number of CPU threads of each process; None starts with torch's own number, and
            reduces it while other programs keep the machine busy.
        callback: Called after every step; if it cancels, training stops with a checkpoint.

    Raises:
        InputError: A source is missing or has no readable image, or the checkpoint belongs to
            another training.
        MissingExtraError: The libraries of the extra ``train`` are not installed.
        DivergedError: The loss or a weight is not finite; the last checkpoint is kept.
        ImpastoError: The disk is full, or a worker process has died; the last checkpoint is kept.
    """
    missing = [name for name in task.sources if name not in (sources or {})]
    if missing:
        raise InputError(f"this training needs pictures for: {', '.join(missing)}")
    keep_large_blocks()
    run = _Run(task, plan, runtime, folder)
    if resume:
        run.state = run.checkpoint.resume(run.learner)
    writes = folder if run.processes.main else None
    with (
        computing(threads) as run.threads,
        Log(writes, run.state.step) as log,
        run.feed(sources or {}) as feed,
    ):
        return run.run_steps(feed, log, max_seconds, callback)


class _Run:
    """One process's part of a training."""

    threads: Threads

    def __init__(self, task: Task, plan: Plan, runtime: Runtime, folder: Path | None) -> None:
        self.task, self.plan, self.state = task, plan, State()
        self.processes = Processes(runtime)
        self.checkpoint = Checkpoint(folder, plan.seed, self.processes)
        self.learner = Learner(task, plan, self.processes)
        self.shows = type(task).sample is not Task.sample

    def feed(self, sources: Mapping[str, Source]) -> BatchLoader:
        return BatchLoader(
            {name: sources[name] for name in self.task.sources},
            batch=self.plan.batch,
            start=self.state.step,
            steps=self.plan.steps,
            seed=self.plan.seed,
            rank=self.processes.rank,
            world=self.processes.world,
            workers=self.plan.workers,
        )

    def run_steps(
        self, feed: BatchLoader, log: Log, max_seconds: float | None, callback: Callback
    ) -> Result:
        begun, before, state = time.monotonic(), self.state.seconds, self.state
        for pictures in feed:
            torch.set_num_threads(self.threads.number)
            losses = self.learner.step(state.step, pictures)
            state.count(losses)
            earlier, state.seconds = state.seconds, before + time.monotonic() - begun
            self.threads.record(state.seconds - earlier)
            over = max_seconds is not None and state.seconds - before > max_seconds
            stop = self.processes.any(over or self._cancels(callback, losses))
            last = state.step == self.plan.steps
            if last or state.step % self.plan.report_every == 0:
                log.report(state.step, state.close(), self.learner.sample, self.threads.number)
            if last or stop or state.step % self.plan.checkpoint_every == 0:
                state.skipped = self.processes.union({*state.skipped, *feed.skipped})
                self.checkpoint.save(state, self.learner)
            if stop:
                break
        return self._result()

    def _cancels(self, callback: Callback, losses: Mapping[str, float]) -> bool:
        if not self.processes.main:
            return False
        stage, preview = "training", self._preview if self.shows else None
        if self.threads.reduced:
            stage += f", on fewer threads ({self.threads.number}): the machine is busy"
        progress = Progress(self.state.step, self.plan.steps, losses, stage, preview)
        callback(progress)
        return progress.cancelled

    def _preview(self) -> Tensor:
        picture = self.learner.sample()
        return torch.zeros(1, 3, 8, 8) if picture is None else picture

    def _result(self) -> Result:
        state, module = self.state, self.learner.learned()
        state.close()
        self.processes.share_buffers(module)
        return Result(
            module.cpu().eval(),
            state.step,
            state.seconds,
            state.losses,
            state.step * self.plan.batch if self.task.sources else 0,
            tuple(state.skipped),
            state.step >= self.plan.steps,
            self.threads.number,
        )
