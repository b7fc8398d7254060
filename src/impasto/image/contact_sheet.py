"""Sheets: several pictures side by side, each with its label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.image import Image as Picture

_GAP, _MARGIN = 12, 16
_SMALLEST = 12  # letters, in pixels


def contact_sheet(
    pictures: Sequence[tuple[str, Picture]], *, columns: int | None = None, height: int = 256
) -> Picture:
    """Lay pictures out on white, in rows, each right under its label.

    Letters are as large as the longest label allows; what is too long for small ones is cut.

    Args:
        pictures: Labels, of one line or several, and pictures, in reading order.
        columns: Pictures in a row; None puts all in one.
        height: Of each picture on the sheet, in pixels.
    """
    columns = min(columns or len(pictures), len(pictures))
    tiles = [(label.splitlines(), _tile(picture, height)) for label, picture in pictures]
    width = max(tile.width for _, tile in tiles)
    font = _font([line for lines, _ in tiles for line in lines], width, height)
    line_height = int(font.size * 1.6)
    text = line_height * max(1, *(len(lines) for lines, _ in tiles))
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
    for index, (lines, tile) in enumerate(tiles):
        x = _MARGIN + index % columns * (width + _GAP)
        y = _MARGIN + index // columns * (height + text + _GAP)
        for above, line in enumerate(reversed(lines), start=1):
            shown = _cut(line, font, width)
            draw.text((x, y + text - above * line_height), shown, fill="#222222", font=font)
        sheet.paste(tile, (x, y + text))
    return Picture.from_pil(sheet)


def _font(lines: Sequence[str], width: int, height: int) -> ImageFont.FreeTypeFont:
    """A font in which all lines are as wide as a picture at most, if it need not be tiny."""
    largest = max(_SMALLEST, height // 16)
    for size in range(largest, _SMALLEST, -1):
        font = _sized(size)
        if all(font.getlength(line) <= width for line in lines):
            return font
    return _sized(_SMALLEST)


def _sized(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # what a size asks for
    return font


def _cut(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """As much of a line as there is room for."""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}...") > width:
        line = line[:-1]
    return f"{line}..."


def _tile(picture: Picture, height: int) -> Image.Image:
    width = max(1, round(picture.width * height / picture.height))
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = picture.resized(height, width).numpy()
    return Image.fromarray(pixels[..., :3])
