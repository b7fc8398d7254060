"""Small pictures on disk."""

import numpy as np
import pytest
from PIL import Image

from impasto.training.data import Source, image_paths


@pytest.fixture
def paint():
    """Write a picture of noise of some colour: paint(path, width, height, seed=0, mode="RGB")."""

    def write(path, width=24, height=20, seed=0, mode="RGB", **options):
        random = np.random.default_rng(seed)
        pixels = random.integers(0, 80, (height, width, 3)) + random.integers(0, 170, 3)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(path, **options)
        return path

    return write


@pytest.fixture
def folder(tmp_path, paint):
    """Seven sound pictures."""
    for number in range(7):
        paint(tmp_path / "photos" / f"{number}.png", seed=number)
    return tmp_path / "photos"


@pytest.fixture
def source(folder):
    """Small crops of them."""
    return Source(image_paths(folder), crop=8)
