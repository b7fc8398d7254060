"""Fit an optimisation into the memory budget, by tiles and a shorter history of L-BFGS."""

from __future__ import annotations

from typing import NamedTuple

from impasto.core.device import Runtime
from impasto.methods.optimization.optimizer import SolverConfig

# Peak memory of a forward and backward pass of VGG-19 to relu5_1, in channels at full resolution:
# its activations are 290; measured with Gram matrices, in bfloat16, the peak is 4.6 times as much.
_CHANNELS = 290 * 5
_HALO = 96  # pixels around a tile: the receptive field of relu5_1 extends 85 pixels
_SIDES = (1024, 768, 512, 384, 256)
_BUDGET_FRACTION = 0.4  # largest fraction of the memory budget for a tile
_COPIES = 13  # float32 images stored in a step: content, gradients, direction, best image …
_FILTER = 4  # further copies during the Fourier filter of L-BFGS
_PAIRS = 4  # least history with which L-BFGS is better than gradient descent


class MemoryPlan(NamedTuple):
    """The settings with which a level fits into the memory budget.

    Attributes:
        tile: Side in pixels of the tiles that are encoded one by one; None is the whole image.
        history: Number of pairs of vectors that L-BFGS stores.
    """

    tile: int | None
    history: int


def plan_memory(height: int, width: int, config: SolverConfig, runtime: Runtime) -> MemoryPlan:
    """Return the tiles and the history with which an image fits into the memory budget.

    An image that is too large in any case has the smallest tiles and the shortest history.

    Args:
        height: Of the image in pixels.
        width: Of the image in pixels.
        config: Its optimiser and its history.
        runtime: Its memory budget and its number format.

    Example:
        >>> import torch
        >>> tight = Runtime(torch.device("cpu"), torch.bfloat16, memory=3 << 30)
        >>> plan_memory(512, 512, SolverConfig(), tight)
        MemoryPlan(tile=None, history=30)
        >>> plan_memory(2048, 2048, SolverConfig(), tight)
        MemoryPlan(tile=384, history=15)
    """
    budget, image = runtime.memory_budget(), 12 * height * width  # bytes; 3 channels in float32
    pair = image * {"adam": 0, "lbfgs": 2, "lbfgsb": 4}[config.optimizer]  # SciPy has float64
    copies = _COPIES * image

    def encoded(pixels: int) -> int:
        return pixels * _CHANNELS * runtime.dtype.itemsize

    if copies + encoded(height * width) + config.history * pair <= budget:
        return MemoryPlan(None, config.history)
    least = min(_PAIRS, config.history)

    def tile(side: int) -> int:
        return encoded((side + 2 * _HALO) ** 2)

    def left(side: int) -> int:
        """Return the bytes that tiles of a side leave for the history."""
        return budget - copies - max(tile(side), _FILTER * image)

    sides = [s for s in _SIDES if tile(s) <= _BUDGET_FRACTION * budget and left(s) >= least * pair]
    side = sides[0] if sides else _SIDES[-1]
    pairs = left(side) // pair if pair else config.history
    return MemoryPlan(side, max(least, min(config.history, pairs)))
