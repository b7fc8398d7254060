"""Draw a sample painting on gold leaf: a tree of spirals over a meadow of ornaments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_paintings.easel import Brush, Easel
from sample_paintings.plan import RGB, Plan, noise, ramp

_GILT: tuple[RGB, ...] = (
    (120, 78, 24),
    (178, 126, 40),
    (216, 168, 62),
    (240, 204, 104),
    (252, 232, 164),
)
_GEMS: tuple[RGB, ...] = (
    (30, 40, 90), (44, 110, 120), (150, 40, 50), (226, 214, 190), (24, 22, 26), (206, 96, 50),
    (96, 130, 70), (150, 100, 150), (224, 180, 70), (70, 140, 180),
)  # fmt: skip


def gold(size: int) -> NDArray[np.uint8]:
    """Draw a tree of spirals and a patchwork of ornaments on gold leaf."""
    easel = Easel(size, 1909, (196, 146, 56))
    rng = easel.rng
    leaf = ramp(0.52 + 0.13 * noise(rng, 6, 5), _GILT)
    plan = Plan(leaf, 1.2 * noise(rng, 4, 2))
    easel.paint(Brush(1400, 0.04, 0.06, 9, 0.07, 0.02, 0.05, 0.3), plan)
    easel.paint(Brush(9000, 0.010, 0.022, 4, 0.10, 0.03, 0.07, 0.6), plan)
    for _ in range(900):  # flecks and small rings
        _ring(easel, rng.random(2), rng.uniform(0.002, 0.007), (_GILT[0], _GILT[4]))
    _meadow(easel)
    _branch(easel, np.array((0.48, 1.02)), -1.57, 0.74, 0.080, depth=0)
    for _ in range(110):
        _eye(easel, rng.random(2) * [1, 0.74], rng.uniform(0.006, 0.015))
    return easel.finish(1.2, 0.012)


def _ink(easel: Easel, color: RGB, height: int = 170) -> tuple[int, ...]:
    shade = easel.rng.normal(1, 0.09)
    cast = easel.rng.normal(0, 7, 3)
    return (
        *(int(np.clip(c * shade + d, 0, 255)) for c, d in zip(color, cast, strict=True)),
        height,
    )


def _ring(easel: Easel, at: NDArray[np.float64], radius: float, colors: tuple[RGB, ...]) -> None:
    for k, color in enumerate(colors):
        half = radius * (1 - k / len(colors))
        wobble = 1 + easel.rng.normal(0, 0.06)
        reach = np.array([half, half * wobble])
        box = np.concatenate([at - reach, at + reach]) * easel.side
        easel.draw.ellipse(box.tolist(), _ink(easel, color, 130 + 30 * (k % 3)))


def _eye(easel: Easel, at: NDArray[np.float64], radius: float) -> None:
    """Draw an almond with a pupil, in a gold rim."""
    lean = easel.rng.uniform(0, np.pi)
    t = np.linspace(0, 2 * np.pi, 20)
    almond = np.stack([np.cos(t) * 1.5, np.sin(t) ** 3 * 0.9], 1)
    turn = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])
    for share, color in ((1.35, (60, 40, 24)), (1.0, _GEMS[3])):
        shape = (at + almond @ turn * radius * share) * easel.side
        easel.draw.polygon(shape.ravel().tolist(), _ink(easel, color))
    _ring(easel, at, radius * 0.55, (_GEMS[int(easel.rng.integers(len(_GEMS)))], (20, 18, 22)))


def _branch(
    easel: Easel, foot: NDArray[np.float64], way: float, length: float, width: float, *, depth: int
) -> None:
    """Draw a branch that winds into a spiral, with smaller branches on the way."""
    rng = easel.rng
    sense = rng.choice([-1.0, 1.0])
    count = 140
    run = np.linspace(0, 1, count)
    coil = 0.3 * np.sin(run * 4) if depth == 0 else 12.5 * run**1.9
    heading = way + sense * coil
    pace = length / count * (1 if depth == 0 else 1.9) * (1 - 0.5 * run)
    path = foot + np.stack([np.cos(heading) * pace, np.sin(heading) * pace], 1).cumsum(0)
    taper = width * (1 - (0.85 if depth == 0 else 0.6) * run)
    if depth < 3:
        shoots = np.linspace(50, 136, 8) if depth == 0 else np.linspace(26, 62, 2)
        for i, k in enumerate(shoots.astype(int)):
            side = (-1) ** i if depth == 0 else -sense
            away = heading[k] + side * rng.uniform(0.5, 1.3)
            span = rng.uniform(0.40, 0.74) if depth == 0 else length * rng.uniform(0.5, 0.7)
            _branch(easel, path[k], away, span, max(taper[k] * 0.55, 0.006), depth=depth + 1)
    normal = np.stack([-np.sin(heading), np.cos(heading)], 1)
    for rim, color in ((0.0022, (48, 28, 18)), (0.0, (132, 84, 34))):
        half = (taper / 2 + rim)[:, None]
        boxes = np.concatenate([path - half, path + half], 1) * easel.side
        for box in boxes.tolist():
            easel.draw.ellipse(box, (*color, 200))
    hairs, thin = max(2, int(width * 230)), max(1, round(easel.side / 512))
    for across in np.linspace(-0.42, 0.36, hairs):
        hair = path + normal * (taper * across)[:, None]
        for a in range(0, count - 1, 10):
            tint = _GILT[int(rng.choice([0, 1, 2, 3], p=[0.25, 0.3, 0.3, 0.15]))]
            piece = hair[a : a + 11] * easel.side
            easel.draw.line(
                piece.ravel().tolist(), _ink(easel, tint, int(rng.integers(170, 255))), thin
            )


def _meadow(easel: Easel) -> None:
    """Draw the ground: rows of small ornaments, each row of one kind, in uneven patches."""
    rng = easel.rng
    for _ in range(1500):
        at = np.array([rng.random(), 1.02 - abs(rng.normal(0, 0.11))])
        w, h = rng.uniform(0.006, 0.030), rng.uniform(0.006, 0.030)
        color = _GEMS[int(rng.integers(len(_GEMS)))]
        kind = rng.integers(4)
        if kind == 0:
            lean = rng.normal(0, 0.12)
            box = np.array([(-w, -h), (w, -h), (w, h), (-w, h)]) / 2
            turn = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])
            for share, tint in ((1.0, _GILT[int(rng.integers(5))]), (0.68, color), (0.3, _GILT[3])):
                shape = (at + box @ turn * share) * easel.side
                easel.draw.polygon(shape.ravel().tolist(), _ink(easel, tint))
        elif kind == 1:
            _ring(easel, at, w / 2, (color, _GILT[4], _GEMS[int(rng.integers(10))], _GILT[2]))
        elif kind == 2:
            shape = (at + np.array([(-w / 2, h / 2), (w / 2, h / 2), (0, -h / 2)])) * easel.side
            easel.draw.polygon(shape.ravel().tolist(), _ink(easel, color))
        else:
            _eye(easel, at, w / 3)
