"""Encoders and decoders without norms over strips of a picture, each with what lies around it.

What a kernel sees ends somewhere: rows that lie further from a strip's border than that are the
same as in the whole picture. So a strip is encoded and decoded with a halo of rows that are thrown
away, and statistics of the whole are gathered over the strips first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.encoder import layer_names


class Span(NamedTuple):
    """Rows of a picture.

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

    def inner(self, made: Tensor, scale: int = 1) -> Tensor:
        """Of what was made of all rows, a ``scale``-th as high, the part that is wanted."""
        first = (self.start - self.low) // scale
        return made[..., first : first + (self.stop - self.start) // scale, :]


def reach(layer: str) -> int:
    """How far a feature of VGG-19 sees, in pixels, or a pixel of the decoder's: the same bound.

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


def spans(height: int, rows: int, halo: int, multiple: int) -> Iterator[Span]:
    """Strips of a picture from top to bottom.

    Args:
        height: Of the picture, a multiple of ``multiple``.
        rows: Of a strip, about.
        halo: The least number of rows around it.
        multiple: What all borders are multiples of, so that poolings fall where they do in the
            whole picture.
    """
    step, around = (max(multiple, -(-n // multiple) * multiple) for n in (rows, halo))
    for start in range(0, height, step):
        stop = min(start + step, height)
        yield Span(start, stop, max(0, start - around), min(height, stop + around))


def over_strips(
    picture: Tensor, paint: Callable[[Tensor], Tensor], strips: Iterator[Span]
) -> Tensor:
    """A picture (1, 3, H, W) of what ``paint`` makes of its strips, of the strips' own sizes."""
    made = torch.empty_like(picture)
    for span in strips:
        rows = picture[..., span.low : span.high, :]
        made[..., span.start : span.stop, :] = span.inner(paint(rows))
    return made
