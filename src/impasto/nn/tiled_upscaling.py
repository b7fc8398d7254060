"""Enlarge an image in tiles, to bound the memory without visible seams."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from impasto.core.progress import Callback, Progress
from impasto.errors import InputError
from impasto.image import MAX_PIXELS
from impasto.nn.superresolution import enlarge

LEAST_REACH = 16  # pixels; smaller windows would need padding, which changes the result


def in_tiles(
    picture: Tensor,
    paint: Callable[[Tensor], Tensor],
    *,
    factor: int,
    step: int | None,
    reach: int,
    callback: Callback,
) -> Tensor:
    """Enlarge an image tile by tile.

    Args:
        picture: (1, 3, H, W), of any size.
        paint: Maps a window (1, 3, h, w) to (1, 3, f*h, f*w).
        factor: f.
        step: Side of a tile in pixels of the input; None processes the whole image at once.
        reach: Radius of the receptive field in pixels of the input: the border around each tile.
        callback: Called after every tile; if it cancels, the remaining tiles are bicubic.

    Returns:
        (1, 3, f*H, f*W) in [0, 1], on the device of ``picture``.

    Raises:
        InputError: The result would have more pixels than the package reads.
    """
    height, width = picture.shape[-2:]
    if height * width * factor**2 > MAX_PIXELS:
        raise InputError(
            f"{width}x{height} times {factor} is more than {MAX_PIXELS // 10**6} megapixels: "
            f"give a smaller picture"
        )
    large = enlarge(picture.float(), factor).clamp(0, 1)
    parts = _tiles(height, width, max(height, width) if step is None else max(step, 1))
    reach = max(reach, LEAST_REACH)
    for done, (rows, columns) in enumerate(parts, start=1):
        top, left = max(0, rows.start - reach), max(0, columns.start - reach)
        window = picture[..., top : rows.stop + reach, left : columns.stop + reach]
        painted = paint(window).to(large.device)
        inner = (
            _times(slice(rows.start - top, rows.stop - top), factor),
            _times(slice(columns.start - left, columns.stop - left), factor),
        )
        large[..., _times(rows, factor), _times(columns, factor)] = painted[..., *inner]
        progress = Progress(done, len(parts), stage="enlarging", preview=large.clone)
        callback(progress)
        if progress.cancelled:
            break
    return large


def _tiles(height: int, width: int, step: int) -> list[tuple[slice, slice]]:
    """Return the rows and columns of the tiles of the input."""
    return [
        (slice(top, min(top + step, height)), slice(left, min(left + step, width)))
        for top in range(0, height, step)
        for left in range(0, width, step)
    ]


def _times(part: slice, factor: int) -> slice:
    return slice(part.start * factor, part.stop * factor)
