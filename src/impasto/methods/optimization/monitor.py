"""One descent as seen from outside: its numbers, and who counts, checks and reports its steps."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.core.progress import Callback, Progress
from impasto.errors import DivergedError, InputError

LossFunction = Callable[[Tensor], Mapping[str, Tensor]]

OPTIMIZERS = ("lbfgs", "lbfgsb", "adam")

_RUNAWAY = 20.0  # times the best loss so far; healthy excursions stay below ten


@dataclass(frozen=True, kw_only=True)
class SolverConfig:
    """How to descend.

    Attributes:
        optimizer: ``lbfgs``; ``lbfgsb`` (SciPy's, keeps pixels within bounds); ``adam``.
        steps: The most steps to take.
        learning_rate: For L-BFGS the length of a quasi-Newton step, for Adam the pixel step.
        history: Pairs of vectors that L-BFGS keeps; each costs twice the image.
        spectrum: L-BFGS descends on the picture's Fourier coefficients, each measured in units of
            frequency to the power of minus this; 0 is plain pixels. See
            :func:`impasto.methods.optimization.descents.coordinates`.
        bands: Adam descends on the coefficients of a Laplacian pyramid of so many bands; 1 is plain
            pixels.
        final_rate: Adam's learning rate falls linearly to this part of itself; 1 leaves it. Large
            steps leave a grain, which small ones at the end take away.
        first_step: How far L-BFGS moves a pixel in its first step, on average.
        tolerance: Stop when the loss fell by less than this fraction over ``patience`` steps;
            0 never stops early.
        patience: See ``tolerance``.
        redraw: Steps of L-BFGS and L-BFGS-B with the same random draws, for objectives that draw
            positions at random; then they draw anew and forget their history, which belongs to the
            old draws. Adam draws at every step.
    """

    optimizer: str = "lbfgs"
    steps: int = 200
    learning_rate: float = 1.0
    history: int = 30
    spectrum: float = 0.5
    bands: int = 1
    final_rate: float = 1.0
    first_step: float = 0.002
    tolerance: float = 0.0
    patience: int = 20
    redraw: int = 10

    def __post_init__(self) -> None:
        """Raise for settings that cannot run."""
        if self.optimizer not in OPTIMIZERS:
            raise InputError(
                f"unknown optimizer {self.optimizer!r}: choose {', '.join(OPTIMIZERS)}"
            )
        for name in ("steps", "history", "patience", "bands", "redraw"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not self.learning_rate > 0 or not self.first_step > 0:
            raise InputError("learning_rate and first_step must be above 0")
        if not 0 <= self.final_rate <= 1:
            raise InputError(f"final_rate is {self.final_rate}: it must be 0 to 1")


class Stop(Exception):  # noqa: N818 (no error: the way out)
    """Raised within the optimizer's step to leave it."""


class Watch:
    """Counts, checks and reports the evaluations, and keeps the best image.

    An objective whose attribute ``stochastic`` is true gets the same random numbers at each
    evaluation until :meth:`redraw`: a line search, and the curvature that L-BFGS takes from two
    gradients, need one function.
    """

    def __init__(
        self, objective: LossFunction, config: SolverConfig, callback: Callback, frame: Progress
    ) -> None:
        self.objective, self.config, self.callback, self.frame = objective, config, callback, frame
        self.steps = 0
        self.best = math.inf
        self.best_image: Tensor | None = None
        self.best_losses: Mapping[str, float] = {}
        self.trace: list[float] = []
        self.last: Tensor | None = None
        self.cancelled = False
        self.restarts = 0
        self.stochastic = bool(getattr(objective, "stochastic", False))
        self._seed = int(torch.randint(2**31, ())) if self.stochastic else 0

    def redraw(self) -> None:
        """Let a stochastic objective draw anew; losses of other draws do not compare with it."""
        if self.stochastic:
            self._seed += 1
            self.best = math.inf

    def _losses(self, image: Tensor) -> Mapping[str, Tensor]:
        if not self.stochastic:
            return self.objective(image)
        with torch.random.fork_rng([image.device] if image.device.type == "cuda" else []):
            torch.manual_seed(self._seed)
            return self.objective(image)

    def evaluate(self, image: Tensor) -> Tensor:
        """The loss of an image, with the best one so far kept; the image must not be NaN."""
        losses = self._losses(image)
        self.losses = {name: float(value.detach()) for name, value in losses.items()}
        total = self.losses["total"]
        # a line search may look far and come back, so only those without one can run away
        searching = self.searches and math.isfinite(total)
        if not searching and not total <= _RUNAWAY * self.best + 1e-30:
            raise DivergedError(f"the loss ran away at step {self.steps + 1} ({total:.3g})")
        if total < self.best:
            self.best, self.best_losses = total, self.losses
            self.best_image = image.detach().clone()
        return losses["total"]

    @property
    def searches(self) -> bool:
        """Whether steps come out of a line search: in L-BFGS-B, and in L-BFGS after trouble."""
        optimizer = self.config.optimizer
        return optimizer == "lbfgsb" or (optimizer == "lbfgs" and self.restarts > 0)

    def step(self, image: Tensor) -> None:
        """Report a finished step; leaves the run when cancelled or flat."""
        self.steps += 1
        self.last = image
        self.trace.append(self.losses["total"])
        report = Progress(
            self.frame.step + self.steps,
            self.frame.total,
            self.losses,
            self.frame.stage,
            lambda: image.detach().clamp(0, 1),
        )
        self.callback(report)
        self.cancelled = report.cancelled
        if self.cancelled or self.steps >= self.config.steps or self._flat():
            raise Stop

    @torch.no_grad()
    def look_at_last(self) -> None:
        """Evaluate where the last step led, which no further step did."""
        if self.last is not None:
            with contextlib.suppress(DivergedError):
                self.evaluate(self.last.detach())

    def _flat(self) -> bool:
        window = self.config.patience
        if not self.config.tolerance or len(self.trace) <= window:
            return False
        before, now = min(self.trace[:-window]), min(self.trace[-window:])
        return before - now < self.config.tolerance * abs(before)
