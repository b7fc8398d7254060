"""The solver: an image is the parameter, and steps downhill on an objective.

L-BFGS (Gatys' choice), L-BFGS with bounds on the pixels, or Adam. Every step is reported, a
runaway is caught with the last good picture kept, and a cancelled run returns what there is.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.errors import DivergedError, InputError
from impasto.progress import Callback, Progress, silent

LossFunction = Callable[[Tensor], Mapping[str, Tensor]]

OPTIMIZERS = ("lbfgs", "lbfgsb", "adam")

_RUNAWAY = 20.0  # times the best loss so far; healthy excursions stay below ten
_RESTARTS = 3


@dataclass(frozen=True, kw_only=True)
class SolverConfig:
    """How to descend.

    Attributes:
        optimizer: ``lbfgs``; ``lbfgsb`` (SciPy's, keeps pixels within bounds); ``adam``.
        steps: The most steps to take.
        learning_rate: For L-BFGS the length of a quasi-Newton step, for Adam the pixel step.
        history: Pairs of vectors that L-BFGS keeps; each costs twice the image.
        spectrum: L-BFGS descends on the picture's Fourier coefficients, each measured in units of
            frequency to the power of minus this; 0 is plain pixels. See :func:`_coordinates`.
        first_step: How far L-BFGS moves a pixel in its first step, on average.
        tolerance: Stop when the loss fell by less than this fraction over ``patience`` steps;
            0 never stops early.
        patience: See ``tolerance``.
    """

    optimizer: str = "lbfgs"
    steps: int = 200
    learning_rate: float = 1.0
    history: int = 30
    spectrum: float = 0.5
    first_step: float = 0.002
    tolerance: float = 0.0
    patience: int = 20

    def __post_init__(self) -> None:
        """Refuse what cannot run."""
        if self.optimizer not in OPTIMIZERS:
            raise InputError(
                f"unknown optimizer {self.optimizer!r}: choose {', '.join(OPTIMIZERS)}"
            )
        for name in ("steps", "history", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not self.learning_rate > 0 or not self.first_step > 0:
            raise InputError("learning_rate and first_step must be above 0")


@dataclass(frozen=True)
class Result:
    """What a run ended with.

    Attributes:
        image: (1, 3, H, W), not clamped.
        losses: Of that image.
        cancelled: Whether a listener stopped the run.
    """

    image: Tensor
    losses: Mapping[str, float]
    cancelled: bool


class _Stop(Exception):  # noqa: N818 (no error: the way out)
    """Raised within the optimizer's step to leave it."""


class _Watch:
    """Counts, checks and reports the evaluations, and keeps the best image."""

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

    def evaluate(self, image: Tensor) -> Tensor:
        """The loss of an image, with the best one so far kept; the image must not be NaN."""
        losses = self.objective(image)
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
            raise _Stop

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


def minimize(
    objective: LossFunction,
    start: Tensor,
    config: SolverConfig,
    *,
    bounds: tuple[Tensor, Tensor] | None = None,
    callback: Callback = silent,
    frame: Progress | None = None,
) -> Result:
    """Descend on an objective from a start image.

    Args:
        objective: Maps (1, 3, H, W) to named scalars, of which ``total`` is minimised.
        start: (1, 3, H, W) float32.
        config: How.
        bounds: The lowest and highest value of each channel, (1, 3, 1, 1) each; for ``lbfgsb``,
            which keeps pixels in [0, 1] when None.
        callback: Called after every step.
        frame: Where this run lies in a longer job: its steps so far, all its steps, its stage.

    Raises:
        DivergedError: The loss ran away and did not come back after restarts; it carries the best
            image. A start whose loss is not finite ends in it at once.
    """
    frame = frame or Progress(0, config.steps)
    watch = _Watch(objective, config, callback, frame)
    descend = {"lbfgs": _lbfgs, "lbfgsb": _lbfgsb, "adam": _adam}[config.optimizer]
    image = start.detach().clone()
    for attempt in range(_RESTARTS + 1):
        try:
            descend(watch, image, bounds)
        except _Stop:
            watch.look_at_last()
            break
        except DivergedError as error:
            # the memory of past steps led astray: forget it, and go on from the best more
            # carefully, Adam with half the step and L-BFGS as L-BFGS-B, which searches each line
            if watch.best_image is None or attempt == _RESTARTS:
                raise DivergedError(_advice(str(error)), watch.best_image) from error
            image = watch.best_image.clone()
            watch.restarts += 1
            descend = _lbfgsb if watch.searches else descend
        else:
            # L-BFGS-B ends where its line search finds no way down, which in bfloat16 is often a
            # worn-out memory rather than a minimum
            if watch.steps >= config.steps or watch.best_image is None:
                break
            image = watch.best_image.clone()
    assert watch.best_image is not None  # one evaluation at least has passed
    return Result(watch.best_image, watch.best_losses, watch.cancelled)


def _advice(message: str) -> str:
    return f"{message}: lower the style weight or the learning rate, or use --precision float32"


def _lbfgs(watch: _Watch, start: Tensor, _: Any) -> None:
    """PyTorch's L-BFGS, one iteration a step.

    Its first step moves all parameters by 1 in sum, whatever the gradient; measuring the image in
    units of ``gain`` turns that into ``first_step`` a pixel. Later steps do not depend on units.
    """
    gain = watch.config.first_step * start.numel()
    to_pixels = _coordinates(start, watch.config.spectrum)
    variable = torch.zeros_like(start, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [variable],
        lr=watch.config.learning_rate,
        max_iter=1,
        history_size=watch.config.history,
        tolerance_grad=0,
        tolerance_change=0,
    )
    scale: float | None = None

    def closure() -> Tensor:
        nonlocal scale
        image = start + gain * to_pixels(variable)
        total = watch.evaluate(image)
        if scale is None:  # a loss of about 1e6 keeps the curvature pairs above L-BFGS's floor
            scale = 1e6 / max(abs(float(total.detach())), 1e-30)
        (gradient,) = torch.autograd.grad(total * scale, variable)
        _check_gradient(gradient, watch.steps)
        variable.grad = gradient.contiguous()
        return total.detach() * scale

    while True:
        optimizer.step(closure)
        watch.step(start + gain * to_pixels(variable.detach()))


def _coordinates(image: Tensor, spectrum: float) -> Callable[[Tensor], Tensor]:
    """The map from the solver's coordinates to pixels: a filter of gain f^-spectrum, mean gain 1.

    Pictures have amplitudes of about 1/f, so a solver that treats all pixels alike is slow to move
    broad areas of colour. Measured on a Gatys objective at 256 px, f^-1/2 reaches after 57 steps
    the loss that plain pixels reach after 100; f^-1/4 and f^-1 gain less.
    """
    if not spectrum:
        return lambda pixels: pixels
    height, width = image.shape[-2:]
    fy = torch.fft.fftfreq(height, device=image.device).unsqueeze(1)
    fx = torch.fft.rfftfreq(width, device=image.device)
    frequency = (fy.square() + fx.square()).sqrt().clamp_min(1 / max(height, width))
    gains = frequency**-spectrum
    gains = gains / gains.square().mean().sqrt()

    def to_pixels(coefficients: Tensor) -> Tensor:
        filtered: Tensor = torch.fft.irfft2(
            torch.fft.rfft2(coefficients) * gains, s=(height, width)
        )
        return filtered

    return to_pixels


def _adam(watch: _Watch, start: Tensor, bounds: tuple[Tensor, Tensor] | None) -> None:
    variable = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([variable], lr=watch.config.learning_rate / 2**watch.restarts)
    while True:
        total = watch.evaluate(variable)
        (variable.grad,) = torch.autograd.grad(total, variable)
        _check_gradient(variable.grad, watch.steps)
        optimizer.step()
        if bounds is not None:
            with torch.no_grad():
                variable.clamp_(*bounds)
        watch.step(variable)


def _lbfgsb(watch: _Watch, start: Tensor, bounds: tuple[Tensor, Tensor] | None) -> None:
    """SciPy's L-BFGS-B: Gatys' choice for textures, with pixels kept within bounds."""
    from scipy import optimize

    low, high = bounds if bounds is not None else (start.new_zeros(1), start.new_ones(1))
    scale: float | None = None

    def to_image(x: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(x).to(start).view_as(start)

    def evaluate(x: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
        nonlocal scale
        variable = to_image(x).requires_grad_()
        total = watch.evaluate(variable)
        if scale is None:
            scale = 1e6 / max(abs(float(total.detach())), 1e-30)
        (gradient,) = torch.autograd.grad(total * scale, variable)
        _check_gradient(gradient, watch.steps)
        return float(total.detach()) * scale, gradient.double().flatten().cpu().numpy()

    limits = [limit.expand_as(start).flatten().double().cpu().numpy() for limit in (low, high)]
    optimize.minimize(
        evaluate,
        start.clamp(low, high).double().flatten().cpu().numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(*limits),
        callback=lambda x: watch.step(to_image(x)),
        options={
            "maxiter": watch.config.steps,
            "maxfun": watch.config.steps * 10,
            "maxcor": watch.config.history,
            "ftol": 0,
            "gtol": 0,
        },
    )


def _check_gradient(gradient: Tensor, steps: int) -> None:
    if not bool(torch.isfinite(gradient).all()):
        raise DivergedError(f"the gradient is not finite at step {steps + 1}")
