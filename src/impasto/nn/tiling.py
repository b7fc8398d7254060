"""Strips and tiles of an image, each with a halo that covers the receptive field.

A feature depends only on the pixels in its receptive field. So a tile is encoded with a halo of
surrounding pixels, and the features of the halo are discarded: the others equal those of the whole
image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from impasto.nn.vgg_layers import layer_names, smallest_side


class Span(NamedTuple):
    """A range of rows or columns of an image, with its halo.

    Attributes:
        start: First row of the range.
        stop: Row after the last.
        low: First row of the halo.
        high: Row after the last of the halo.
    """

    start: int
    stop: int
    low: int
    high: int

    @property
    def outer(self) -> slice:
        """Return the slice of all rows, with the halo."""
        return slice(self.low, self.high)

    def wanted(self, scale: int = 1) -> slice:
        """Return the slice of the range in a map of the whole image at 1/``scale`` of its size."""
        return slice(self.start // scale, self.start // scale + (self.stop - self.start) // scale)

    def within(self, scale: int = 1) -> slice:
        """Return the slice of the range in a map of all its rows at 1/``scale`` of their size."""
        first = (self.start - self.low) // scale
        return slice(first, first + (self.stop - self.start) // scale)


class Tile(NamedTuple):
    """A rectangle of an image, with its halo.

    Attributes:
        rows: Its rows.
        columns: Its columns.
    """

    rows: Span
    columns: Span

    def outer(self, picture: Tensor) -> Tensor:
        """Return the tile with its halo, a view of (..., H, W)."""
        return picture[..., self.rows.outer, self.columns.outer]

    def wanted(self, whole: Tensor, scale: int = 1) -> Tensor:
        """Return the tile's part of a map of the whole image at 1/``scale`` of its size, a view."""
        return whole[..., self.rows.wanted(scale), self.columns.wanted(scale)]

    def inner(self, made: Tensor, scale: int = 1) -> Tensor:
        """Return the tile's part of a map computed from the tile with its halo, a view."""
        return made[..., self.rows.within(scale), self.columns.within(scale)]


def reach(layer: str) -> int:
    """Return the radius of the receptive field of a layer of VGG-19, in pixels.

    Args:
        layer: Name of the layer.

    Example:
        >>> reach("relu1_1"), reach("relu2_1"), reach("relu4_1")
        (1, 5, 37)
    """
    names, seen, stride = layer_names("vgg19"), 0, 1
    for name in names[: names.index(layer) + 1]:
        if name.startswith("conv"):
            seen += stride
        elif name.startswith("pool"):
            seen += stride
            stride *= 2
    return seen


def stride(layer: str) -> int:
    """Return the distance of neighbouring features of a layer, in pixels.

    Example:
        >>> stride("relu1_2"), stride("pool1"), stride("relu4_1")
        (1, 2, 8)
    """
    return smallest_side(layer) // 2


def spans(height: int, rows: int, halo: int, multiple: int) -> Iterator[Span]:
    """Yield strips of an image from top to bottom.

    Args:
        height: Height of the image.
        rows: Approximate height of a strip.
        halo: Minimum height of its halo.
        multiple: All borders are multiples of this, so that pooling windows are those of the whole
            image.
    """
    step, around = (max(multiple, -(-n // multiple) * multiple) for n in (rows, halo))
    for start in range(0, height, step):
        stop = min(start + step, height)
        yield Span(start, stop, max(0, start - around), min(height, stop + around))


def tiles(height: int, width: int, side: int, halo: int, multiple: int) -> list[Tile]:
    """Return the tiles of an image, squares of about ``side`` pixels; see :func:`spans`."""
    columns = list(spans(width, side, halo, multiple))
    return [
        Tile(rows, across) for rows in spans(height, side, halo, multiple) for across in columns
    ]
