"""What learns: a module, Adam's memory of its gradients, the running mean of its weights."""

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
    """A task's module in training.

    Args:
        task: Its module is moved to the device, and learns in place.
        plan: How fast.
        processes: Who else learns it.
    """

    def __init__(self, task: Task, plan: Plan, processes: Processes) -> None:
        if plan.batch % processes.world:
            raise InputError(
                f"a batch of {plan.batch} does not divide among {processes.world} processes: "
                "give a multiple"
            )
        self._task, self._plan, self._processes = task, plan, processes
        module: Any = task.module  # torch leaves memory_format out of its types
        self._module: nn.Module = module.to(processes.device, memory_format=torch.channels_last)
        self._module.train()
        # Before it is wrapped: the copy is to hold nothing but the module.
        self._average = (
            AveragedModel(self._module, multi_avg_fn=get_ema_multi_avg_fn(plan.ema))
            if plan.ema
            else None
        )
        self._wrapped = processes.wrap(self._module)
        learned = [weight for weight in self._module.parameters() if weight.requires_grad]
        self._optimizer = torch.optim.Adam(learned, lr=plan.learning_rate, betas=(0.9, plan.beta2))

    def step(self, step: int, pictures: Mapping[str, Tensor]) -> dict[str, float]:
        """Learn from one batch.

        Args:
            step: Steps done before this one.
            pictures: This process's part of the batch, (B, 3, S, S) each.

        Returns:
            The losses, means over all processes.

        Raises:
            DivergedError: One of them is not finite; nothing was learned from it.
        """
        plan, processes = self._plan, self._processes
        # What a task draws at random is then the step's own, resumed or not, in every process.
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
        told = dict(zip(losses, means, strict=True))
        if not all(math.isfinite(value) for value in means):
            raise DivergedError(_ran_away(step, told))
        self._optimizer.zero_grad()
        processes.backward(losses["total"])
        self._update(plan.rate(step))
        return told

    def _update(self, rate: float) -> None:
        if self._plan.clip:
            nn.utils.clip_grad_norm_(self._module.parameters(), self._plan.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        if self._average is not None:
            self._average.update_parameters(self._module)

    def check(self, step: int) -> None:
        """Make sure that the weights are worth keeping.

        A gradient that is not finite spoils the weights one step before a loss tells of it.

        Raises:
            DivergedError: A weight is not finite.
        """
        if not all(bool(torch.isfinite(weight).all()) for weight in self._module.parameters()):
            raise DivergedError(_ran_away(step, {}))

    def learned(self) -> nn.Module:
        """The module as the model will hold it: the running mean, if the plan asks for one."""
        module: nn.Module = self._module if self._average is None else self._average.module
        return module

    def sample(self) -> Tensor | None:
        """The task's picture, (1, 3, H, W) in [0, 1] on the CPU; None where it shows nothing.

        Only this process takes part, so it calls the module itself.
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
        """All that a later run needs to go on to the bit."""
        return {
            "module": self._module.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            InputError: It is of another module, or only one of them has a running mean.
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


def _ran_away(step: int, losses: Mapping[str, float]) -> str:
    told = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
    return (
        f"training ran away at step {step + 1} ({told or 'weights are not finite'}): lower "
        "learning_rate, or set clip; the last checkpoint is kept"
    )
