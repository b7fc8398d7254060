"""A picture painted strip by strip, each with rows around it that are thrown away."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from impasto.nn.tiling import Span


def over_strips(
    picture: Tensor, paint: Callable[[Tensor], Tensor], strips: Iterator[Span]
) -> Tensor:
    """A picture (1, 3, H, W) of what ``paint`` makes of its strips, of the strips' own sizes."""
    made = torch.empty_like(picture)
    for span in strips:
        rows = picture[..., span.low : span.high, :]
        made[..., span.start : span.stop, :] = span.inner(paint(rows))
    return made
