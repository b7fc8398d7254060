"""Scores of all patches of one feature map against all patches of another, in blocks.

A product of two patches is the sum of size² products of single pixels, and neighbouring patches
share them. So the pixels' products are computed once, as a matrix product of C terms instead of
C * size², and shifted views of it are added up, first along x and then along y, in blocks of
bounded size. What the rows of one block leave for the next is kept.

With strides only pixels of the same phase meet: offset d of a patch falls on pixel d // stride of
phase d % stride. So a map is kept as its phases, and there is one matrix product for each pair of
phases that meet, of both axes: for equal strides the work falls with their square.
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
    """A feature map by the phases of its pixels, and where its patches begin.

    A patch (y, x) has at offset (dy, dx) the pixel
    ``pixels[dy % stride, dx % stride, y + dy // stride, x + dx // stride]``.
    """

    pixels: Tensor  # (P, P, rows + halo, columns + halo, C), P = min(size, stride)
    rows: int  # of patches
    columns: int
    halo: int  # (size - 1) // stride: how many more pixels a phase has than there are patches


class Tile(NamedTuple):
    """How much is compared at a time; all three count patches."""

    rows: int  # rows of the picture, at least the halo
    columns: int  # columns of the picture
    styles: int  # whole rows of the style


def phase_grid(features: Tensor, size: int, stride: int) -> Grid:
    """Sort a feature map (1, C, H, W) by phases; a view of it at stride 1 in channels_last."""
    height, width = features.shape[2:]
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    halo, phases = (size - 1) // stride, min(size, stride)
    pads = ((columns + halo) * stride - width, (rows + halo) * stride - height)
    if any(pads):
        features = F.pad(features, (0, pads[0], 0, pads[1]))  # crops where negative
    x = features[0].permute(1, 2, 0)  # (H, W, C)
    x = x.reshape(rows + halo, stride, columns + halo, stride, -1).permute(1, 3, 0, 2, 4)
    return Grid(x[:phases, :phases].contiguous(), rows, columns, halo)


def phase_shifts(size: int, stride: int, style_stride: int) -> Shifts:
    """Which phases meet along one axis, and by how many pixels shifted, of picture and style."""
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
    """For each patch of a picture the style patch of the highest normalised product.

    Args:
        picture: In float32 or float64.
        style: In any format.
        inverse_norms: (style.rows, style.columns), in the picture's format.
        shifts: From `phase_shifts`.
        budget: Bytes of scratch memory; see `plan`.
        products: A context to compute matrix products in.

    Returns:
        The products over the style's norms, and the numbers of the patches, (rows, columns) each.
    """
    best = picture.pixels.new_full((picture.rows, picture.columns), -torch.inf)
    place = torch.zeros_like(best, dtype=torch.int64)
    tile = plan(budget, picture, style, shifts)
    for y, x in product(range(0, style.rows, tile.styles), range(0, picture.columns, tile.columns)):
        value, number = _nearest_in_tile(
            _columns(picture, x, tile.columns),
            _rows(style, y, tile.styles, best.dtype),
            inverse_norms[y : y + tile.styles],
            partial(score_rows, shifts=shifts, rows=tile.rows, products=products),
        )
        here = slice(None), slice(x, x + tile.columns)
        better = value > best[here]
        place[here] = torch.where(better, number + y * style.columns, place[here])
        best[here] = torch.where(better, value, best[here])
    return best, place


def _nearest_in_tile(
    picture: Grid,
    style: Grid,
    inverse_norms: Tensor,
    score: Callable[[Grid, Grid], Iterator[tuple[int, Tensor]]],
) -> tuple[Tensor, Tensor]:
    """As `nearest`, for parts of both sides that are compared at once."""
    inverse_norms = F.pad(inverse_norms, (0, style.halo))
    best = picture.pixels.new_empty(picture.rows, picture.columns)
    place = torch.empty_like(best, dtype=torch.int64)
    for top, scores in score(picture, style):
        scores.mul_(inverse_norms)
        scores[..., style.columns :].fill_(-torch.inf)  # no patch begins there
        value, row, column = _largest(scores)
        best[top : top + len(value)] = value
        place[top : top + len(value)] = row * style.columns + column
    return best, place


def _largest(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, row and column of the largest of (r, n, rows, columns): (r, n) each.

    In two steps, since PyTorch finds a maximum much faster than its place.
    """
    value, row = scores.amax(3).max(2)
    wanted = row[..., None, None].expand(-1, -1, 1, scores.shape[3])
    return value, row, scores.gather(2, wanted).squeeze(2).argmax(2)


def _rows(grid: Grid, first: int, count: int, dtype: torch.dtype) -> Grid:
    """The part of a grid that holds `count` rows of patches, fewer at its end."""
    pixels = grid.pixels[:, :, first : first + count + grid.halo]
    return grid._replace(pixels=pixels.to(dtype), rows=pixels.shape[2] - grid.halo)


def _columns(grid: Grid, first: int, count: int) -> Grid:
    """The part of a grid that holds `count` columns of patches, fewer at its end."""
    pixels = grid.pixels[:, :, :, first : first + count + grid.halo]
    return grid._replace(pixels=pixels, columns=pixels.shape[3] - grid.halo)


def plan(budget: int, picture: Grid, style: Grid, shifts: Shifts) -> Tile:
    """The tile to work with, so that `nearest` allocates at most `budget` bytes if it can.

    The least is one column and as many rows as the halo has, against one row of the style.
    """
    itemsize = at_least_float32(picture.pixels).element_size()
    rows, columns, styles = picture.rows, picture.columns, style.rows
    least = max(1, picture.halo)
    while scratch(picture, style, shifts, Tile(rows, columns, styles)) * itemsize > budget:
        if rows > max(4, least):  # in this order: a product likes it wide, a halo costs once a tile
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
    """How many numbers `nearest` holds at a time for a tile, converted pixels included."""
    channels = picture.pixels.shape[4]
    block = (tile.styles + style.halo) * style.pixels.shape[3]  # style pixels of one phase
    strip = (tile.rows + picture.halo) * (tile.columns + picture.halo)  # picture pixels of one
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
    """Inner products of all patches of a picture's strip with all patches of a style's block.

    Args:
        picture: In float32 or float64.
        style: In the same format.
        shifts: From `phase_shifts`.
        rows: Rows of the picture at a time, at least its halo.
        products: A context to compute the matrix products in.

    Yields:
        The first row, and scores (r, columns, style rows, style columns + halo) from it on, which
        the next step overwrites. In the last `halo` of the last axis anything may stand.
    """
    x, y, halo = picture.pixels, style.pixels, picture.halo
    width = y.shape[3]
    length = y.shape[2] * width  # style pixels of one phase
    kept = style.rows * width - style.halo  # behind it, the last row's pixels without a patch
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
            views = [sums[i, a : a + count, :, b * width : b * width + kept] for a, b in steps]
            _add(out[..., :kept], views, fresh=i == 0)
        yield top, out.view(count, picture.columns, style.rows, width)


def _sum_along_x(x: Tensor, y: Tensor, shifts: Shifts, buffer: Tensor, out: Tensor) -> None:
    """Products of pixels (P, r, w, C) and (Q, h, v, C), summed over a patch's row: (r, n, h*v)."""
    rows, wide = x.shape[1:3]
    columns, length = out.shape[1:]
    halo = max(b for steps in shifts.values() for _, b in steps)
    matrix = buffer[: rows * wide * length].view(rows * wide, length)
    for i, ((px, py), steps) in enumerate(shifts.items()):
        torch.mm(x[px].flatten(0, 1), y[py].flatten(0, 1).T, out=matrix)
        grid = matrix.view(rows, wide, length)
        # One long run over the style's rows: its shifted end meets the next row's begin, where
        # no patch begins. That is cheaper than many short runs.
        views = [grid[:, a : a + columns, b : length - halo + b] for a, b in steps]
        _add(out[..., : length - halo], views, fresh=i == 0)


def _add(out: Tensor, views: list[Tensor], *, fresh: bool) -> None:
    """Sum of views, written over what stands in `out`, or added to it."""
    if fresh and len(views) > 1:
        torch.add(views[0], views[1], out=out)
    elif fresh:
        out.copy_(views[0])
    for view in views[(min(len(views), 2) if fresh else 0) :]:
        out.add_(view)
