"""Update a module by Adam, with a moving average of its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from impasto.errors import DivergedError, InputError
from impasto.training.plan import Plan
from impasto.training.processes import Processes
from impasto.training.shift import paired
from impasto.training.task import Batch, Task


class Learner:
    """Trains a task's module.

    Args:
        task: Its module is moved to the device, and trained in place.
        plan: Hyperparameters of the training.
        processes: The processes that train together.

    Raises:
        InputError: The batch size is not a multiple of the number of processes.
    """

    def __init__(self, task: Task, plan: Plan, processes: Processes) -> None:
        if plan.batch % processes.world:
            raise InputError(
                f"a batch of {plan.batch} does not divide among {processes.world} processes: "
                "give a multiple"
            )
        self._task, self._plan, self._processes = task, plan, processes
        module: Any = task.module  # torch's type hints lack memory_format
        self._module: nn.Module = module.to(processes.device, memory_format=torch.channels_last)
        self._module.train()
        # Copied before the module is wrapped for mixed precision and several processes.
        self._average = (
            AveragedModel(self._module, multi_avg_fn=get_ema_multi_avg_fn(plan.ema))
            if plan.ema
            else None
        )
        self._wrapped = processes.wrap(self._module)
        learned = [weight for weight in self._module.parameters() if weight.requires_grad]
        self._optimizer = torch.optim.Adam(learned, lr=plan.learning_rate, betas=(0.9, plan.beta2))

    def step(self, step: int, pictures: Mapping[str, Tensor]) -> dict[str, float]:
        """Update the weights from one batch.

        Args:
            step: Steps done before this one.
            pictures: This process's part of the batch by source, (B, 3, S, S) each, in [0, 1].

        Returns:
            The losses by name, means over all processes.

        Raises:
            DivergedError: A loss is not finite; the weights are not updated.
        """
        plan, processes = self._plan, self._processes
        # Random draws of a task depend on step and process only, also in a resumed run.
        torch.manual_seed(
            ((plan.seed * 1_000_003 + step) * processes.world + processes.rank) % 2**63
        )
        moved = {
            name: batch.to(processes.device, memory_format=torch.channels_last)
            for name, batch in pictures.items()
        }
        batch = Batch(step, plan.batch // processes.world, moved, plan.steps)
        if plan.shift:
            batch = paired(batch, plan.shift)
        losses = self._task.loss(self._wrapped, batch)
        means = processes.mean(torch.stack([loss.detach().float() for loss in losses.values()]))
        by_name = dict(zip(losses, means, strict=True))
        if not all(math.isfinite(value) for value in means):
            raise DivergedError(_diverged(step, by_name))
        self._optimizer.zero_grad()
        processes.backward(losses["total"])
        self._update(plan.rate(step))
        return by_name

    def _update(self, rate: float) -> None:
        if self._plan.clip:
            nn.utils.clip_grad_norm_(self._module.parameters(), self._plan.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        if self._average is not None:
            self._average.update_parameters(self._module)

    def check(self, step: int) -> None:
        """Check that all weights are finite.

        A gradient that is not finite spoils the weights one step before the loss shows it.

        Raises:
            DivergedError: A weight is not finite.
        """
        if not all(bool(torch.isfinite(weight).all()) for weight in self._module.parameters()):
            raise DivergedError(_diverged(step, {}))

    def learned(self) -> nn.Module:
        """Return the module to store in the model, with averaged weights if the plan says so."""
        module: nn.Module = self._module if self._average is None else self._average.module
        return module

    def sample(self) -> Tensor | None:
        """Return the task's sample image, (1, 3, H, W) in [0, 1] on the CPU, or None.

        Only one process calls this, so it does not use the module that synchronises processes.
        """
        module = self.learned()
        modes = {part: part.training for part in module.modules()}
        module.eval()
        try:
            with torch.no_grad(), self._processes.autocast():
                picture = self._task.sample(module)
        finally:
            for part, mode in modes.items():
                part.training = mode
        return None if picture is None else picture.float().clamp(0, 1).cpu()

    def state(self) -> dict[str, Any]:
        """Return the state of module, moving average and optimizer, for :meth:`restore`."""
        return {
            "module": self._module.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load a state of :meth:`state`.

        Raises:
            InputError: It belongs to another module, or only one of them has averaged weights.
        """
        try:
            if (state["average"] is None) != (self._average is None):
                raise ValueError("only one of them has a running mean")
            self._module.load_state_dict(state["module"])
            self._optimizer.load_state_dict(state["optimizer"])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise InputError("the checkpoint is of another training") from error


def _diverged(step: int, losses: Mapping[str, float]) -> str:
    values = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
    return (
        f"training ran away at step {step + 1} ({values or 'weights are not finite'}): lower "
        "learning_rate, or set clip; the last checkpoint is kept"
    )
