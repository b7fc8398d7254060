"""Fit an optimisation into the memory budget, by tiles and a shorter history of L-BFGS.

The peaks that the constants are from were measured with one thread on a processor with AVX512-BF16.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from impasto.core.device import Runtime
from impasto.methods.optimization.optimizer import SolverConfig
from impasto.nn.vgg_layers import WIDTHS, block_of

# Peak memory of a forward and backward pass of VGG-19 to relu5_1 with Gram matrices, for each
# pixel: values in the network's number format, and bytes of float32 copies and of the indices of
# max pooling. Measured at 512 to 1024 pixels: 2335 bytes in float32, 1810 in bfloat16.
_CHANNELS, _COPIED = 270, 1300
_ENCODED, _ENCODED_COPIED = 115, 300  # without gradients: measured 757 and 529 bytes
_HALO = 96  # pixels around a tile: the receptive field of relu5_1 extends 85 pixels
_SIDES = (1024, 768, 512, 384, 256)
_BUDGET_FRACTION = 0.4  # largest fraction of the memory budget for a tile
# float32 images stored in a step: content, gradients, direction, best image …; SciPy makes lists of
# Python numbers of the bounds of L-BFGS-B; measured
_COPIES = {"lbfgs": 13, "lbfgsb": 81, "adam": 18}
_PAIR = {"lbfgs": 2, "lbfgsb": 4, "adam": 0}  # images for each pair; SciPy has float64
_FILTER = 4  # further copies during the Fourier filter of L-BFGS
_PAIRS = 4  # least history with which L-BFGS is better than gradient descent
_PICTURES = 6  # images at full size outside the optimiser: photo, result, levels …


class Demand(NamedTuple):
    """The memory that an objective needs, besides a pass of the encoder with Gram matrices.

    Attributes:
        tiled: Whether it can be computed tile by tile.
        held: Bytes held during all steps: features of the content and of the style images.
        scratch: Bytes of scratch memory of an evaluation.
        copied: Further bytes for each pixel of an evaluation.
        encoded: Pixels of style images that are encoded as a whole.
    """

    tiled: bool = True
    held: int = 0
    scratch: int = 0
    copied: int = 0
    encoded: int = 0


class MemoryPlan(NamedTuple):
    """The settings with which a level fits into the memory budget.

    Attributes:
        tile: Side in pixels of the tiles that are encoded one by one; None is the whole image.
        history: Number of pairs of vectors that L-BFGS stores.
        tight: Whether freed blocks must return to the system at once to stay within the budget.
    """

    tile: int | None
    history: int
    tight: bool = True


def plan_memory(
    height: int, width: int, config: SolverConfig, runtime: Runtime, demand: Demand | None = None
) -> MemoryPlan:
    """Return the tiles and the history with which an image fits into the memory budget.

    An image that is too large in any case has the tiles that take least, and the shortest history.

    Args:
        height: Of the image in pixels.
        width: Of the image in pixels.
        config: Its optimiser and its history.
        runtime: Its memory budget and its number format.
        demand: Of the objective.

    Example:
        >>> import torch
        >>> tight = Runtime(torch.device("cpu"), torch.bfloat16, memory=3 << 30)
        >>> plan_memory(512, 512, SolverConfig(), tight)
        MemoryPlan(tile=None, history=30, tight=False)
        >>> plan_memory(2048, 2048, SolverConfig(), tight)
        MemoryPlan(tile=512, history=16, tight=True)
    """
    demand, budget = demand or Demand(), runtime.memory_budget()
    pair = 12 * height * width * _PAIR[config.optimizer]

    def needed(tile: int | None, pairs: int) -> int:
        one_step = _step(height, width, tile, config, runtime.dtype.itemsize, demand)
        return demand.held + one_step + pairs * pair

    if (whole := needed(None, config.history)) <= budget:
        return MemoryPlan(None, config.history, tight=2 * whole > budget)
    least = min(_PAIRS, config.history)
    sides = [None, *(_SIDES if demand.tiled else ())]
    fitting = [
        side
        for side in sides[1:]
        if side
        and needed(side, least) <= budget
        and _evaluation(height, width, side, runtime.dtype.itemsize, demand)
        <= _BUDGET_FRACTION * budget
    ]
    side = fitting[0] if fitting else min(sides, key=lambda side: needed(side, least))
    pairs = (budget - needed(side, 0)) // pair if pair else config.history
    return MemoryPlan(side, max(least, min(config.history, pairs)))


def least_memory(
    height: int, width: int, config: SolverConfig, itemsize: int, demand: Demand
) -> int:
    """Return the smallest memory budget for an image, in bytes.

    Args:
        height: Of the image in pixels.
        width: Of the image in pixels.
        config: Its optimiser and its history.
        itemsize: Bytes of a number of the network's format.
        demand: Of the objective.

    Example:
        >>> round(least_memory(2048, 2048, SolverConfig(), 4, Demand()) / 1e9, 1)
        1.5
    """
    sides = (None, *(_SIDES if demand.tiled else ()))
    steps = [_step(height, width, side, config, itemsize, demand) for side in sides]
    pairs = min(_PAIRS, config.history) * _PAIR[config.optimizer]
    return demand.held + min(steps) + 12 * height * width * pairs


def picture_bytes(height: int, width: int, style_pixels: float) -> int:
    """Return the bytes of all images at full size that are held outside the optimiser."""
    return round(12 * (_PICTURES * height * width + 2 * style_pixels))


def feature_bytes(layers: Iterable[str], pixels: float, itemsize: int) -> int:
    """Return the bytes of the features of an image at some layers.

    Args:
        layers: Names of layers.
        pixels: Of the image.
        itemsize: Bytes of a number.

    Example:
        >>> feature_bytes(["relu1_1", "relu2_1"], 100, 4)
        38400
    """
    blocks = [block_of(layer) for layer in layers]
    return round(sum(WIDTHS[block - 1] / 4 ** (block - 1) for block in blocks) * pixels * itemsize)


def _step(
    height: int, width: int, tile: int | None, config: SolverConfig, itemsize: int, demand: Demand
) -> int:
    """Return the peak of a step in bytes, without the history of L-BFGS and what is held."""
    image = 12 * height * width  # bytes; 3 channels in float32
    filtered = _FILTER * image if config.optimizer == "lbfgs" and config.spectrum else 0
    evaluation = _evaluation(height, width, tile, itemsize, demand)
    return _COPIES[config.optimizer] * image + max(evaluation, filtered)


def _evaluation(height: int, width: int, tile: int | None, itemsize: int, demand: Demand) -> int:
    """Return the peak of an evaluation of the objective, or of its preparation, in bytes."""
    if tile is not None:
        height, width = (min(side, tile + 2 * _HALO) for side in (height, width))
    each = _CHANNELS * itemsize + _COPIED + demand.copied
    style = demand.encoded * (_ENCODED * itemsize + _ENCODED_COPIED)
    return max(height * width * each + demand.scratch, style)
