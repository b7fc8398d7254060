"""Draw a sample picture made of pieces: a mosaic of glass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sample_paintings.easel import light
from sample_paintings.plan import Field, noise, ramp, step

_TALL = np.float32(0.0215)  # of a row of tiles

# Centres of the rings of tiles: x, y, head start, palette
_SUNS = (
    (0.68, 0.26, 0.20, ((255, 244, 180), (246, 190, 40), (222, 92, 26), (150, 28, 40))),
    (0.18, 0.20, 0.06, ((236, 240, 226), (70, 150, 200), (24, 76, 160), (20, 34, 96))),
    (0.30, 0.66, 0.16, ((250, 214, 90), (206, 42, 60), (120, 20, 70), (44, 24, 84))),
    (0.80, 0.76, 0.10, ((230, 236, 150), (80, 170, 80), (16, 110, 96), (12, 54, 80))),
    (0.02, 0.98, 0.12, ((240, 230, 190), (40, 160, 170), (16, 92, 140), (24, 36, 100))),
    (0.52, 1.02, 0.04, ((250, 190, 80), (220, 110, 40), (126, 52, 52), (60, 26, 50))),
    (0.46, -0.06, 0.02, ((220, 236, 240), (120, 180, 214), (48, 98, 176), (34, 40, 116))),
    (1.02, 0.48, 0.03, ((246, 220, 170), (196, 120, 150), (104, 50, 126), (44, 28, 90))),
)


class _Tiles(NamedTuple):
    """For every pixel, the tile that contains it."""

    home: NDArray[np.int64]  # number of the centre
    row: Field  # number of the ring
    turn: Field  # angle around the centre, 0 to 1
    across: Field  # position in the tile along the ring, 0 to 1
    up: Field  # position in the tile outwards, 0 to 1
    edge: Field  # distance to the nearest edge
    chance: list[Field]  # random numbers of the tile, 0 to 1


def _lay_tiles(rng: np.random.Generator, side: int) -> _Tiles:
    """Lay rings of tiles around each centre, up to the region of the next one."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / side
    warp = [0.010 * noise(rng, 5, 2, side) + 0.0012 * noise(rng, 60, 1, side) for _ in range(2)]
    x, y = line[None] + warp[0], line[:, None] + warp[1]
    reach = np.stack([np.hypot(x - cx, y - cy) - head for cx, cy, head, _ in _SUNS])
    home = reach.argmin(0)
    near, second = np.partition(reach, 1, axis=0)[:2]
    border = (second - near) / 2  # about the distance to the next centre's region
    centres = np.array([(cx, cy, head) for cx, cy, head, _ in _SUNS], np.float32)[home]
    dx, dy = x - centres[..., 0], y - centres[..., 1]
    r, turn = np.hypot(dx, dy), np.arctan2(dy, dx) / (2 * np.pi) + 0.5
    row = np.floor(r / _TALL)
    up = r / _TALL - row
    # As many tiles per ring as fit, of a width that varies from ring to ring.
    breadth = _TALL * (0.8 + 0.55 * _hash(row, home))
    count = np.maximum(np.round(2 * np.pi * (row + 0.5) * _TALL / breadth), 3)
    place = turn * count + _hash(row, home + 7)
    cell = np.floor(place)
    across = place - cell
    rank = np.minimum(up, 1 - up) * _TALL
    joint = np.minimum(across, 1 - across) * 2 * np.pi * r / count
    edge = np.minimum(np.minimum(rank, joint), border)
    seed = row * 0.37 + cell % count * 1.713
    chance = [_hash(seed, home + k) for k in range(6)]
    return _Tiles(home, row, turn, across, up, edge, chance)


def _glass(tiles: _Tiles) -> Field:
    """Return the colour of every tile: pale near the centres, deep farther out, with variation."""
    home, row, turn, chance = tiles.home, tiles.row, tiles.turn, tiles.chance
    colors = np.zeros((*home.shape, 3), np.float32)
    for k, (_, _, head, palette) in enumerate(_SUNS):
        rays = 0.10 * np.sin(turn * 2 * np.pi * (9 + 2 * k) + row * 0.5)
        t = (row + 0.5) * _TALL / (0.30 + head * 0.9) + rays + 0.13 * np.sin(row * 1.9 + k)
        t = t + 0.34 * (chance[0] - 0.5)
        here = home == k
        colors[here] = ramp(t[here], palette)
    accent = chance[1] > 0.94  # a gold or a turquoise tile here and there
    colors[accent] = np.where(chance[2][accent, None] > 0.5, (232, 190, 84), (60, 190, 190))
    tone = 1 + 0.42 * (chance[3] - 0.5)
    cast = np.stack([chance[4], chance[5], chance[2]], -1) - 0.5
    glass: Field = (colors * tone[..., None] + cast * 34).astype(np.float32)
    return glass


def mosaic(size: int) -> NDArray[np.uint8]:
    """Draw a mosaic of glass tesserae in rings, in dark mortar."""
    rng = np.random.default_rng(1905)
    side = size * 2
    tiles = _lay_tiles(rng, side)
    colors, edge, chance = _glass(tiles), tiles.edge, tiles.chance
    # Each tile is tilted randomly, which changes its brightness; the glass has streaks.
    tilt = (tiles.across - 0.5) * (chance[4] - 0.5) + (tiles.up - 0.5) * (chance[5] - 0.5)
    streak = 0.05 * noise(rng, 90, 2, side) + 0.04 * noise(rng, 24, 2, side)
    colors = (colors * (1 + 0.7 * tilt + streak)[..., None]).astype(np.float32)
    mortar = np.array((44, 38, 38), np.float32) * (1 + 0.2 * noise(rng, 120, 2, side))[..., None]
    solid = step(edge + 0.0006 * noise(rng, 80, 1, side), 0.0014, 0.0030)
    colors = (mortar + (colors - mortar) * solid[..., None]).astype(np.float32)
    height = 255 * (step(edge, 0.0008, 0.0062) + 0.5 * tilt)
    shape = (size, 2, size, 2)
    rgb = colors.reshape(*shape, 3).mean((1, 3))
    lit = light(rgb, height.reshape(shape).mean((1, 3)), 0.9 * (size / 768), 0.5)
    out: NDArray[np.uint8] = lit.clip(0, 255).round().astype(np.uint8)
    return out


def _hash(a: Field, b: NDArray[np.int64]) -> Field:
    """Return a pseudorandom number in [0, 1) for each pair."""
    mixed = np.sin(np.round(a * 1000) * 0.0129898 + b * 78.233) * 43758.5453
    return (mixed - np.floor(mixed)).astype(np.float32)
