"""Draw a sample painting in dots of pure colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_paintings.easel import Brush, Easel, scatter
from sample_paintings.plan import Field, Plan, blend, noise, plane, ramp, sample

_PIGMENTS = np.array(
    [
        (34, 44, 120), (48, 92, 178), (110, 160, 214), (182, 208, 226), (20, 60, 90),
        (36, 96, 72), (74, 140, 62), (150, 184, 64), (230, 208, 80), (250, 234, 170),
        (238, 166, 60), (224, 104, 52), (190, 54, 58), (226, 140, 150), (130, 74, 140),
        (176, 150, 200), (84, 52, 60), (246, 240, 226),
    ],
    np.float32,
)  # fmt: skip


def _sky_and_sea(rough: Field, flow: Field) -> Plan:
    x, y = plane()
    sky = ramp(
        y / 0.42 + 0.06 * rough, ((84, 138, 206), (148, 186, 222), (232, 214, 206), (250, 218, 150))
    )
    sun = np.exp(-(np.hypot(x - 0.66, y - 0.30) ** 2) / 0.012)
    sky = blend(sky, (255, 240, 180), sun)
    sea = ramp(
        (y - 0.42) / 0.3 + 0.05 * rough,
        ((200, 200, 190), (96, 160, 196), (44, 102, 158), (40, 84, 130)),
    )
    glitter = np.exp(-((x - 0.66) ** 2) / 0.006) * (0.5 + 0.5 * np.sin(y * 190 + rough))
    sea = blend(sea, (255, 226, 150), glitter * 0.9)
    plan = Plan(sky, flow)
    hills = y > 0.40 - 0.05 * np.sin(x * 4 + 2) ** 2 - 0.03 * np.sin(x * 9)
    plan.lay(
        hills & (y < 0.43),
        ramp(0.5 + 0.25 * rough, ((92, 96, 170), (150, 130, 186), (206, 160, 176))),
        flow,
    )
    plan.lay(y > 0.42, sea, flow)
    return plan


def _boats(plan: Plan, flow: Field) -> None:
    x, y = plane()
    for cx, cy, tall, tint in (
        (0.40, 0.55, 0.20, (252, 240, 220)),
        (0.52, 0.47, 0.09, (240, 190, 150)),
        (0.86, 0.50, 0.13, (250, 226, 196)),
    ):
        up = (cy - y) / tall
        sail = (up > 0) & (up < 1) & (x > cx - 0.02 * up) & (x < cx + (1 - up) * tall * 0.55)
        shade = ramp((x - cx) / (tall * 0.5), (tint, (170, 150, 190)))
        plan.lay(sail, shade, flow)
        hull = (np.abs(y - cy - 0.010) < 0.012) & (
            np.abs(x - cx - 0.2 * tall) < tall * 0.42 - 1.6 * (y - cy)
        )
        plan.lay(hull, ramp(0 * x, ((100, 44, 48), (100, 44, 48))), flow)


def _beach_and_tree(plan: Plan, rough: Field, flow: Field) -> None:
    x, y = plane()
    beach = y > 0.80 - 0.20 * x + 0.03 * np.sin(x * 9)
    lit = ramp(
        0.5 + 0.3 * rough + 0.2 * np.sin(x * 12 + y * 22),
        ((62, 116, 64), (130, 172, 66), (214, 200, 92), (240, 206, 130)),
    )
    plan.lay(beach, lit, flow)
    shadow = beach & (y > 0.93 - 0.16 * x + 0.05 * np.sin(x * 6 + 1))
    plan.lay(shadow, ramp(0.5 + 0.3 * rough, ((30, 54, 104), (40, 92, 84), (88, 70, 130))), flow)
    trunk = (np.abs(x - 0.13 - 0.03 * np.sin(y * 6)) < 0.017) & (y > 0.2) & (y < 0.86)
    plan.lay(trunk, ramp((x - 0.1) / 0.06, ((226, 140, 84), (92, 52, 70), (52, 40, 84))), flow)
    crown = np.zeros_like(x, bool)
    for cx, cy, r in (
        (0.10, 0.16, 0.15),
        (0.24, 0.12, 0.11),
        (0.02, 0.30, 0.10),
        (0.22, 0.27, 0.07),
        (0.33, 0.06, 0.08),
    ):
        crown |= np.hypot(x - cx, (y - cy) * 1.2) < r * (1 + 0.12 * rough)
    plan.lay(
        crown,
        ramp(
            0.5 + 0.34 * rough + 0.6 * (x - 0.15) - 0.4 * (y - 0.15),
            ((26, 50, 92), (34, 100, 70), (110, 164, 58), (232, 206, 84)),
        ),
        flow + 1,
    )


def pointillist(size: int) -> NDArray[np.uint8]:
    """Draw a bay in the late sun, in dots of pure colour that mix in the eye."""
    easel = Easel(size, 1884, (214, 200, 170))
    rng = easel.rng
    rough, flow = noise(np.random.default_rng(1886), 7), 0.2 * noise(rng, 4, 1)
    plan = _sky_and_sea(rough, flow)
    _boats(plan, flow)
    _beach_and_tree(plan, rough, flow)
    easel.paint(Brush(1500, 0.04, 0.07, 10, 0.05, 0.03, 0.04, 0.2), plan)
    for count, radius, wild in ((9000, 0.0072, 26), (26000, 0.0045, 34), (16000, 0.0032, 40)):
        at = scatter(rng, count)
        local = sample(plan.colors, at)
        # Division of colour: pigments near the local colour, and sometimes its complement.
        wanted = local + rng.normal(0, wild, local.shape)
        wanted = np.where(
            rng.random((len(at), 1)) < 0.05,
            local.mean(-1, keepdims=True) * 1.6 - 0.6 * local + 20,
            wanted,
        )
        nearest = ((wanted[:, None] - _PIGMENTS) ** 2).sum(-1).argmin(-1)
        tint = 0.72 * _PIGMENTS[nearest] + 0.28 * local + rng.normal(0, 8, local.shape)
        height = rng.uniform(120, 230, (len(at), 1))
        inks = np.concatenate([tint, height], 1).clip(0, 255).astype(np.uint8)
        radii = (radius * rng.lognormal(0, 0.18, len(at))).astype(np.float32)
        easel.dots(at, radii, inks)
    return easel.finish(0.55, 0.015)
