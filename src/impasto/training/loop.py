"""The training loop. It knows nothing about style: a task hands it a module and a loss.

Every step is a function of the state and of its number: what is drawn at random in it is seeded by
the number, and the batches are counted, not streamed. So a run that was killed goes on as if it had
not been, and two processes with half the batch each do what one does with the whole.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from impasto.errors import DivergedError, InputError
from impasto.progress import Callback, Progress, silent
from impasto.runtime import Runtime, keep_large_blocks
from impasto.training import checkpoint
from impasto.training.data import Feed, Source
from impasto.training.log import Log
from impasto.training.plan import Plan
from impasto.training.task import Batch, Task


@dataclass(frozen=True, eq=False)
class Result:
    """What a training made.

    Attributes:
        module: The learned module on the CPU, in evaluation mode: the running mean of its weights
            if the plan asks for one.
        steps: Steps done, over all runs that were resumed.
        seconds: Time they took.
        losses: Every loss, one number for each report of ``Plan.report_every`` steps: the mean
            since the report before.
        pictures: Pictures seen.
        skipped: Files that could not be read.
        finished: Whether all steps were done.
    """

    module: nn.Module
    steps: int
    seconds: float
    losses: Mapping[str, list[float]]
    pictures: int
    skipped: tuple[str, ...]
    finished: bool


@dataclass
class _State:
    """What a checkpoint holds beside the weights."""

    step: int = 0
    seconds: float = 0.0
    losses: dict[str, list[float]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def train(
    task: Task,
    plan: Plan,
    *,
    sources: Mapping[str, Source] | None = None,
    runtime: Runtime,
    folder: Path | None = None,
    resume: bool = True,
    max_seconds: float | None = None,
    callback: Callback = silent,
) -> Result:
    """Train a task's module.

    Args:
        task: What to learn.
        plan: How long and how fast.
        sources: Where the pictures of each of ``task.sources`` come from.
        runtime: Device and number format; with bfloat16 the network runs under autocast.
        folder: For the checkpoint and the log; None writes nothing.
        resume: Go on from the checkpoint in ``folder`` if there is one.
        max_seconds: Stop after so long, with a checkpoint; the next run goes on.
        callback: Called after every step; cancelling stops like ``max_seconds``.

    Raises:
        InputError: A source is missing, or the checkpoint is of another run.
        DivergedError: The loss is not finite; the last checkpoint stays.
    """
    missing = [name for name in task.sources if name not in (sources or {})]
    if missing:
        raise InputError(f"this training needs pictures for: {', '.join(missing)}")
    keep_large_blocks()
    run = _Run(task, plan, runtime, folder)
    if resume:
        run.resume()
    with Log(folder if run.main else None) as log, run.feed(sources or {}) as feed:
        return run.go(feed, log, max_seconds, callback)


class _Run:
    """One process's share of a training."""

    def __init__(self, task: Task, plan: Plan, runtime: Runtime, folder: Path | None) -> None:
        reduced = runtime.dtype is torch.bfloat16
        on_cpu = runtime.device.type == "cpu"
        self.accelerator = Accelerator(mixed_precision="bf16" if reduced else "no", cpu=on_cpu)
        world = self.accelerator.num_processes
        if plan.batch % world:
            raise InputError(f"a batch of {plan.batch} does not divide among {world} processes")
        self.task, self.plan, self.state = task, plan, _State()
        self.path = folder / "checkpoint.pt" if folder else None
        self.main = self.accelerator.is_main_process
        module = task.module.to(self.accelerator.device, memory_format=torch.channels_last)
        module.train()
        self.average = (
            AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(plan.ema), use_buffers=False)
            if plan.ema
            else None
        )
        learned = [weight for weight in module.parameters() if weight.requires_grad]
        adam = torch.optim.Adam(learned, lr=plan.learning_rate, betas=(0.9, plan.beta2))
        self.module, self.optimizer = self.accelerator.prepare(module, adam)

    @property
    def bare(self) -> nn.Module:
        module: nn.Module = self.accelerator.unwrap_model(self.module)
        return module

    def feed(self, sources: Mapping[str, Source]) -> Feed:
        used = {name: sources[name] for name in self.task.sources}
        return Feed(
            used,
            batch=self.plan.batch,
            start=self.state.step,
            steps=self.plan.steps,
            seed=self.plan.seed,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
            workers=self.plan.workers,
        )

    def go(self, feed: Feed, log: Log, max_seconds: float | None, callback: Callback) -> Result:
        begun, before = time.monotonic(), self.state.seconds
        sums: dict[str, float] = {}
        since, stop = 0, False
        for pictures in feed:
            losses = self._step(pictures)
            state, plan = self.state, self.plan
            state.seconds = before + time.monotonic() - begun
            since += 1
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
            over = max_seconds is not None and state.seconds - before > max_seconds
            progress = Progress(state.step, plan.steps, losses, "training", self._preview)
            if self.main:
                callback(progress)
            stop = self._agree(over or progress.cancelled)
            if state.step % plan.report_every == 0 or state.step == plan.steps or stop:
                for name, value in sums.items():
                    state.losses.setdefault(name, []).append(value / since)
                log.report(state.step, {n: v / since for n, v in sums.items()}, self._preview)
                sums, since = {}, 0
            if state.step % plan.checkpoint_every == 0 or state.step == plan.steps or stop:
                state.skipped = sorted({*state.skipped, *feed.skipped})
                self.save()
            if stop:
                break
        return self._result()

    def _step(self, pictures: Mapping[str, Tensor]) -> dict[str, float]:
        """One step; the losses are the means over all processes."""
        state, plan, accelerator = self.state, self.plan, self.accelerator
        world, rank = accelerator.num_processes, accelerator.process_index
        torch.manual_seed((plan.seed * 1_000_003 + state.step) * world + rank)
        for group in self.optimizer.param_groups:
            group["lr"] = plan.rate(state.step)
        moved = {
            name: batch.to(accelerator.device, memory_format=torch.channels_last)
            for name, batch in pictures.items()
        }
        losses = self.task.loss(self.module, Batch(state.step, plan.batch // world, moved))
        names = list(losses)
        values = torch.stack([losses[name].detach().float() for name in names])
        means = accelerator.reduce(values, "mean").tolist()
        if not all(math.isfinite(value) for value in means):
            told = ", ".join(f"{n} {v:.3g}" for n, v in zip(names, means, strict=True))
            raise DivergedError(
                f"training ran away at step {state.step + 1} ({told}): lower learning_rate, "
                f"or set clip; the last checkpoint is kept"
            )
        self.optimizer.zero_grad()
        accelerator.backward(losses["total"])
        if plan.clip:
            accelerator.clip_grad_norm_(self.module.parameters(), plan.clip)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.bare)
        state.step += 1
        return dict(zip(names, means, strict=True))

    def _agree(self, stop: bool) -> bool:
        """Whether any process wants to stop: all do, or none."""
        if self.accelerator.num_processes == 1:
            return stop
        flag = torch.tensor([float(stop)], device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum").item())

    def learned(self) -> nn.Module:
        """The module as the model will hold it."""
        if self.average is None:
            return self.bare
        module: nn.Module = self.average.module
        for name, buffer in self.bare.named_buffers():  # of batch norms: counted, not averaged
            module.get_buffer(name).copy_(buffer)
        return module

    def _preview(self) -> Tensor:
        module = self.learned()
        trained = module.training
        module.eval()
        with torch.no_grad(), self.accelerator.autocast():
            picture = self.task.sample(module)
        module.train(trained)
        return torch.zeros(1, 3, 8, 8) if picture is None else picture.float().clamp(0, 1).cpu()

    def save(self) -> None:
        if self.path is not None and self.main:
            average = None if self.average is None else self.average.state_dict()
            checkpoint.save(
                self.path,
                {
                    **asdict(self.state),
                    "seed": self.plan.seed,
                    "module": self.bare.state_dict(),
                    "average": average,
                    "optimizer": self.optimizer.state_dict(),
                },
            )
        self.accelerator.wait_for_everyone()

    def resume(self) -> None:
        if self.path is None or not self.path.is_file():
            return
        kept = checkpoint.load(self.path)
        try:
            self.bare.load_state_dict(kept["module"])
            self.optimizer.load_state_dict(kept["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(kept["average"])
            self.state = _State(**{key: kept[key] for key in _State.__dataclass_fields__})
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.path} belongs to another training: delete it, or give another output"
            ) from error
        if kept["seed"] != self.plan.seed:
            raise InputError(f"{self.path} was begun with seed {kept['seed']}: give the same")

    def _result(self) -> Result:
        state = self.state
        return Result(
            self.learned().cpu().eval(),
            state.step,
            state.seconds,
            state.losses,
            state.step * self.plan.batch if self.task.sources else 0,
            tuple(state.skipped),
            state.step >= self.plan.steps,
        )


def summary(values: Mapping[str, list[float]]) -> dict[str, Any]:
    """The last report of every loss."""
    return {name: series[-1] for name, series in values.items() if series}
