"""What a descent takes in memory, and how it is made to fit: tiles, and a shorter history."""

from __future__ import annotations

from typing import NamedTuple

from impasto.core.device import Runtime
from impasto.methods.optimization.optimizer import SolverConfig

# Channels at full size that a pass through VGG-19 to relu5_1 and back takes the room of: its
# activations are 290; measured with Gram matrices, in bfloat16, it is 4.6 times as much.
_CHANNELS = 290 * 5
_HALO = 96  # of relu5_1, which sees 85 pixels each way
_SIDES = (1024, 768, 512, 384, 256)
_SHARE = 0.4  # of all room, the most for a tile
_COPIES = 13  # of the picture in float32 that a step keeps: photo, gradients, direction, best …
_FILTER = 4  # copies more while the solver's Fourier filter works
_PAIRS = 4  # the least history with which L-BFGS is better than a gradient descent


class Fit(NamedTuple):
    """How a level is worked at.

    Attributes:
        tile: Side of the tiles that the encoder sees it in; None is whole.
        history: Pairs of vectors that L-BFGS keeps.
    """

    tile: int | None
    history: int


def fit(height: int, width: int, config: SolverConfig, runtime: Runtime) -> Fit:
    """Tiles and history with which a picture fits into the room that there is.

    A picture that is too large even so is worked at all the same, in the smallest tiles and with
    the shortest history.

    Example:
        >>> import torch
        >>> tight = Runtime(torch.device("cpu"), torch.bfloat16, memory=3 << 30)
        >>> fit(512, 512, SolverConfig(), tight), fit(2048, 2048, SolverConfig(), tight)
        (Fit(tile=None, history=30), Fit(tile=384, history=15))
    """
    room, picture = runtime.room(), 12 * height * width
    pair = picture * {"adam": 0, "lbfgs": 2, "lbfgsb": 4}[config.optimizer]  # SciPy has float64
    copies = _COPIES * picture

    def encoded(pixels: int) -> int:
        return pixels * _CHANNELS * runtime.dtype.itemsize

    if copies + encoded(height * width) + config.history * pair <= room:
        return Fit(None, config.history)
    least = min(_PAIRS, config.history)

    def tile(side: int) -> int:
        return encoded((side + 2 * _HALO) ** 2)

    def left(side: int) -> int:
        """What tiles of a side leave for the history."""
        return room - copies - max(tile(side), _FILTER * picture)

    sides = [s for s in _SIDES if tile(s) <= _SHARE * room and left(s) >= least * pair]
    side = sides[0] if sides else _SIDES[-1]
    pairs = left(side) // pair if pair else config.history
    return Fit(side, max(least, min(config.history, pairs)))
