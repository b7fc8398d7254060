"""The hyperparameters of an optimisation, and the monitor that checks and reports its steps."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.core.progress import Callback, Progress
from impasto.errors import DivergedError, InputError, check_choice, check_range

LossFunction = Callable[[Tensor], Mapping[str, Tensor]]

OPTIMIZERS = ("lbfgs", "lbfgsb", "adam")

# a loss above this many times the best has diverged; 10 occurs in normal runs
_DIVERGENCE_FACTOR = 20.0


@dataclass(frozen=True, kw_only=True)
class SolverConfig:
    """Hyperparameters of an optimisation.

    Attributes:
        optimizer: ``lbfgs``; ``lbfgsb`` (SciPy's, keeps pixels within bounds); ``adam``.
        steps: Most steps.
        learning_rate: For L-BFGS the length of a quasi-Newton step; for Adam the change of a pixel
            in a step.
        history: Number of pairs of vectors that L-BFGS stores; a pair takes the memory of two
            images.
        spectrum: L-BFGS optimises Fourier coefficients in units of frequency to the power of minus
            this; 0 is plain pixels. See
            :func:`impasto.methods.optimization.solvers.coordinates`.
        bands: Number of bands of the Laplacian pyramid that Adam optimises; 1 is plain pixels.
        final_rate: Adam's learning rate decreases linearly to this fraction; 1 is constant. Large
            steps leave a grain in the image, which smaller ones at the end remove.
        averaging: Weight of the previous steps in the exponential average of Adam's images, which
            is the result; 0 is the image of the last step. The average removes the grain of large
            steps and of random draws.
        first_step: Mean change of a pixel in the first step of L-BFGS.
        tolerance: Stop when the loss has fallen by less than this fraction over ``patience`` steps;
            0 never stops early.
        patience: See ``tolerance``.
        redraw: For objectives that draw positions at random: number of steps after which L-BFGS
            and L-BFGS-B draw new ones, and clear their history, which belongs to the old ones.
            Adam draws at every step.
    """

    optimizer: str = "lbfgs"
    steps: int = 200
    learning_rate: float = 1.0
    history: int = 30
    spectrum: float = 0.5
    bands: int = 1
    final_rate: float = 1.0
    averaging: float = 0.0
    first_step: float = 0.002
    tolerance: float = 0.0
    patience: int = 20
    redraw: int = 10

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("steps", "history", "patience", "bands", "redraw"):
            check_range(1, **{name: getattr(self, name)})
        if not 0 <= self.averaging < 1:
            raise InputError(f"averaging is {self.averaging}: it must be at least 0 and below 1")
        if not self.learning_rate > 0 or not self.first_step > 0:
            raise InputError("learning_rate and first_step must be above 0")
        check_range(0, 1, final_rate=self.final_rate)


class Stop(Exception):  # noqa: N818 (not an error)
    """Raised within an optimiser's step to end the run."""


class Monitor:
    """Counts, checks and reports the steps of an optimisation, and stores the best image.

    An objective whose attribute ``stochastic`` is true has the same random numbers in each
    evaluation until :meth:`redraw`, since line searches and the curvature estimates of L-BFGS
    compare several evaluations.

    Args:
        objective: Maps an image (1, 3, H, W) to named scalars, of which ``total`` is minimised.
        config: Of the optimisation.
        callback: Called after every step.
        frame: Position of this run in a longer job.
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
        """Draw new random numbers for a stochastic objective, and reset the best loss."""
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
        """Compute the loss of an image (1, 3, H, W), and store the image if it is the best.

        Raises:
            DivergedError: The loss is not finite, or far above the best without a line search.
        """
        losses = self._losses(image)
        self.losses = {name: float(value.detach()) for name, value in losses.items()}
        total = self.losses["total"]
        # a line search may evaluate distant images and return, so a large loss is no divergence
        searching = self.has_line_search and math.isfinite(total)
        if not searching and not total <= _DIVERGENCE_FACTOR * self.best + 1e-30:
            raise DivergedError(f"the loss ran away at step {self.steps + 1} ({total:.3g})")
        if total < self.best:
            self.best, self.best_losses = total, self.losses
            self.best_image = image.detach().clone()
        return losses["total"]

    @property
    def has_line_search(self) -> bool:
        """Check whether the optimiser has a line search: L-BFGS-B, and L-BFGS after a restart."""
        optimizer = self.config.optimizer
        return optimizer == "lbfgsb" or (optimizer == "lbfgs" and self.restarts > 0)

    def step(self, image: Tensor) -> None:
        """Report a finished step.

        Args:
            image: The image after the step, (1, 3, H, W).

        Raises:
            Stop: The run is cancelled, has taken all its steps, or no longer improves.
        """
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
    def evaluate_last(self) -> None:
        """Evaluate the image of the last step, so that it counts for the best image."""
        if self.last is not None:
            if self.config.averaging:  # the average is the result even if an image was better
                self.best = math.inf
            with contextlib.suppress(DivergedError):
                self.evaluate(self.last.detach())

    def _flat(self) -> bool:
        window = self.config.patience
        if not self.config.tolerance or len(self.trace) <= window:
            return False
        before, now = min(self.trace[:-window]), min(self.trace[-window:])
        return before - now < self.config.tolerance * abs(before)
