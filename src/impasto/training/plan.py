"""How long and how fast a training runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from impasto.errors import InputError

SCHEDULES = ("constant", "cosine", "step", "inverse")


@dataclass(frozen=True)
class Plan:
    """The numbers of the loop, whatever is trained.

    Attributes:
        steps: Of the whole run.
        batch: Pictures of a step, over all processes together.
        learning_rate: Adam's, at its height.
        beta2: Adam's decay of squared gradients.
        warmup: Steps in which the rate climbs from 0.
        schedule: What the rate does after the warm-up: ``constant``, ``cosine`` (to 0 at the end),
            ``step`` (times ``decay`` every ``decay_every`` steps), or ``inverse`` (over
            1 + ``decay`` * step).
        decay: The factor of ``step``, or the d of ``inverse``, 1 / (1 + d * step).
        decay_every: Steps between two drops of ``step``.
        decay_start: Steps before the first drop of ``step``; 0 means ``decay_every``.
        clip: Largest norm of the gradient; 0 leaves it as it is.
        shift: Weight of the shift consistency, see :mod:`impasto.training.shift`: every second
            photo is the one before it moved by a few pixels; 0 leaves it out.
        ema: Decay of the running mean of the weights that becomes the model; 0 takes the last
            weights instead.
        seed: Of the order of the pictures, of their crops, and of what the steps draw at random;
            the initial weights come with the module.
        checkpoint_every: Steps between two checkpoints.
        report_every: Steps between two lines of the log and sample pictures.
        workers: Processes that decode pictures for each one that learns; 0 leaves it to that one.
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
        """Refuse what makes no sense."""
        for name in ("steps", "batch", "decay_every", "checkpoint_every", "report_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: it must be 1 or more")
        for name in ("warmup", "workers", "clip", "seed", "shift", "decay_start"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: it must not be negative")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is {self.learning_rate}: it must be above 0")
        if not self.decay > 0:
            raise InputError(f"decay is {self.decay}: it must be above 0")
        for name in ("ema", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: it must be in [0, 1)")
        if self.schedule not in SCHEDULES:
            raise InputError(f"unknown schedule {self.schedule!r}: choose {', '.join(SCHEDULES)}")

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0.

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
