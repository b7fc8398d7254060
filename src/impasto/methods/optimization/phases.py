"""The phases of NNST, and what those of one scale share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from impasto.methods.optimization.levels import Level
from impasto.methods.optimization.pool import Pool
from impasto.nn.vgg import Features


class Phase(NamedTuple):
    """An optimisation of one objective.

    Attributes:
        level: Size and inputs.
        steps: Number of steps.
        split: Whether each layer is matched on its own.
    """

    level: Level
    steps: int
    split: bool


class Scale(NamedTuple):
    """The data that all phases of one level share.

    Attributes:
        content: Content image (1, 3, H, W).
        pool: Feature vectors of the style images.
        tones: Lightness and local contrast of the content image on the grid, (1, 2, h, w).
        owners: Index of the style image of each position, (1, 1, h, w); None without regions.
        guard: The content loss of ``structure_weight``.
    """

    content: Tensor
    pool: Pool
    tones: Tensor
    owners: Tensor | None
    guard: Callable[[Features], Mapping[str, Tensor]]
