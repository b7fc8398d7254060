"""Draw sample paintings in oil: long thick strokes that follow what they show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_paintings.easel import Brush, Easel
from sample_paintings.plan import Field, Plan, along, blend, noise, plane, ramp, step

# x, y, radius, and sense of turning
_STARS = (
    (0.50, 0.36, 0.17, 1.0),
    (0.70, 0.46, 0.11, -1.0),
    (0.87, 0.13, 0.13, 1.0),
    (0.30, 0.13, 0.07, -1.0),
    (0.56, 0.09, 0.06, 1.0),
    (0.93, 0.42, 0.055, 1.0),
    (0.31, 0.52, 0.06, 1.0),
    (0.07, 0.10, 0.06, -1.0),
    (0.10, 0.42, 0.05, 1.0),
)
_NIGHT = (
    (12, 22, 66),
    (24, 48, 122),
    (36, 82, 160),
    (74, 130, 190),
    (132, 176, 200),
    (206, 214, 180),
)
_GLOW = ((255, 246, 190), (250, 214, 84), (226, 168, 44), (170, 150, 80), (90, 140, 160))


def _night_sky(rng: np.random.Generator) -> tuple[Plan, Field]:
    """Return the plan of the sky, and the closeness of each cell to a star."""
    x, y = plane()
    stream = -y * 1.0 + 0.035 * np.sin(x * 9 + y * 5) + 0.012 * noise(rng, 5, 2)
    glow = np.zeros_like(x)
    rings = np.zeros_like(x)
    spiral = np.zeros_like(x)
    for i, (cx, cy, radius, turn) in enumerate(_STARS):
        r = np.hypot(x - cx, y - cy) / radius
        stream += turn * 1.5 * radius * np.exp(-(r**2) * 0.8)
        near = np.exp(-((r * 1.25) ** 2))
        ring = -turn * 0.6 * radius * r  # close to a star the stream runs in rings
        stream += step(-r, -1.05, -0.55) * (ring - stream)
        around = turn * np.arctan2(y - cy, x - cx)
        rings = np.where(near > glow, r, rings)
        arms = np.sin(r * 11 + around * 2 + noise(rng, 6) * 0.5)
        spiral = np.where(near > glow, arms if i < 2 else 2, spiral)
        glow = np.maximum(glow, near)
    value = 0.42 + 0.2 * np.sin(stream * 75) + 0.13 * noise(rng, 6) + 0.25 * step(y, 0.35, 0.7)
    sky = ramp(value, _NIGHT)
    halo = ramp(rings / 1.25 + 0.10 * np.sin(rings * 17) + 0.06 * noise(rng, 14), _GLOW)
    colors = blend(sky, halo, step(glow, 0.03, 0.75))
    milky = ramp(
        0.5 + 0.5 * spiral - 0.25 * rings, ((30, 70, 150), (110, 160, 196), (236, 232, 190))
    )
    milky = blend(milky, (250, 220, 110), step(-rings, -0.45, -0.15))
    colors = np.where((spiral < 1.5)[..., None], blend(sky, milky, step(glow, 0.03, 0.45)), colors)
    return Plan(colors, along(stream)), glow


def _hills_and_cypress(rng: np.random.Generator, plan: Plan) -> None:
    x, y = plane()
    ridge = 0.72 + 0.05 * np.sin(x * 7 + 1) - 0.05 * x + 0.02 * np.sin(x * 19)
    under = y - ridge
    folds = under + 0.05 * np.sin(x * 11 + under * 14) + 0.012 * noise(rng, 5, 2)
    land_colors = ramp(
        0.45 + 0.4 * np.sin(folds * 60) + 0.15 * noise(rng, 8),
        ((14, 24, 44), (22, 52, 82), (40, 92, 98), (96, 132, 86), (196, 172, 84)),
    )
    plan.lay(under > 0, land_colors, along(folds))

    tip = np.clip((y - 0.12) / 0.88, 0, 1)
    sway = 0.16 + 0.025 * np.sin(y * 13) + 0.01 * np.sin(y * 31)
    tree = (np.abs(x - sway) < 0.11 * tip**0.8 * (1 + 0.16 * np.sin(y * 37 + x * 30))) & (y > 0.12)
    flame = x - sway + 0.03 * np.sin(y * 24 + x * 20)
    leaves = ramp(
        0.42 + 0.35 * np.sin(flame * 150 + y * 6) + 0.15 * noise(rng, 10),
        ((10, 16, 22), (20, 34, 30), (44, 62, 36), (96, 88, 42), (140, 110, 52)),
    )
    plan.lay(tree, leaves, along(flame))


def swirls(size: int) -> NDArray[np.uint8]:
    """Draw a night sky that turns about its stars."""
    easel = Easel(size, 1889, (40, 44, 60))
    plan, glow = _night_sky(easel.rng)
    _hills_and_cypress(easel.rng, plan)
    bright = step(glow, 0.35, 0.8) * (plan.labels == 0)
    pale = np.clip(plan.colors * 1.12 + 26, 0, 255).astype(np.float32)
    dark = (plan.colors * 0.55).astype(np.float32)
    easel.paint(Brush(900, 0.05, 0.16, 12, 0.08, 0.03, 0.06, 0.4), plan, loose=True)
    easel.paint(Brush(3600, 0.017, 0.085, 6, 0.09, 0.035, 0.08, 0.8), plan)
    easel.paint(Brush(5200, 0.010, 0.060, 4, 0.10, 0.04, 0.08, 0.9), plan, 0.65)
    easel.paint(Brush(2600, 0.006, 0.055, 3, 0.1, 0.03, 0.08, 1.0), plan, 0.35, colors=dark)
    fine = Brush(2600, 0.006, 0.045, 3, 0.1, 0.03, 0.08, 1.0)
    easel.paint(fine, plan, 0.3 + 0.7 * bright, colors=pale)
    return easel.finish(1.5)


def _burning_bay(rng: np.random.Generator) -> Plan:
    """Plan the sky, the water and the far shore."""
    x, y = plane()
    drift = 0.010 * noise(rng, 4, 2)
    sky_bands = y + 0.045 * np.sin(x * 6.5 + y * 4) + 0.018 * np.sin(x * 15 - y * 9) + drift
    sky = ramp(
        0.5 + 0.33 * np.sin(sky_bands * 52) + 0.22 * noise(rng, 5),
        (
            (122, 22, 22),
            (206, 46, 24),
            (232, 92, 28),
            (246, 158, 48),
            (250, 206, 96),
            (150, 176, 160),
        ),
    )
    r = np.hypot((x - 0.66) * 0.42, (y - 0.60) * 1.15)
    water_bands = r + 0.022 * np.sin(x * 11 - y * 5) + 0.010 * np.sin(x * 21 + y * 16) + 0.5 * drift
    water = ramp(
        0.40 + 0.34 * np.sin(water_bands * 62) + 0.18 * noise(rng, 6),
        ((10, 14, 40), (20, 38, 78), (28, 68, 98), (52, 108, 110), (140, 146, 92), (216, 138, 66)),
    )
    horizon = 0.40 + 0.035 * np.sin(x * 5 + 0.4) + 0.05 * (x - 0.3)
    plan = Plan(sky, along(sky_bands))
    sea = y > horizon
    plan.lay(sea, water, along(water_bands))

    shore = x - 0.60 - 0.20 * np.sin((y - 0.35) * 5.2) - 0.05 * np.sin(y * 21)
    hill_bands = shore + 0.04 * np.sin(y * 17 + x * 6) + drift
    hill = ramp(
        0.4 + 0.36 * np.sin(hill_bands * 62) + 0.2 * noise(rng, 7),
        ((20, 24, 28), (32, 52, 52), (66, 84, 48), (132, 112, 48), (190, 96, 40)),
    )
    plan.lay(sea & (shore > 0), hill, along(hill_bands))
    return plan


def _bridge(rng: np.random.Generator, plan: Plan) -> None:
    """Add planks and a rail that run towards the left horizon."""
    x, y = plane()
    fan = np.arctan2(y - 0.40, x + 0.22)
    deck = fan > 0.62 - 0.02 * np.sin(x * 9)
    planks = ramp(
        0.5 + 0.35 * np.sin(fan * 120) + 0.2 * noise(rng, 7),
        ((46, 24, 22), (104, 50, 32), (164, 84, 44), (206, 136, 74), (120, 110, 100)),
    )
    plan.lay(deck, planks, fan + 0.04 * noise(rng, 6, 1))
    rail = (np.abs(fan - 0.60) < 0.018) | (np.abs(fan - 0.52) < 0.009)
    plan.lay(rail, blend(planks * 0.7, (60, 24, 24), 0.4 + 0 * x), fan)


def fjord(size: int) -> NDArray[np.uint8]:
    """Draw a burning sky over a dark fjord, in wavering bands."""
    easel = Easel(size, 1893, (120, 70, 40))
    plan = _burning_bay(easel.rng)
    _bridge(easel.rng, plan)
    easel.paint(Brush(700, 0.06, 0.22, 14, 0.08, 0.03, 0.07, 0.5), plan, loose=True)
    easel.paint(Brush(2000, 0.026, 0.16, 9, 0.08, 0.04, 0.08, 0.8), plan)
    easel.paint(Brush(2600, 0.013, 0.12, 5, 0.10, 0.05, 0.08, 0.9), plan, 0.75)
    other = np.roll(plan.colors, 23, axis=0)  # a neighbouring band's colour, dragged in
    easel.paint(Brush(1500, 0.007, 0.13, 3, 0.12, 0.05, 0.08, 1.0), plan, 0.4, colors=other)
    return easel.finish(1.3, 0.012)
