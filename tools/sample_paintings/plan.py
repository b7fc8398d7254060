"""Plans of sample paintings: a colour, a direction and a region for every place, on a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.interpolate import CubicSpline

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]
RGB = tuple[int, int, int]

GRID = 512  # cells a side of a plan


def plane() -> tuple[Field, Field]:
    """Coordinates x and y of every cell of a plan, (GRID, GRID) in [0, 1]; y grows downwards."""
    line = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    x: Field = np.tile(line, (GRID, 1)).astype(np.float32)
    return x, np.ascontiguousarray(x.T)


def noise(rng: np.random.Generator, cells: int, octaves: int = 3, side: int = GRID) -> Field:
    """Smooth random field, (side, side), mean 0 and deviation 1.

    Args:
        rng: Where chance comes from.
        cells: Bumps along a side, in the coarsest octave.
        octaves: Each has half the size and half the weight of the one before.
        side: Resolution.
    """
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        points = min(cells * 2**octave, side) + 3
        knots = Image.fromarray(rng.standard_normal((points, points)).astype(np.float32))
        total += np.asarray(knots.resize((side, side), Image.Resampling.BICUBIC)) / 2**octave
    level: Field = ((total - total.mean()) / total.std()).astype(np.float32)
    return level


def ramp(t: ArrayLike, colors: Sequence[ArrayLike]) -> Field:
    """Colours along a palette: t of 0 is the first and 1 the last; (..., 3) in [0, 255]."""
    table = np.asarray(colors, np.float32)
    knots = np.linspace(0, 1, len(table))
    shown = [np.interp(np.asarray(t), knots, table[:, c]) for c in range(3)]
    return np.stack(shown, -1).astype(np.float32)


def blend(below: Field, above: ArrayLike, weight: Field) -> Field:
    """Mix colours by a weight in [0, 1] for each place."""
    share = np.clip(weight, 0, 1)[..., None]
    mixed: Field = (below * (1 - share) + np.asarray(above, np.float32) * share).astype(np.float32)
    return mixed


def step(field: Field, low: float, high: float) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((field - low) / (high - low), 0, 1)
    smooth: Field = (t * t * (3 - 2 * t)).astype(np.float32)
    return smooth


def along(field: Field) -> Field:
    """The direction of the contour lines of a field, in radians."""
    down, right = np.gradient(field)
    angle: Field = np.arctan2(-right, down).astype(np.float32)
    return angle


def sample(field: Field, at: Field) -> Field:
    """Values of a plan at places (..., 2) in [0, 1]; beyond the edge, those of the edge."""
    cells = np.clip((at * field.shape[0]).astype(np.int32), 0, field.shape[0] - 1)
    found: Field = field[cells[..., 1], cells[..., 0]]
    return found


def curve(knots: Sequence[tuple[float, float]], count: int = 160) -> Field:
    """A smooth curve through knots, at even steps of its length; (count, 2)."""
    points = np.array(knots)
    far = np.r_[0, np.hypot(*np.diff(points, axis=0).T).cumsum()]
    fine = CubicSpline(far, points)(np.linspace(0, far[-1], 4 * count))
    run = np.r_[0, np.hypot(*np.diff(fine, axis=0).T).cumsum()]
    even = np.linspace(0, run[-1], count)
    return np.stack([np.interp(even, run, fine[:, c]) for c in range(2)], 1).astype(np.float32)


class Plan:
    """What is to be painted where, built from the back to the front.

    Attributes:
        colors: (GRID, GRID, 3) in [0, 255].
        angle: Directions of strokes, in radians.
        labels: The number of the region; no stroke crosses its border.
    """

    def __init__(self, colors: Field, angle: Field) -> None:
        self.colors, self.angle = colors, angle.astype(np.float32)
        self.labels = np.zeros_like(self.angle)
        self.regions = 0

    def lay(self, where: Mask, colors: Field, angle: Field) -> None:
        """Put a region before what is there."""
        self.regions += 1
        self.colors = np.where(where[..., None], colors, self.colors).astype(np.float32)
        self.angle = np.where(where, angle, self.angle).astype(np.float32)
        self.labels[where] = self.regions
