"""Score all patches of one feature map against all patches of another, in blocks.

The inner product of two patches is the sum of size² inner products of pixels, and neighbouring
patches share these. So the products of pixels are computed once, as a matrix product with C instead
of C * size² terms, and shifted views of it are added, first along x and then along y, in blocks of
bounded size. Rows that two blocks share are computed once.

With strides above 1, pixels are grouped by phase, their position modulo the stride: offset d of a
patch is pixel d // stride of phase d % stride. A patch compares only pixels of certain pairs of
phases, and there is one matrix product for each pair. For equal strides the number of operations
falls with the square of the stride.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.nn.features import at_least_float32

Shifts = dict[tuple[int, int], list[tuple[int, int]]]


class Grid(NamedTuple):
    """A feature map split by the phases of its pixels, and the number of its patches.

    Offset (dy, dx) of patch (y, x) is
    ``pixels[dy % stride, dx % stride, y + dy // stride, x + dx // stride]``.

    Attributes:
        pixels: (P, P, rows + halo, columns + halo, C), P = min(size, stride).
        rows: Rows of patches.
        columns: Columns of patches.
        halo: (size - 1) // stride, the number of pixels of a phase beyond the number of patches.
    """

    pixels: Tensor
    rows: int
    columns: int
    halo: int


class Tile(NamedTuple):
    """Number of patches that are compared at a time.

    Attributes:
        rows: Rows of the image, at least the halo.
        columns: Columns of the image.
        styles: Rows of the style, each of full width.
    """

    rows: int
    columns: int
    styles: int


def phase_grid(features: Tensor, size: int, stride: int) -> Grid:
    """Split a feature map (1, C, H, W) by phases; at stride 1 in channels_last this is a view."""
    height, width = features.shape[2:]
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    halo, phases = (size - 1) // stride, min(size, stride)
    pads = ((columns + halo) * stride - width, (rows + halo) * stride - height)
    if any(pads):
        features = F.pad(features, (0, pads[0], 0, pads[1]))  # negative padding crops
    x = features[0].permute(1, 2, 0)  # (H, W, C)
    x = x.reshape(rows + halo, stride, columns + halo, stride, -1).permute(1, 3, 0, 2, 4)
    return Grid(x[:phases, :phases].contiguous(), rows, columns, halo)


def phase_shifts(size: int, stride: int, style_stride: int) -> Shifts:
    """Return which phases of image and style meet along one axis, with the shifts of both.

    Args:
        size: Side of a patch.
        stride: Stride of the image's patches.
        style_stride: Stride of the style's patches.

    Returns:
        For each pair of phases the shifts in pixels of that phase, of image and style.
    """
    shifts: Shifts = defaultdict(list)
    for d in range(size):
        shifts[d % stride, d % style_stride].append((d // stride, d // style_stride))
    return dict(shifts)


def nearest(
    picture: Grid,
    style: Grid,
    inverse_norms: Tensor,
    shifts: Shifts,
    *,
    budget: int,
    products: AbstractContextManager[object],
) -> tuple[Tensor, Tensor]:
    """Find for each patch of an image the style patch with the highest normalised product.

    Args:
        picture: Grid of the image, in float32 or float64.
        style: Grid of the style, in any format.
        inverse_norms: (style.rows, style.columns), in the image's format.
        shifts: From `phase_shifts`.
        budget: Bytes of scratch memory; see `plan`.
        products: A context to compute matrix products in.

    Returns:
        The products divided by the norms of the style patches, and the indices of the style
        patches, (rows, columns) each.
    """
    best = picture.pixels.new_full((picture.rows, picture.columns), -torch.inf)
    matches = torch.zeros_like(best, dtype=torch.int64)
    tile = plan(budget, picture, style, shifts)
    for y, x in product(range(0, style.rows, tile.styles), range(0, picture.columns, tile.columns)):
        value, index = _nearest_in_tile(
            _columns(picture, x, tile.columns),
            _rows(style, y, tile.styles, best.dtype),
            inverse_norms[y : y + tile.styles],
            partial(score_rows, shifts=shifts, rows=tile.rows, products=products),
        )
        part = slice(None), slice(x, x + tile.columns)
        better = value > best[part]
        matches[part] = torch.where(better, index + y * style.columns, matches[part])
        best[part] = torch.where(better, value, best[part])
    return best, matches


def _nearest_in_tile(
    picture: Grid,
    style: Grid,
    inverse_norms: Tensor,
    score: Callable[[Grid, Grid], Iterator[tuple[int, Tensor]]],
) -> tuple[Tensor, Tensor]:
    """Find the nearest patches as `nearest` does, among parts that are compared at once."""
    inverse_norms = F.pad(inverse_norms, (0, style.halo))
    best = picture.pixels.new_empty(picture.rows, picture.columns)
    indices = torch.empty_like(best, dtype=torch.int64)
    for top, scores in score(picture, style):
        scores.mul_(inverse_norms)
        scores[..., style.columns :].fill_(-torch.inf)  # not the beginning of a patch
        value, row, column = _largest(scores)
        best[top : top + len(value)] = value
        indices[top : top + len(value)] = row * style.columns + column
    return best, indices


def _largest(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return value, row and column of the largest scores of (r, n, rows, columns): (r, n) each.

    In two steps, since PyTorch computes a maximum much faster than its index.
    """
    value, row = scores.amax(3).max(2)
    best_row = row[..., None, None].expand(-1, -1, 1, scores.shape[3])
    return value, row, scores.gather(2, best_row).squeeze(2).argmax(2)


def _rows(grid: Grid, first: int, count: int, dtype: torch.dtype) -> Grid:
    """Return the part of a grid with `count` rows of patches, fewer at its end."""
    pixels = grid.pixels[:, :, first : first + count + grid.halo]
    return grid._replace(pixels=pixels.to(dtype), rows=pixels.shape[2] - grid.halo)


def _columns(grid: Grid, first: int, count: int) -> Grid:
    """Return the part of a grid with `count` columns of patches, fewer at its end."""
    pixels = grid.pixels[:, :, :, first : first + count + grid.halo]
    return grid._replace(pixels=pixels, columns=pixels.shape[3] - grid.halo)


def plan(budget: int, picture: Grid, style: Grid, shifts: Shifts) -> Tile:
    """Choose the tile, so that `nearest` allocates at most `budget` bytes if possible.

    The smallest tile is one column and as many rows as the halo, against one row of the style.
    """
    itemsize = at_least_float32(picture.pixels).element_size()
    rows, columns, styles = picture.rows, picture.columns, style.rows
    least = max(1, picture.halo)
    while scratch(picture, style, shifts, Tile(rows, columns, styles)) * itemsize > budget:
        if rows > max(4, least):  # first rows: wide matrix products are faster
            rows = max(least, -(-rows // 2))
        elif styles > 8:
            styles = -(-styles // 2)
        elif rows > least:
            rows = max(least, -(-rows // 2))
        elif columns > 8:
            columns = -(-columns // 2)
        elif max(styles, columns) > 1:
            styles, columns = -(-styles // 2), -(-columns // 2)
        else:
            break
    return Tile(max(rows, least), columns, styles)


def scratch(picture: Grid, style: Grid, shifts: Shifts, tile: Tile) -> int:
    """Return how many values `nearest` stores at a time for a tile, with converted pixels."""
    channels = picture.pixels.shape[4]
    block = (tile.styles + style.halo) * style.pixels.shape[3]  # style pixels of one phase
    strip = (tile.rows + picture.halo) * (tile.columns + picture.halo)  # image pixels of one phase
    sums = (tile.rows + picture.halo) * tile.columns
    numbers = strip + len(shifts) * sums + tile.rows * tile.columns
    pixels = channels * (block * style.pixels.shape[0] ** 2 + strip)
    return block * numbers + pixels + tile.rows * tile.columns * style.pixels.shape[3]


def score_rows(
    picture: Grid,
    style: Grid,
    *,
    shifts: Shifts,
    rows: int,
    products: AbstractContextManager[object],
) -> Iterator[tuple[int, Tensor]]:
    """Yield inner products of all patches of an image strip with all patches of a style block.

    Args:
        picture: Grid of the image, in float32 or float64.
        style: Grid of the style, in the same format.
        shifts: From `phase_shifts`.
        rows: Rows of the image at a time, at least its halo.
        products: A context to compute the matrix products in.

    Yields:
        The first row, and the scores (r, columns, style rows, style columns + halo) from that row
        on, which the next step overwrites. The last `halo` values of the last axis are undefined.
    """
    x, y, halo = picture.pixels, style.pixels, picture.halo
    width = y.shape[3]
    length = y.shape[2] * width  # style pixels of one phase
    valid = style.rows * width - style.halo  # without the last pixels, at which no patch begins
    pixels = x.new_empty((rows + halo) * x.shape[3] * length)
    sums = x.new_empty(len(shifts), rows + halo, picture.columns, length)
    scores = x.new_empty(rows, picture.columns, style.rows * width)
    for top in range(0, picture.rows, rows):
        count, known = min(rows, picture.rows - top), halo if top else 0
        sums[:, :known].copy_(sums[:, rows : rows + known])
        out = scores[:count]
        for i, ((px, py), steps) in enumerate(shifts.items()):
            strip = x[px, :, top + known : top + count + halo]  # (P, r, columns + halo, C)
            with products:
                _sum_along_x(strip, y[py], shifts, pixels, sums[i, known : count + halo])
            views = [sums[i, a : a + count, :, b * width : b * width + valid] for a, b in steps]
            _add(out[..., :valid], views, fresh=i == 0)
        yield top, out.view(count, picture.columns, style.rows, width)


def _sum_along_x(x: Tensor, y: Tensor, shifts: Shifts, buffer: Tensor, out: Tensor) -> None:
    """Compute products of pixels (P, r, w, C) and (Q, h, v, C), summed over a patch's row.

    Args:
        x: Pixels of the image, (P, r, w, C).
        y: Pixels of the style, (Q, h, v, C).
        shifts: From `phase_shifts`.
        buffer: Scratch memory.
        out: Receives the sums, (r, n, h * v).
    """
    rows, wide = x.shape[1:3]
    columns, length = out.shape[1:]
    halo = max(b for steps in shifts.values() for _, b in steps)
    matrix = buffer[: rows * wide * length].view(rows * wide, length)
    for i, ((px, py), steps) in enumerate(shifts.items()):
        torch.mm(x[px].flatten(0, 1), y[py].flatten(0, 1).T, out=matrix)
        grid = matrix.view(rows, wide, length)
        # The style's rows are shifted as one long row, which is faster than row by row. The last
        # pixels of a row then meet the next row, but no patch begins there.
        views = [grid[:, a : a + columns, b : length - halo + b] for a, b in steps]
        _add(out[..., : length - halo], views, fresh=i == 0)


def _add(out: Tensor, views: list[Tensor], *, fresh: bool) -> None:
    """Add views to `out`, or overwrite it with their sum if `fresh`."""
    if fresh and len(views) > 1:
        torch.add(views[0], views[1], out=out)
    elif fresh:
        out.copy_(views[0])
    for view in views[(min(len(views), 2) if fresh else 0) :]:
        out.add_(view)
