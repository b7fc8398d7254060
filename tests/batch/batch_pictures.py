"""Coarse coloured noise, which is picture enough for a network."""

import numpy as np
from PIL import Image


def draw(path, width=32, height=24, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
