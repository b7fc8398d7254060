"""Draw a sample picture on paper: mountains in ink, washed and brushed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from sample_paintings.easel import SCALE, Easel
from sample_paintings.plan import Field, curve, noise


def _wash(sheet: Easel, ink: Field, outline: Field, depth: Field, dark: float) -> None:
    """Add a wash of ink below a ridge: darkest along it, fading into mist beneath."""
    size = sheet.size
    rows = np.arange(size, dtype=np.float32)[:, None] / size
    under = rows - outline[None]
    edge = np.exp(-np.maximum(under, 0) / depth) * (under > 0)
    rim = np.exp(-((under / 0.004) ** 2)) * 0.25  # pigment gathers where a wash ends
    pool = 1 + 0.28 * noise(sheet.rng, 7, 5, size) + 0.10 * noise(sheet.rng, 60, 2, size)
    # mist in front of it
    ink *= 1 - 0.75 * (under > 0) * np.exp(-np.maximum(under, 0) / (depth * 2.5))
    ink += dark * (edge + rim * (under > -0.01)) * np.clip(pool, 0.2, 2)


def _profile(sheet: Easel, level: float, tall: float, cells: int) -> Field:
    """Return the outline of a ridge of mountains: its y for each column."""
    rough = noise(sheet.rng, cells, 6, sheet.size)[0]
    rough = rough / max(float(np.abs(rough).max()), 1e-6)
    ridge: Field = (level - tall * np.abs(rough) ** 0.8 * np.sign(rough)).astype(np.float32)
    return ridge


class _Brush:
    """Ink lines over a wash, accumulated as darkness."""

    def __init__(self, sheet: Easel) -> None:
        self.sheet = sheet
        self.image = Image.new("L", (sheet.side, sheet.side), 0)
        self.draw = ImageDraw.Draw(self.image)

    def stroke(self, line: Field, width: float, dark: float, dry: float = 0.3) -> None:
        """Draw a stroke of a pointed brush: swelling, of many hairs, some of them dry."""
        rng, side = self.sheet.rng, self.sheet.side
        tangent = np.gradient(line, axis=0)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
        normal = tangent[:, ::-1] * np.array([-1, 1])
        press = np.sin(np.pi * np.linspace(0.06, 0.995, len(line)) ** 0.75) ** 0.8
        hairs = max(2, int(width * 700))
        for across in np.linspace(-0.5, 0.5, hairs):
            end = len(line) if rng.random() > dry else int(rng.integers(2, len(line) + 1))
            begin = 0 if rng.random() > dry / 2 else int(rng.integers(0, max(1, end - 1)))
            hair = line + normal * (across * width * press)[:, None]
            tone = int(np.clip(255 * dark * rng.normal(1, 0.13), 0, 255))
            self.draw.line(
                (hair[begin:end] * side).ravel().tolist(), tone, max(1, round(side / 512))
            )

    def dark(self) -> Field:
        """Return the darkness of the lines, (size, size) in [0, 1]."""
        size = self.sheet.size
        fine = np.asarray(self.image, np.float32).reshape(size, SCALE, size, SCALE)
        dark: Field = (fine.mean((1, 3)) / 255).astype(np.float32)
        return dark


def _texture_strokes(brush: _Brush, ridge: Field, count: int, reach: float, dark: float) -> None:
    """Draw hemp-fibre strokes (cun) that run down from a ridge and give the rock volume."""
    rng = brush.sheet.rng
    slope = np.gradient(ridge) * len(ridge)
    for column in rng.integers(0, len(ridge), count):
        down = abs(rng.normal(0, reach))
        start = np.array([column / len(ridge), ridge[column] + down])
        lean = np.clip(slope[column] * 0.25, -0.8, 0.8) + rng.normal(0, 0.25)
        t = np.linspace(0, 1, 7)[:, None]
        length = rng.uniform(0.02, 0.07)
        bow = rng.normal(0, 0.3) * length * (t * (1 - t))
        line = start + length * t * [[0.45 * np.sign(slope[column] + 1e-6) + 0.5 * lean, 0.9]] + bow
        fade = np.exp(-down / reach / 1.5)
        brush.stroke(line.astype(np.float32), rng.uniform(0.0015, 0.005), dark * fade, 0.45)


def _pine(brush: _Brush, root: tuple[float, float], tall: float, lean: float) -> None:
    """Draw a pine: a crooked trunk, branches, and fans of needles."""
    rng = brush.sheet.rng
    t = np.linspace(0, 1, 7)
    bends = root[0] + lean * tall * t + 0.06 * tall * np.sin(t * 7 + rng.uniform(0, 6)) * t
    trunk = curve(list(zip(bends, root[1] - tall * t, strict=True)), 40)
    brush.stroke(trunk, 0.055 * tall, 0.85, 0.35)
    for k in range(9):
        at = trunk[int(14 + 2.9 * k)]
        way = (-1) ** k
        reach = tall * rng.uniform(0.16, 0.42) * (1.15 - 0.08 * k)
        tip = at + np.array([way * reach, rng.uniform(-0.05, 0.05) * tall])
        bough = curve([tuple(at), tuple((at + tip) / 2 + [0, 0.03 * tall]), tuple(tip)], 14)
        brush.stroke(bough, 0.016 * tall, 0.8, 0.3)
        for place in bough[3:]:
            for _ in range(2):
                hub = place + rng.normal(0, 0.018, 2) * tall
                for turn in np.linspace(-2.9, -0.25, 9) + rng.normal(0, 0.1):
                    needle = hub + np.outer([0, 0.5, 1], [np.cos(turn), np.sin(turn) * 0.8]) * (
                        tall * rng.uniform(0.035, 0.065)
                    )
                    brush.stroke(needle.astype(np.float32), 0.0012, rng.uniform(0.45, 0.95), 0)


def _bamboo(brush: _Brush, stem: Sequence[tuple[float, float]], leaves: int) -> None:
    """Draw a hanging stem with pointed leaves, the near ones darkest."""
    rng = brush.sheet.rng
    line = curve(stem, 60)
    brush.stroke(line, 0.006, 0.8, 0.2)
    for _ in range(leaves):
        at = line[int(rng.integers(8, 60))] + rng.normal(0, 0.012, 2)
        turn = rng.normal(1.35, 0.55)
        length = rng.uniform(0.05, 0.13)
        bend = turn + rng.normal(0, 0.25) * np.linspace(0, 1, 12)[:, None]
        reach = np.linspace(0, 1, 12)[:, None] * length
        leaf = at + reach * np.concatenate([np.cos(bend), np.sin(bend)], 1)
        brush.stroke(leaf.astype(np.float32), length * 0.17, rng.choice([0.35, 0.6, 0.95]), 0.12)


def ink(size: int) -> NDArray[np.uint8]:
    """Draw mountains in mist with pines, in black ink on warm paper."""
    sheet = Easel(size, 1495, (236, 226, 204))
    rng = sheet.rng
    wash = np.zeros((size, size), np.float32)
    wash += np.clip(0.05 * noise(rng, 3, 4, size) + 0.05, 0, 1)  # the sky is not quite empty
    brush = _Brush(sheet)
    ranks = ((0.28, 0.17, 3, 0.14, 0.30), (0.43, 0.16, 4, 0.12, 0.42), (0.62, 0.13, 4, 0.12, 0.58))
    for i, (level, tall, cells, depth, dark) in enumerate(ranks):
        ridge = _profile(sheet, level, tall, cells)
        _wash(sheet, wash, ridge, np.float32(depth) * np.ones(size, np.float32), dark)
        _texture_strokes(brush, ridge, 420 + 240 * i, 0.05 + 0.012 * i, 0.32 + 0.16 * i)
    rock = _profile(sheet, 0.85, 0.11, 3)
    _wash(sheet, wash, rock, np.full(size, 0.30, np.float32), 0.75)
    _texture_strokes(brush, rock, 1500, 0.09, 0.92)
    for x, tall, lean in (
        (0.17, 0.52, 0.16),
        (0.30, 0.33, -0.10),
        (0.80, 0.36, -0.22),
        (0.93, 0.24, 0.1),
    ):
        _pine(brush, (x, float(rock[int(x * size)]) + 0.03), tall, lean)
    _bamboo(brush, [(1.03, 0.02), (0.86, 0.05), (0.70, 0.13), (0.60, 0.24)], 70)
    _bamboo(brush, [(1.03, -0.04), (0.92, 0.12), (0.88, 0.28)], 45)
    _bamboo(brush, [(0.62, -0.04), (0.50, 0.02), (0.40, 0.09)], 40)
    lines = brush.dark()
    bled = gaussian_filter(lines, size / 400) * 0.35  # ink that bleeds into the paper
    grain = gaussian_filter(rng.standard_normal((size, size)), 0.8).astype(np.float32)
    fibre = gaussian_filter(rng.standard_normal((size, size)), (0.6, 5)).astype(np.float32)
    across = gaussian_filter(rng.standard_normal((size, size)), (5, 0.6)).astype(np.float32)
    fibre = fibre / fibre.std() + across / across.std()
    soaked = np.clip(wash, 0, 1.1) * (1 + 0.25 * grain + 0.05 * fibre)
    dark = 1 - (1 - np.clip(soaked, 0, 0.9)) * (
        1 - np.clip(lines * (1 + 0.3 * grain) + bled, 0, 0.97)
    )
    paper = np.array((238, 227, 203), np.float32) * (1 + 0.012 * fibre + 0.03 * grain)[..., None]
    paper = paper * (1 + 0.02 * noise(rng, 4, 3, size))[..., None]
    black = np.array((26, 25, 28), np.float32)
    out: NDArray[np.uint8] = (
        (paper + (black - paper) * dark[..., None]).clip(0, 255).astype(np.uint8)
    )
    return out
