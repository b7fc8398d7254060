"""Hyperparameters of the training loop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from impasto.errors import InputError, check_choice, check_range

SCHEDULES = ("constant", "cosine", "step", "inverse")


@dataclass(frozen=True)
class Plan:
    """Hyperparameters of the training loop, for any task.

    Attributes:
        steps: Number of steps.
        batch: Images per step, over all processes together.
        learning_rate: Adam's learning rate at its highest.
        beta2: Adam's decay of the mean of squared gradients, in [0, 1).
        warmup: Steps in which the learning rate rises linearly from 0.
        schedule: Learning rate after the warm-up: ``constant``, ``cosine`` (to 0 at the end),
            ``step`` (times ``decay`` every ``decay_every`` steps), or ``inverse`` (divided by
            1 + ``decay`` * step).
        decay: Factor of the schedule ``step``, or coefficient of ``inverse``.
        decay_every: Steps between two reductions of ``step``.
        decay_start: Steps before the first reduction of ``step``; 0 means ``decay_every``.
        clip: Maximum norm of the gradient; 0 does not clip.
        shift: Weight of the shift consistency loss, see :mod:`impasto.training.shift`: every second
            content image is the one before it moved by a few pixels; 0 leaves it out.
        ema: Decay of the exponential moving average of the weights that becomes the model, in
            [0, 1); 0 takes the last weights.
        seed: Seed of the order of the images, of their crops, and of random draws in the steps; not
            of the initial weights, which come with the module.
        checkpoint_every: Steps between two checkpoints.
        report_every: Steps between two reports in the log.
        workers: Worker processes per training process that decode images; 0 decodes in the training
            process.

    Raises:
        InputError: A value is out of range, or the schedule is unknown.
    """

    steps: int = 2000
    batch: int = 4
    learning_rate: float = 1e-3
    beta2: float = 0.999
    warmup: int = 0
    schedule: str = "constant"
    decay: float = 0.8
    decay_every: int = 1000
    decay_start: int = 0
    clip: float = 0.0
    shift: float = 0.0
    ema: float = 0.0
    seed: int = 0
    checkpoint_every: int = 500
    report_every: int = 100
    workers: int = 1

    def __post_init__(self) -> None:
        """Raise an error for values out of range."""
        for name in ("steps", "batch", "decay_every", "checkpoint_every", "report_every"):
            check_range(1, **{name: getattr(self, name)})
        for name in ("warmup", "workers", "clip", "seed", "shift", "decay_start"):
            check_range(0, **{name: getattr(self, name)})
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is {self.learning_rate}: it must be above 0")
        if not self.decay > 0:
            raise InputError(f"decay is {self.decay}: it must be above 0")
        for name in ("ema", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: it must be in [0, 1)")
        check_choice("schedule", self.schedule, SCHEDULES)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        Example:
            >>> plan = Plan(steps=100, learning_rate=1.0, warmup=4, schedule="cosine")
            >>> [round(plan.rate(step), 2) for step in (0, 3, 4, 52, 99)]
            [0.25, 1.0, 1.0, 0.5, 0.0]
        """
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        if self.schedule == "cosine":
            done = (step - self.warmup) / max(1, self.steps - self.warmup)
            return self.learning_rate * (1 + math.cos(math.pi * min(1.0, done))) / 2
        if self.schedule == "step":
            first = self.decay_start or self.decay_every
            return self.learning_rate * self.decay ** max(0, (step - first) // self.decay_every + 1)
        if self.schedule == "inverse":
            return self.learning_rate / (1 + self.decay * step)
        return self.learning_rate
