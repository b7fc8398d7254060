"""Convolutions, paddings, poolings and batch norms for feature maps in strips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.nn.lazy_map import LazyMap, NotInStripsError, in_strips, pointwise


@in_strips("conv2d")
def _conv2d(
    x: LazyMap,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> LazyMap:
    (step, _), (down, across) = _pair(stride), _pair(padding)
    if _pair(dilation) != (1, 1):
        raise NotInStripsError("a dilated convolution")
    kind = x.device.type
    mixed = torch.is_autocast_enabled(kind)  # rows are computed later

    def compute(start: int, stop: int) -> Tensor:
        first, last = start * step - down, (stop - 1) * step - down + weight.shape[2]
        top, bottom = max(0, -first), max(0, last - x.shape[2])
        rows = x.rows(first + top, last - bottom)
        rows = F.pad(rows, (0, 0, top, bottom)) if top or bottom else rows
        with nullcontext() if mixed else torch.autocast(kind, enabled=False):
            return F.conv2d(rows, weight, bias, stride, (0, across), 1, groups)

    height, width = (
        (side + 2 * around - kernel) // by + 1
        for side, around, kernel, by in zip(
            x.shape[2:], (down, across), weight.shape[2:], _pair(stride), strict=True
        )
    )
    like = x.like.new_empty(len(x), weight.shape[0], height, width)
    return LazyMap(like, compute, (x,), above=down if step == 1 else None)


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, (tuple, list)) else (value, value)
    return first, second


@in_strips("pad")
def _pad(
    x: LazyMap, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> LazyMap:
    """Pad a map: rows are added only to strips at the edges of the map."""
    if len(pad) != 4 or mode not in {"constant", "reflect", "replicate"}:
        raise NotInStripsError(f"padding {mode} of {len(pad) // 2} axes")
    left, right, above = pad[:3]
    height = x.shape[2]

    def compute(start: int, stop: int) -> Tensor:
        top = max(0, above - start)
        bottom = max(0, stop - above - height)
        first, last = max(0, start - above), min(height, stop - above)
        if mode == "reflect":  # the rows to reflect
            last = max(last, min(height, top + 1)) if top else last
            first = min(first, max(0, height - bottom - 1)) if bottom else first
        else:
            first, last = min(first, height - 1), max(last, 1)
        rows = x.rows(first, last)
        with torch.autocast(x.device.type, enabled=False):  # it would pad in float32
            padded = F.pad(rows, (left, right, top, bottom), mode, value)
        begin = start - above - first if top == 0 else 0
        return padded[..., begin : begin + stop - start, :]

    like = F.pad(x.like, pad, "constant", 0)
    return LazyMap(like, compute, (x,), above=above)


@in_strips("batch_norm")
def _batch_norm(
    x: LazyMap,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> LazyMap:
    if training:
        raise NotInStripsError("a batch norm that learns")

    def compute(start: int, stop: int) -> Tensor:
        return F.batch_norm(x.rows(start, stop), mean, variance, weight, bias, eps=eps)

    return LazyMap(x.like, compute, (x,), above=0)


@in_strips("max_pool2d")
def _max_pool2d(x: LazyMap, kernel_size: int, *args: Any, **kwargs: Any) -> LazyMap:
    return _pooled(x, lambda rows: F.max_pool2d(rows, 2), kernel_size, args)


@in_strips("avg_pool2d")
def _avg_pool2d(x: LazyMap, kernel_size: int, *args: Any, **kwargs: Any) -> LazyMap:
    return _pooled(x, lambda rows: F.avg_pool2d(rows, 2), kernel_size, args)


def _pooled(
    x: LazyMap, function: Callable[[Tensor], Tensor], kernel_size: int, more: Sequence[Any]
) -> LazyMap:
    if kernel_size != 2 or any(_pair(one) not in {(2, 2), (0, 0), (1, 1)} for one in more if one):
        raise NotInStripsError("a pooling other than of 2x2")
    return LazyMap(
        function(x.like), lambda start, stop: function(x.rows(2 * start, 2 * stop)), (x,)
    )


@in_strips("to")
def _to(x: LazyMap, *args: Any, **kwargs: Any) -> LazyMap:
    """Convert the format; a device is ignored."""
    formats = [one for one in args if isinstance(one, torch.dtype)]
    return pointwise(lambda rows: rows.to(*formats, **kwargs), x) if formats else x


@in_strips("split")
def _split(x: LazyMap, size: int, dim: int = 0) -> tuple[LazyMap, ...]:
    if dim != 0 or size != len(x):
        raise NotInStripsError("a part of a batch")
    return (x,)


@in_strips("cat")
def _cat(maps: Sequence[LazyMap], dim: int = 0) -> LazyMap:
    if len(maps) != 1:
        raise NotInStripsError("several maps in one")
    return maps[0]
