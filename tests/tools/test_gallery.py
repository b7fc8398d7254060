"""The strips of photo, painting and result on the first page of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pixels

import gallery
from impasto.image import Image

INDEX = Path(__file__).parents[2] / "docs" / "index.md"
STRIPS = [name for name in gallery.ENTRIES if name.startswith("strip-")]


def plain(height, width, colour):
    return Image(torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, height, width).contiguous())


def test_a_row_has_one_height_and_the_whole_width():
    colours = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    sizes = ((20, 30), (40, 40), (10, 15))
    row = gallery.in_a_row([plain(*s, c) for s, c in zip(sizes, colours, strict=True)], width=412)
    assert (row.width, row.height) == (412, 100)  # 400 = (1.5 + 1 + 1.5) * 100, and two gaps of 6
    found = row.numpy()[50]
    for x, colour in zip((75, 206, 337), colours, strict=True):
        assert np.array_equal(found[x], np.array(colour) * 255)
    assert (found[150:156] == 255).all()
    assert (found[256:262] == 255).all()


def test_a_strip_shows_the_file_of_an_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "GALLERY", tmp_path)
    plain(20, 30, [0.0, 0.0, 1.0]).save(tmp_path / "other.png")
    (tmp_path / "other.png").rename(tmp_path / "other.jpg")
    row = gallery.strip("coffee", "mosaic", entry="other")(lambda progress: None)
    assert row.width == gallery.STRIP_WIDTH
    assert tuple(row.numpy()[10, -10]) == (0, 0, 255)


@pytest.mark.parametrize("name", STRIPS)
def test_strips_are_there_small_and_on_the_first_page(name):
    path = gallery.GALLERY / f"{name}.jpg"
    assert path.stat().st_size < 150_000
    assert Pixels.open(path).width == gallery.STRIP_WIDTH
    assert f"gallery/{path.name}" in INDEX.read_text(encoding="utf-8")


def test_sources_have_their_credit():
    credits = (INDEX.parent / "gallery.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w-]+)` \|", credits, re.MULTILINE))
    assert named == {path.stem for path in gallery.SOURCES.glob("*.jpg")}
