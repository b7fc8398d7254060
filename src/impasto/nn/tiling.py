"""Strips and tiles of a picture, each with a halo of what its kernels see around it.

What a kernel sees ends somewhere: features further from a tile's border than that are the same as
in the whole picture. So a tile is encoded with a halo, whose own features are thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from impasto.nn.vgg import layer_names, smallest_side


class Span(NamedTuple):
    """Rows of a picture, or columns.

    Attributes:
        start: The first row that is wanted.
        stop: The row after the last.
        low: The first row of the halo.
        high: The row after its last.
    """

    start: int
    stop: int
    low: int
    high: int

    @property
    def outer(self) -> slice:
        """All rows, the halo's too."""
        return slice(self.low, self.high)

    def wanted(self, scale: int = 1) -> slice:
        """The wanted rows of what is a ``scale``-th as high as the whole picture."""
        return slice(self.start // scale, self.start // scale + (self.stop - self.start) // scale)

    def within(self, scale: int = 1) -> slice:
        """The wanted rows of what was made of all rows and is a ``scale``-th as high."""
        first = (self.start - self.low) // scale
        return slice(first, first + (self.stop - self.start) // scale)


class Tile(NamedTuple):
    """A rectangle of a picture."""

    rows: Span
    columns: Span

    def outer(self, picture: Tensor) -> Tensor:
        """The tile with its halo, a view of (..., H, W)."""
        return picture[..., self.rows.outer, self.columns.outer]

    def wanted(self, whole: Tensor, scale: int = 1) -> Tensor:
        """The tile's part, a view, of what is a ``scale``-th the whole picture's size."""
        return whole[..., self.rows.wanted(scale), self.columns.wanted(scale)]

    def inner(self, made: Tensor, scale: int = 1) -> Tensor:
        """The tile's part, a view, of what was made of the tile with its halo."""
        return made[..., self.rows.within(scale), self.columns.within(scale)]


def reach(layer: str) -> int:
    """Return how far a feature of VGG-19 sees, in pixels.

    Args:
        layer: Of VGG-19.

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
    """How many pixels lie between two neighbours of a layer.

    Example:
        >>> stride("relu1_2"), stride("pool1"), stride("relu4_1")
        (1, 2, 8)
    """
    return smallest_side(layer) // 2


def spans(height: int, rows: int, halo: int, multiple: int) -> Iterator[Span]:
    """Strips of a picture from top to bottom.

    Args:
        height: Of the picture.
        rows: Of a strip, about.
        halo: The least number of rows around it.
        multiple: What all borders are multiples of, so that poolings fall where they do in the
            whole picture.
    """
    step, around = (max(multiple, -(-n // multiple) * multiple) for n in (rows, halo))
    for start in range(0, height, step):
        stop = min(start + step, height)
        yield Span(start, stop, max(0, start - around), min(height, stop + around))


def tiles(height: int, width: int, side: int, halo: int, multiple: int) -> list[Tile]:
    """Squares of about ``side`` that make up a picture; see :func:`spans`."""
    columns = list(spans(width, side, halo, multiple))
    return [
        Tile(rows, across) for rows in spans(height, side, halo, multiple) for across in columns
    ]
