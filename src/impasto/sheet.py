"""Sheets: several pictures side by side, each with its label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.image import Picture

_GAP, _MARGIN = 12, 16


def contact_sheet(
    pictures: Sequence[tuple[str, Picture]], *, columns: int | None = None, height: int = 256
) -> Picture:
    """Lay pictures out on white, in rows, each under one label.

    Args:
        pictures: Labels and pictures, in reading order.
        columns: Pictures in a row; None puts all in one.
        height: Of each picture on the sheet, in pixels.
    """
    columns = columns or len(pictures)
    letters = max(12, height // 16)
    font = ImageFont.load_default(size=letters)
    tiles = [(label, _tile(picture, height)) for label, picture in pictures]
    width = max(tile.width for _, tile in tiles)
    text = int(letters * 1.6)
    rows = -(-len(tiles) // columns)
    sheet = Image.new(
        "RGB",
        (
            2 * _MARGIN + columns * width + (columns - 1) * _GAP,
            2 * _MARGIN + rows * (height + text) + (rows - 1) * _GAP,
        ),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    for index, (label, tile) in enumerate(tiles):
        x = _MARGIN + index % columns * (width + _GAP)
        y = _MARGIN + index // columns * (height + text + _GAP)
        draw.text((x, y), label, fill="#222222", font=font)
        sheet.paste(tile, (x, y + text))
    return Picture.from_pil(sheet)


def _tile(picture: Picture, height: int) -> Image.Image:
    width = max(1, round(picture.width * height / picture.height))
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = picture.resized(height, width).numpy()
    return Image.fromarray(pixels[..., :3])
