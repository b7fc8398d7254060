"""Provide the tools of the sample paintings: brushes, a canvas, and light on thick paint.

A painting is planned on a coarse grid (a colour, a direction and a region for every cell) and
then painted: thousands of strokes take their colour from the plan and follow its directions.
Each stroke is a bundle of bristles, drawn into colour and into a height map at once; at the end
the height map is lit from the upper left, so that thick paint stands out.
Lengths are fractions of the side, so that a painting looks the same at every size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from sample_paintings.plan import RGB, Field, Plan, noise, sample

SCALE = 2  # supersampling: pixels drawn for each output pixel, per side


@dataclass(frozen=True)
class Brush:
    """A kind of stroke.

    Attributes:
        count: How many strokes cover the whole canvas.
        width: Of the stroke, as a fraction of the side.
        length: Of the stroke, as a fraction of the side.
        bristles: Lines in a stroke.
        value: Standard deviation of lightness between strokes, as a fraction of 1.
        hue: Standard deviation of each colour channel between strokes, as a fraction of 1.
        grain: The same of lightness between the bristles of one stroke.
        load: Thickness of the paint, 0 to 1.
    """

    count: int
    width: float
    length: float
    bristles: int = 6
    value: float = 0.05
    hue: float = 0.03
    grain: float = 0.05
    load: float = 0.5


def scatter(rng: np.random.Generator, count: int) -> Field:
    """Return about `count` points, evenly spread and shuffled, a little over the edge; (N, 2)."""
    side = max(2, round(count**0.5))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    at = (grid + rng.random(grid.shape)) / side * 1.04 - 0.02
    return rng.permutation(at).astype(np.float32)


def trace(start: Field, angle: Field, labels: Field, length: float, steps: int = 4) -> Field:
    """Follow the directions from each start both ways, without leaving its region.

    Args:
        start: (N, 2).
        angle: Plan of directions.
        labels: Plan of regions.
        length: From end to end.
        steps: In each direction.

    Returns:
        The paths, (N, 2 * steps + 1, 2).
    """
    home = sample(labels, start)
    halves = []
    for way in (-1, 1):
        at, path = start, []
        heading = way * _unit(sample(angle, start))
        for _ in range(steps):
            ahead = _unit(sample(angle, at))
            heading = ahead * np.where((ahead * heading).sum(-1, keepdims=True) < 0, -1, 1)
            there = at + heading * np.float32(length / 2 / steps)
            stay = sample(labels, there) != home
            at = np.where(stay[:, None], at + heading * np.float32(1e-4), there)
            path.append(at)
        halves.append(path)
    return np.stack([*halves[0][::-1], start, *halves[1]], 1).astype(np.float32)


def _unit(angle: Field) -> Field:
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def light(rgb: Field, height: Field, relief: float, gloss: float = 0.25) -> Field:
    """Light the paint from the upper left.

    Args:
        rgb: (H, W, 3) in [0, 255].
        height: (H, W) in [0, 255].
        relief: How much a slope brightens or darkens.
        gloss: How much the steepest lit slopes shine.
    """
    down, right = np.gradient(height / 255)
    slope = np.asarray(np.clip((down + right) * relief, -0.55, 0.55))[..., None]
    shine = np.clip(slope - 0.12, 0, 1) * gloss * 255
    lit: Field = (rgb * (1 + slope * 0.8) + shine).astype(np.float32)
    return lit


class Easel:
    """A canvas that is being painted.

    Args:
        size: Pixels per side of the finished painting.
        seed: Seed of all random numbers.
        ground: Colour of the bare canvas.
    """

    def __init__(self, size: int, seed: int, ground: RGB) -> None:
        self.size = size
        self.side = size * SCALE
        self.rng = np.random.default_rng(seed)
        # The fourth channel is the height of the paint, not alpha.
        self.image = Image.new("RGBA", (self.side, self.side), (*ground, 60))
        self.draw = ImageDraw.Draw(self.image)

    def paint(
        self,
        brush: Brush,
        plan: Plan,
        where: Field | float | None = None,
        *,
        colors: Field | None = None,
        loose: bool = False,
    ) -> None:
        """Cover the canvas with strokes.

        Args:
            brush: The strokes.
            plan: Their colours, directions, and regions whose borders they do not cross.
            where: The fraction of strokes to draw, in [0, 1], in all or for each cell.
            colors: Other colours than those of the plan.
            loose: Strokes cross borders.
        """
        start = scatter(self.rng, brush.count)
        if where is not None:
            share = where if isinstance(where, float) else sample(where, start)
            start = start[self.rng.random(len(start)) < share]
        labels = np.zeros_like(plan.angle) if loose else plan.labels
        reach = brush.length * float(self.rng.uniform(0.9, 1.1))
        tints = sample(plan.colors if colors is None else colors, start)
        self.strokes(brush, trace(start, plan.angle, labels, reach), tints)

    def strokes(self, brush: Brush, paths: Field, tints: Field) -> None:
        """Draw strokes along paths (N, K, 2), each of its own colour (N, 3)."""
        rng, n = self.rng, len(paths)
        tangent = np.gradient(paths, axis=1)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-6)
        normal = tangent[..., ::-1] * np.array([-1, 1], np.float32)
        across = np.linspace(-1, 1, brush.bristles)
        ends = np.sin(np.linspace(0.12, 0.92, paths.shape[1]) * np.pi) ** 0.5
        widths = brush.width / 2 * rng.lognormal(0, 0.25, (n, 1, 1))
        shift = across[:, None] * ends * widths  # (N, bristles, K)
        lines = paths[:, None] + shift[..., None] * normal[:, None]
        ragged = rng.uniform(-0.02, 0.09, (2, n, brush.bristles, 1)) * brush.length
        lines[:, :, 0] -= ragged[0] * tangent[:, None, 0]
        lines[:, :, -1] += ragged[1] * tangent[:, None, -1]

        tone = rng.normal(0, brush.value, (n, 1)) + rng.normal(0, brush.grain, (n, brush.bristles))
        tone += across * -0.5 * brush.grain
        hue = rng.normal(0, brush.hue, (n, 1, 3))
        shown = tints[:, None] * (1 + tone[..., None]) + (hue + tone[..., None] * 0.3) * 255
        bump = rng.normal(0, 0.28, (n, brush.bristles)) + 0.6 * across**2
        height = 60 + 150 * brush.load * (0.5 + rng.random((n, 1)) * 0.5 + 0.6 * bump)
        inks = np.concatenate([shown, height[..., None]], -1).clip(0, 255).astype(np.uint8)
        thick = max(2, round(brush.width * self.side / brush.bristles * 1.7))
        self.lines(lines.reshape(-1, paths.shape[1], 2), inks.reshape(-1, 4), thick)

    def lines(self, lines: ArrayLike, inks: NDArray[np.uint8], width: int) -> None:
        """Draw lines (N, K, 2) with inks (N, 4), `width` canvas pixels wide."""
        flat = (np.asarray(lines) * self.side).reshape(len(inks), -1).tolist()
        for points, ink in zip(flat, inks.tolist(), strict=True):
            self.draw.line(points, tuple(ink), width)

    def dots(self, at: Field, radii: Field, inks: NDArray[np.uint8]) -> None:
        """Draw dots at (N, 2) of radii (N,) with inks (N, 4), slightly oblong."""
        squash = self.rng.uniform(0.75, 1.3, (len(at), 1))
        half = radii[:, None] * np.concatenate([squash, 1 / squash], 1)
        boxes = np.concatenate([at - half, at + half], 1) * self.side
        for box, ink in zip(boxes.tolist(), inks.tolist(), strict=True):
            self.draw.ellipse(box, tuple(ink))

    def stain(self, color: RGB, mask: Field, height: int = 90) -> None:
        """Blend a colour in where a plan `mask` in [0, 1] is set, unevenly like charcoal."""
        shown = Image.fromarray(mask.astype(np.float32)).resize((self.side,) * 2)
        rough = 1 + 0.35 * noise(self.rng, 160, 2, self.side)
        share = (np.asarray(shown) * rough * 255).clip(0, 255).astype(np.uint8)
        self.image.paste((*color, height), (0, 0), Image.fromarray(share))

    def planes(self) -> tuple[Field, Field]:
        """Return colour (size, size, 3) and height (size, size) so far, both in [0, 255]."""
        pixels = np.asarray(self.image, np.float32)
        shape = (self.size, SCALE, self.size, SCALE, 4)
        small = pixels.reshape(shape).mean((1, 3), dtype=np.float32)
        return small[..., :3], small[..., 3]

    def finish(self, relief: float = 1.6, weave: float = 0.0) -> NDArray[np.uint8]:
        """Return the painting with lighting; (size, size, 3).

        Args:
            relief: How much the paint stands out.
            weave: How much the canvas shows through.
        """
        rgb, height = self.planes()
        grain = self.rng.standard_normal(height.shape).astype(np.float32)
        thread = np.arange(self.size, dtype=np.float32) * (2 * np.pi / 3.7)
        cloth = np.sin(thread)[:, None] * np.sin(thread + 0.7)[None] * (1 + 0.3 * grain)
        # Slopes are per pixel, so a small painting has steeper ones.
        lit = light(rgb, height + weave * 255 * cloth, relief * (self.size / 768) ** 0.5)
        lit = lit + grain[..., None] * 2
        return lit.clip(0, 255).round().astype(np.uint8)
