"""Minimise an objective over the pixels of an image.

The optimisers are L-BFGS (as in Gatys et al.), L-BFGS-B with bounds on the pixels, and Adam. Every
step is reported. If the loss diverges, the run restarts from the best image; if it is cancelled,
the best image is returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from impasto.core.progress import Callback, Progress, silent
from impasto.errors import DivergedError
from impasto.methods.optimization.monitor import (
    OPTIMIZERS,
    LossFunction,
    Monitor,
    SolverConfig,
    Stop,
)
from impasto.methods.optimization.solvers import adam, lbfgs, lbfgsb

__all__ = ["OPTIMIZERS", "LossFunction", "Result", "SolverConfig", "minimize"]

_RESTARTS = 3


@dataclass(frozen=True)
class Result:
    """The result of an optimisation.

    Attributes:
        image: The best image, (1, 3, H, W), not clamped.
        losses: Its losses by name.
        cancelled: Whether the callback cancelled the run.
    """

    image: Tensor
    losses: Mapping[str, float]
    cancelled: bool


def minimize(
    objective: LossFunction,
    start: Tensor,
    config: SolverConfig,
    *,
    bounds: tuple[Tensor, Tensor] | None = None,
    callback: Callback = silent,
    frame: Progress | None = None,
) -> Result:
    """Minimise an objective from an initial image.

    Args:
        objective: Maps (1, 3, H, W) to named scalars, of which ``total`` is minimised.
        start: Initial image (1, 3, H, W), float32.
        config: Of the optimisation.
        bounds: Lowest and highest value of each channel, (1, 3, 1, 1) each. None is [0, 1] for
            ``lbfgsb`` and no bounds for ``adam``; ``lbfgs`` ignores them.
        callback: Called after every step.
        frame: Position in a longer job: its steps so far, the number of all its steps, its stage.

    Raises:
        DivergedError: The loss diverged even after restarts, or that of the initial image is not
            finite. The error carries the best image, if there is one.
    """
    frame = frame or Progress(0, config.steps)
    monitor = Monitor(objective, config, callback, frame)
    descend = {"lbfgs": lbfgs, "lbfgsb": lbfgsb, "adam": adam}[config.optimizer]
    image = start.detach().clone()
    for attempt in range(_RESTARTS + 1):
        try:
            descend(monitor, image, bounds)
        except Stop:
            monitor.evaluate_last()
            break
        except DivergedError as error:
            # go on from the best image without the history: Adam with half the learning rate, and
            # L-BFGS with a line search
            if monitor.best_image is None or attempt == _RESTARTS:
                raise DivergedError(_advice(str(error)), monitor.best_image) from error
            image = monitor.best_image.clone()
            monitor.restarts += 1
            monitor.redraw()
        else:
            # L-BFGS-B ends if its line search finds no lower loss; in bfloat16 the cause is often
            # an inaccurate history rather than a minimum, so go on without it
            if monitor.steps >= config.steps or monitor.best_image is None:
                break
            image = monitor.best_image.clone()
            monitor.redraw()
    assert monitor.best_image is not None  # there was at least one evaluation
    return Result(monitor.best_image, monitor.best_losses, monitor.cancelled)


def _advice(message: str) -> str:
    return f'{message}: lower the style weight or the learning rate, or use `precision="float32"`'
