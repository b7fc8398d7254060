"""Make contact sheets: several images side by side, each with a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.image import Image as Picture

_GAP, _MARGIN = 12, 16
_SMALLEST = 12  # font size in pixels


def contact_sheet(
    pictures: Sequence[tuple[str, Picture]], *, columns: int | None = None, height: int = 256
) -> Picture:
    """Arrange images in rows on white, each below its label.

    The font is as large as the longest label allows; labels too long for the smallest font are cut.

    Args:
        pictures: Labels, of one line or several, and images, in reading order.
        columns: Images per row; None puts all in one row.
        height: Height of each image on the sheet, in pixels.
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
            shown = _truncate(line, font, width)
            draw.text((x, y + text - above * line_height), shown, fill="#222222", font=font)
        sheet.paste(tile, (x, y + text))
    return Picture.from_pil(sheet)


def _font(lines: Sequence[str], width: int, height: int) -> ImageFont.FreeTypeFont:
    """Return the largest font, within limits, in which no line is wider than an image."""
    largest = max(_SMALLEST, height // 16)
    for size in range(largest, _SMALLEST, -1):
        font = _sized(size)
        if all(font.getlength(line) <= width for line in lines):
            return font
    return _sized(_SMALLEST)


def _sized(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # it is one if a size is given
    return font


def _truncate(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Cut a line to the width, with an ellipsis."""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}...") > width:
        line = line[:-1]
    return f"{line}..."


def _tile(picture: Picture, height: int) -> Image.Image:
    width = max(1, round(picture.width * height / picture.height))
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = picture.resized(height, width).numpy()
    return Image.fromarray(pixels[..., :3])
