"""Make small textures, and list their colours and windows."""

import numpy as np
import torch


def rough(height, width, seed=0):
    """A smooth random colour picture in 8-bit steps: neighbours resemble each other."""
    random = np.random.default_rng(seed)
    coarse = random.random((3, height // 3 + 1, width // 3 + 1))
    fine = coarse.repeat(3, 1).repeat(3, 2)[:, :height, :width] * 0.8
    picture = np.round((fine + 0.2 * random.random((3, height, width))) * 255) / 255
    return torch.tensor(picture, dtype=torch.float32)[None]


def periodic(height, width, rows=4, columns=4, seed=3):
    """A random tile of distinct colours, repeated."""
    tile = np.random.default_rng(seed).permutation(rows * columns * 3).reshape(3, rows, columns)
    tiles = np.tile(tile / tile.size, (1, height // rows + 1, width // columns + 1))
    return torch.tensor(tiles[:, :height, :width], dtype=torch.float32)[None]


def colors(picture):
    return {tuple(c) for c in picture[0].flatten(1).T.tolist()}


def windows(picture, size=3):
    """All size x size windows of a picture, as a set of byte strings and as a list."""
    pixels = picture[0].permute(1, 2, 0).numpy()
    views = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(0, 1))
    return [v.tobytes() for v in np.ascontiguousarray(views).reshape(-1, 3 * size * size)]


# ------------------------------------------------------------------ what holds for both methods
