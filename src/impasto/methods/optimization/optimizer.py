"""The solver: an image is the parameter, and steps downhill on an objective.

L-BFGS (Gatys' choice), L-BFGS with bounds on the pixels, or Adam. Every step is reported, a
runaway is caught with the last good picture kept, and a cancelled run returns what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from impasto.core.progress import Callback, Progress, silent
from impasto.errors import DivergedError
from impasto.methods.optimization.descents import adam, lbfgs, lbfgsb
from impasto.methods.optimization.monitor import (
    OPTIMIZERS,
    LossFunction,
    SolverConfig,
    Stop,
    Watch,
)

__all__ = ["OPTIMIZERS", "LossFunction", "Result", "SolverConfig", "minimize"]

_RESTARTS = 3


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
    watch = Watch(objective, config, callback, frame)
    descend = {"lbfgs": lbfgs, "lbfgsb": lbfgsb, "adam": adam}[config.optimizer]
    image = start.detach().clone()
    for attempt in range(_RESTARTS + 1):
        try:
            descend(watch, image, bounds)
        except Stop:
            watch.look_at_last()
            break
        except DivergedError as error:
            # the memory of past steps led astray: forget it, and go on from the best more
            # carefully, Adam with half the step and L-BFGS as L-BFGS-B, which searches each line
            if watch.best_image is None or attempt == _RESTARTS:
                raise DivergedError(_advice(str(error)), watch.best_image) from error
            image = watch.best_image.clone()
            watch.restarts += 1
            watch.redraw()
            descend = lbfgsb if watch.searches else descend
        else:
            # L-BFGS-B ends where its line search finds no way down, which in bfloat16 is often a
            # worn-out memory rather than a minimum
            if watch.steps >= config.steps or watch.best_image is None:
                break
            image = watch.best_image.clone()
            watch.redraw()
    assert watch.best_image is not None  # one evaluation at least has passed
    return Result(watch.best_image, watch.best_losses, watch.cancelled)


def _advice(message: str) -> str:
    return f'{message}: lower the style weight or the learning rate, or use `precision="float32"`'
