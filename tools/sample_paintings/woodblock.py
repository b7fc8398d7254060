"""Draw a sample picture on paper: a colour woodblock print of the sea."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from sample_paintings.easel import Easel
from sample_paintings.plan import RGB, Field, curve, noise

_INK = (24, 34, 62)
_BLUES: tuple[RGB, ...] = ((28, 52, 104), (52, 92, 146), (110, 150, 178), (168, 192, 196))
_CREAM = (238, 226, 196)


class _Block(Easel):
    """A sheet that is printed in flat colours and with lines of varying width."""

    def fill(self, outline: ArrayLike, color: RGB) -> None:
        self.draw.polygon((np.asarray(outline) * self.side).ravel().tolist(), (*color, 60))

    def swell(self, line: Field, width: float, color: RGB, fade: float = 0.15) -> None:
        """Draw a line that is `width` at its middle and `fade` times that at its ends."""
        t = np.linspace(0, np.pi, len(line))
        wobble = 1 + 0.12 * np.sin(np.arange(len(line)) * 0.7 + self.rng.uniform(0, 6))
        half = width / 2 * (fade + (1 - fade) * np.sin(t)) * wobble
        tangent = np.gradient(line, axis=0)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
        side = tangent[:, ::-1] * np.array([-1, 1]) * half[:, None]
        self.fill(np.concatenate([line + side, (line - side)[::-1]]), color)

    def foam(self, at: ArrayLike, radius: float, tint: RGB = _CREAM) -> None:
        """Draw a blob of foam with an ink outline."""
        x, y = np.asarray(at) * self.side
        for r, color in ((radius + 0.0022, _INK), (radius, tint)):
            half = r * self.side
            self.draw.ellipse((x - half, y - half * 0.92, x + half, y + half * 0.92), (*color, 60))


def _swell_of_sea(sheet: _Block, level: float, tall: float, phase: float, tone: int) -> None:
    """Draw one row of waves from edge to edge, with hatching and foam."""
    rng = sheet.rng
    x = np.linspace(-0.05, 1.05, 320)
    crest = np.abs(np.sin(x * 5.2 + phase)) ** 0.75
    y = level - tall * crest + 0.010 * np.sin(x * 23 + phase * 3)
    top = np.stack([x, y], 1).astype(np.float32)
    sheet.fill(np.concatenate([top, [[1.05, 1.1], [-0.05, 1.1]]]), _BLUES[tone])
    for i in range(1, 15):
        below = top + np.array([0, 0.0115 * i + 0.0022 * i * i * tall * 4], np.float32)
        below[:, 1] += 0.004 * np.sin(x * 31 + i)
        for a in range(0, 320, 40):
            cut = slice(a + int(rng.integers(0, 10)), a + int(rng.integers(30, 56)))
            color = _INK if i % 3 == 0 else _BLUES[(tone + (2 if i % 3 == 1 else 1)) % 4]
            sheet.swell(below[cut], float(rng.uniform(0.005, 0.010)) if i % 3 else 0.0032, color)
    sheet.swell(top, 0.006, _INK, 1)
    for k in np.flatnonzero(crest > 0.72)[::5]:
        for _ in range(2):
            at = top[k] + rng.normal(0, 0.008, 2) + [0, 0.004]
            sheet.foam(at, float(rng.uniform(0.004, 0.012)))


def _claws(sheet: _Block, rim: Field, inward: Field, reach: float) -> None:
    """Draw foam along a rim: overlapping lobes, and fingers that point inward."""
    rng = sheet.rng
    for k in range(2, len(rim) - 2, 3):
        share = np.sin(np.pi * k / len(rim)) ** 0.5
        heading = np.arctan2(inward[k, 1], inward[k, 0]) + rng.normal(0, 0.35)
        length = reach * share * rng.uniform(0.5, 1.2)
        bend = rng.choice([-1, 1]) * rng.uniform(0.5, 1.6)
        t = np.linspace(0, 1, 9)[:, None]
        turn = heading + bend * t
        finger = rim[k] + length * t * np.concatenate([np.cos(turn), np.sin(turn)], 1)
        for at, share_left in zip(finger, 1.1 - t[:, 0], strict=True):
            sheet.foam(at, 0.0085 * share_left)
        for at, left in zip(finger, 1.1 - t[:, 0], strict=True):  # cover the inner outlines
            x, y = at * sheet.side
            half = 0.0085 * left * sheet.side
            sheet.draw.ellipse((x - half, y - half, x + half, y + half), (*_CREAM, 60))
        if rng.random() < 0.8:
            sheet.swell(finger[:7].astype(np.float32), 0.0028, _BLUES[1])


def _great_wave(sheet: _Block) -> None:
    rng = sheet.rng
    back = curve(
        [(-0.06, 0.52), (0.06, 0.30), (0.22, 0.14), (0.40, 0.105), (0.54, 0.19), (0.60, 0.325)]
    )
    belly = curve(
        [(0.30, 0.93), (0.24, 0.74), (0.27, 0.54), (0.37, 0.40), (0.48, 0.345), (0.60, 0.325)]
    )
    foot = np.array([[0.30, 1.1], [-0.1, 1.1]])
    sheet.fill(np.concatenate([back, belly[::-1], foot]), _BLUES[0])
    shares = np.linspace(0.04, 0.96, 24)
    count = 120
    far = [(0.60, 0.325), (0.54, 0.19), (0.40, 0.105), (0.22, 0.14), (0.06, 0.30), (-0.06, 0.52)]
    outer = curve([*far, (-0.12, 0.80), (-0.14, 1.12)], count)
    near = [(0.60, 0.325), (0.48, 0.345), (0.37, 0.40), (0.27, 0.54), (0.24, 0.74), (0.30, 0.93)]
    inner = curve([*near, (0.40, 1.12)], count)
    for i, share in enumerate(shares):
        line = (outer[:count] * (1 - share) + inner[:count] * share).astype(np.float32)
        start = int(rng.integers(2, 9))
        color = (_BLUES[2], _CREAM, _BLUES[1], _BLUES[3])[i % 4]
        sheet.swell(
            line[start : count - int(rng.integers(1, 14))], 0.013 if i % 2 else 0.006, color, 0.1
        )
    sheet.swell(belly, 0.006, _INK, 0.8)
    sheet.swell(back, 0.006, _INK, 0.8)
    for rim, pull, reach in ((back, 0.9, 0.060), (back[60:], 0.5, 0.085), (belly[95:], 0.7, 0.075)):
        tangent = np.gradient(rim, axis=0)
        inward = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
        inward /= np.linalg.norm(inward, axis=1, keepdims=True)
        _claws(sheet, rim, (inward * pull + [0.25, 0.45]).astype(np.float32), reach)
    for _ in range(170):  # spray
        at = np.array([0.60, 0.27]) + rng.normal(0, [0.11, 0.11])
        sheet.foam(at, float(rng.uniform(0.0012, 0.0042)))


def _sky(sheet: _Block) -> None:
    rng = sheet.rng
    for i in range(90):  # bokashi: a gradient of the sky from grey to cream
        t = i / 90
        tone = np.array((150, 152, 150)) * (1 - t) + np.array((240, 222, 180)) * t
        sheet.fill(
            [(0, t * 0.6), (1, t * 0.6), (1, 0.8), (0, 0.8)],
            (int(tone[0]), int(tone[1]), int(tone[2])),
        )
    for _ in range(26):  # clouds in bands
        x, y, w = rng.uniform(-0.1, 1), rng.uniform(0.03, 0.5), rng.uniform(0.1, 0.35)
        line = np.stack([np.linspace(x, x + w, 40), y + 0.006 * np.sin(np.linspace(0, 6, 40))], 1)
        tint = ((222, 196, 160), (206, 186, 160), (246, 234, 204))[int(rng.integers(3))]
        sheet.swell(line.astype(np.float32), float(rng.uniform(0.008, 0.022)), tint, 0.02)


def _mountain(sheet: _Block) -> None:
    side = np.linspace(0.42, 1.04, 120)
    slope = 0.235 * np.exp(-np.maximum(np.abs(side - 0.73) - 0.014, 0) / 0.12)
    fuji = np.stack([side, 0.72 - slope + 0.002 * np.sin(side * 90)], 1).astype(np.float32)
    sheet.fill(np.concatenate([fuji, [[1.04, 0.8], [0.42, 0.8]]]), (76, 100, 138))
    snow = [
        (0.675, 0.560),
        (0.715, 0.485),
        (0.745, 0.487),
        (0.786, 0.556),
        (0.776, 0.548),
        (0.77, 0.572),
    ]
    snow += [(0.752, 0.54), (0.735, 0.580), (0.717, 0.545), (0.70, 0.572), (0.685, 0.548)]
    sheet.fill(snow, (244, 236, 216))
    for k in range(16):
        drop = np.linspace(0.35, 0.97, 20)
        reach = (-1) ** k * (0.004 + 0.0135 * k)
        ridge = np.stack([0.73 + reach * drop**1.6, 0.485 + 0.22 * drop], 1)
        sheet.swell(ridge.astype(np.float32), 0.0035, _BLUES[0])
    sheet.swell(fuji, 0.005, _INK, 0.7)


def wave(size: int) -> NDArray[np.uint8]:
    """Draw a great wave, as a print from cherry-wood blocks."""
    sheet = _Block(size, 1831, (226, 208, 168))
    rng = sheet.rng
    _sky(sheet)
    _mountain(sheet)
    _swell_of_sea(sheet, 0.70, 0.045, 0.4, 2)
    _swell_of_sea(sheet, 0.77, 0.075, 1.9, 1)
    _great_wave(sheet)
    _swell_of_sea(sheet, 0.87, 0.10, 2.9, 0)
    _swell_of_sea(sheet, 0.97, 0.09, 0.9, 1)
    rgb, _ = sheet.planes()
    # The wood grain of the block and the fibres of the paper print unevenly.
    fibre = gaussian_filter(rng.standard_normal((size, size)), (0.7, size / 40)).astype(np.float32)
    fibre /= fibre.std()
    knots = noise(rng, 3, 2, size) * 2 + np.linspace(0, 60, size, dtype=np.float32)[:, None]
    grain = np.sin(knots * 3) * 0.6 + fibre
    speck = gaussian_filter(rng.standard_normal((size, size)), 0.8).astype(np.float32)
    bare = np.clip(0.05 + 0.035 * grain + 0.25 * speck + 0.03 * noise(rng, 5, 3, size), 0, 0.5)
    worn = (
        rgb
        + (np.array((236, 220, 184), np.float32) - rgb) * bare[..., None]
        + fibre[..., None] * 3.0
    )
    worn = worn * (1 + 0.05 * speck[..., None])
    out: NDArray[np.uint8] = worn.clip(0, 255).round().astype(np.uint8)
    return out
