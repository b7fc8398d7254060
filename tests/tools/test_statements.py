"""The pictures that show the statements of the papers: small, shown on a page, and made anew."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pixels

import statements
from impasto.image import Image

DOCS = Path(__file__).parents[2] / "docs"
PAGES = "\n".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md")))


@pytest.mark.parametrize("name", statements.STATEMENTS)
def test_statements_are_small_and_shown(name):
    path = DOCS / "gallery" / f"{name}.jpg"
    assert path.stat().st_size <= statements.LARGEST
    assert Pixels.open(path).width <= statements.WIDTH
    assert re.search(rf"!\[[^]]+\]\((?:\.\./)*gallery/{re.escape(path.name)}\)", PAGES)


def test_noise_is_saved_within_the_limits(tmp_path):
    chance = torch.Generator().manual_seed(0)
    noise = Image(torch.rand(1, 3, 400, 2 * statements.WIDTH, generator=chance))
    statements.save(noise, tmp_path / "noise.jpg")
    assert (tmp_path / "noise.jpg").stat().st_size <= statements.LARGEST
    assert Pixels.open(tmp_path / "noise.jpg").size == (statements.WIDTH, 200)


def test_rows_lie_below_each_other():
    wide, tall = (Image(torch.full((1, 3, *size), v)) for size, v in (((4, 9), 0.0), ((7, 5), 0.2)))
    found = statements.stack(lambda: wide, lambda: tall)().numpy()
    assert found.shape == (11, 9, 3)
    assert np.unique(found[:4]).tolist() == [0]
    assert np.unique(found[4:, :5]).tolist() == [51]
    assert np.unique(found[4:, 5:]).tolist() == [255]
