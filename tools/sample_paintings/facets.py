"""Draw a sample painting in facets: a cubist still life."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_paintings.easel import Brush, Easel
from sample_paintings.plan import Field, Plan, along, blend, noise, plane, ramp, step

_EARTH = (
    (232, 214, 172), (206, 168, 104), (176, 124, 66), (126, 80, 48), (72, 54, 46), (44, 46, 52),
    (58, 98, 104), (104, 146, 142), (168, 186, 170), (146, 62, 44), (196, 104, 62), (90, 96, 70),
)  # fmt: skip


class _Facets:
    """Overlapping facets: their plan, and the distance of each cell to the nearest rim."""

    def __init__(self, rng: np.random.Generator) -> None:
        ground = ramp(0.5 + 0.22 * noise(rng, 3), ((70, 60, 54), (168, 130, 84), (214, 190, 144)))
        self.rng = rng
        self.plan = Plan(ground, 0.6 + 0.3 * noise(rng, 2, 1))
        self.edges = np.ones_like(self.plan.angle)

    def add(self, k: int) -> None:
        """Add facet number `k`; later ones are smaller."""
        rng, (x, y) = self.rng, plane()
        cx, cy = rng.normal(0.5, 0.24, 2) if k % 3 else rng.uniform(-0.05, 1.05, 2)
        lean = rng.choice([0.35, -0.75, 1.15, 1.57, 0.0]) + rng.normal(0, 0.16)
        u = (x - cx) * np.cos(lean) + (y - cy) * np.sin(lean)
        v = -(x - cx) * np.sin(lean) + (y - cy) * np.cos(lean)
        a = (0.26 - 0.0019 * k) * rng.uniform(0.5, 1.2)
        b = a * rng.uniform(0.35, 1.1)
        skew = rng.uniform(-0.9, 0.9)
        inside = np.minimum(a - np.abs(u + 0.4 * skew * v), b - np.abs(v - skew * u * 0.5))
        grain = np.full_like(x, lean + (0.0 if k % 2 else 1.57))
        if k % 4 == 3:  # arcs: the guitar's flanks, the mouths of bottles
            far = np.hypot(u + a * 0.7, v)
            inside, grain = np.minimum(b * 0.5 - np.abs(far - a), u + a * 0.4), along(far)
        elif k % 3 == 1:
            inside = np.minimum(inside, u * 0.8 + v * 0.6 + a * 0.5)
        if not (inside > 0).any():
            return
        fall = np.clip(0.5 + (u / a if k % 2 else v / b) / 1.7, 0, 1)
        self._lay(inside, fall, grain)

    def _lay(self, inside: Field, fall: Field, grain: Field) -> None:
        """Add a facet that is solid at one side and blends into its neighbour at the other."""
        mask = inside > 0
        tint = np.array(_EARTH[int(self.rng.integers(len(_EARTH)))], np.float32)
        shade = tint * (0.72 + 0.72 * fall)[..., None]
        mixed = blend(self.plan.colors, shade, mask * np.clip(1.25 - 1.1 * fall, 0.15, 0.96))
        self.plan.lay(mask & (fall < 0.68), mixed, grain)
        self.plan.colors = mixed
        rim = np.where(np.abs(inside) < 0.006, np.abs(inside) + 0.004 * fall, 1)
        cover = np.maximum(self.edges, 0.9 * fall)
        self.edges = np.minimum(np.where(mask & (inside > 0.006), cover, self.edges), rim)


def cubist(size: int) -> NDArray[np.uint8]:
    """Draw facets of a table with a guitar and bottles, seen from many sides."""
    easel = Easel(size, 1912, (150, 120, 84))
    facets = _Facets(easel.rng)
    for k in range(110):
        facets.add(k)
    plan, (x, y) = facets.plan, plane()
    line = step(-facets.edges, -0.0046, -0.0012)
    for k, cy in enumerate((0.40, 0.43, 0.46, 0.49)):  # strings
        string = np.abs(y - cy - 0.28 * (x - 0.5) - 0.004 * k)
        line = np.maximum(line, (string < 0.0018) * ((x > 0.2) & (x < 0.82)) * np.float32(0.8))
    easel.paint(Brush(900, 0.05, 0.10, 12, 0.06, 0.02, 0.05, 0.4), plan)
    easel.paint(Brush(7000, 0.016, 0.040, 6, 0.05, 0.02, 0.05, 0.7), plan)
    easel.paint(Brush(16000, 0.008, 0.022, 4, 0.05, 0.02, 0.05, 0.8), plan)
    easel.stain((30, 24, 26), line * np.float32(0.95))
    pale = np.clip(plan.colors * 1.3 + 22, 0, 255).astype(np.float32)
    lit = (0.10 + 0.5 * step(plan.colors.mean(-1), 120, 210)) * (1 - line)
    easel.paint(Brush(9000, 0.0055, 0.015, 3, 0.05, 0.02, 0.05, 1.0), plan, lit, colors=pale)
    return easel.finish(1.1, 0.025)
