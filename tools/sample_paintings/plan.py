"""Plan sample paintings: a colour, a direction and a region for every cell of a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.interpolate import CubicSpline

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]
RGB = tuple[int, int, int]

GRID = 512  # cells per side of a plan


def plane() -> tuple[Field, Field]:
    """Return the coordinates x and y of every cell, (GRID, GRID) in [0, 1]; y points downwards."""
    line = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    x: Field = np.tile(line, (GRID, 1)).astype(np.float32)
    return x, np.ascontiguousarray(x.T)


def noise(rng: np.random.Generator, cells: int, octaves: int = 3, side: int = GRID) -> Field:
    """Return a smooth random field, (side, side), mean 0 and standard deviation 1.

    Args:
        rng: The random generator.
        cells: Bumps along a side, in the coarsest octave.
        octaves: Each has half the size and half the weight of the previous one.
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
    """Interpolate a palette: t of 0 is its first colour and 1 its last; (..., 3) in [0, 255]."""
    table = np.asarray(colors, np.float32)
    knots = np.linspace(0, 1, len(table))
    shown = [np.interp(np.asarray(t), knots, table[:, c]) for c in range(3)]
    return np.stack(shown, -1).astype(np.float32)


def blend(below: Field, above: ArrayLike, weight: Field) -> Field:
    """Mix colours by a weight in [0, 1] for each cell."""
    share = np.clip(weight, 0, 1)[..., None]
    mixed: Field = (below * (1 - share) + np.asarray(above, np.float32) * share).astype(np.float32)
    return mixed


def step(field: Field, low: float, high: float) -> Field:
    """Return 0 below `low`, 1 above `high`, and a smooth step between."""
    t = np.clip((field - low) / (high - low), 0, 1)
    smooth: Field = (t * t * (3 - 2 * t)).astype(np.float32)
    return smooth


def along(field: Field) -> Field:
    """Return the direction of the contour lines of a field, in radians."""
    down, right = np.gradient(field)
    angle: Field = np.arctan2(-right, down).astype(np.float32)
    return angle


def sample(field: Field, at: Field) -> Field:
    """Return the values of a plan at points (..., 2) in [0, 1]; clamped at the edges."""
    cells = np.clip((at * field.shape[0]).astype(np.int32), 0, field.shape[0] - 1)
    found: Field = field[cells[..., 1], cells[..., 0]]
    return found


def curve(knots: Sequence[tuple[float, float]], count: int = 160) -> Field:
    """Return a smooth curve through knots, sampled at even steps of its length; (count, 2)."""
    points = np.array(knots)
    far = np.r_[0, np.hypot(*np.diff(points, axis=0).T).cumsum()]
    fine = CubicSpline(far, points)(np.linspace(0, far[-1], 4 * count))
    run = np.r_[0, np.hypot(*np.diff(fine, axis=0).T).cumsum()]
    even = np.linspace(0, run[-1], count)
    return np.stack([np.interp(even, run, fine[:, c]) for c in range(2)], 1).astype(np.float32)


class Plan:
    """A plan of a painting, built from the back to the front.

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
        """Put a region in front of the others."""
        self.regions += 1
        self.colors = np.where(where[..., None], colors, self.colors).astype(np.float32)
        self.angle = np.where(where, angle, self.angle).astype(np.float32)
        self.labels[where] = self.regions
