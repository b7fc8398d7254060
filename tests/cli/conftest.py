"""A folder of good and bad files for the tests of commands."""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image

from helpers import chunk, pixels


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder of good and bad files, beside the folder that commands run in."""
    folder = tmp_path_factory.mktemp("shelf")
    pixels(64, 48).save(folder / "photo.png")
    pixels(64, 48, seed=1).save(folder / "painting.png")
    pixels(64, 48, seed=2).save(folder / "other.png")
    pixels(1, 1).save(folder / "dot.png")
    pixels(16, 16).save(folder / "tiny.png")
    pixels(64, 48).save(folder / "whole.jpg")
    (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:200])
    (folder / "text.jpg").write_text("dear diary")
    (folder / "empty.png").write_bytes(b"")
    bomb = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", bomb)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    Image.new("L", (64, 48), 0).save(folder / "black.png")
    Image.new("L", (64, 48), 255).save(folder / "white.png")
    (folder / "weights.pth").write_bytes(b"no weights at all")
    (folder / "folder").mkdir()
    return folder
