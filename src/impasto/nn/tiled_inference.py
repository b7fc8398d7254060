"""Run a network on an image in strips of rows, with normalisation statistics of the whole.

``forward`` is called once, on a :class:`~impasto.nn.lazy_map.LazyMap`, which records its
operations. Then the statistics of every norm are computed in order from all strips of its input.
Small maps that are read by a norm or more than once are stored. Larger ones are computed again for
each reader, which takes about half as long again as one pass over the whole image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.core.memory import spare_memory
from impasto.nn import strip_forms  # noqa: F401 (registers forms)
from impasto.nn.fast import instance_norm, valid_convolution
from impasto.nn.lazy_map import LEAST, LazyMap, Measured, NotInStripsError, in_strips
from impasto.nn.norm_statistics import Settle
from impasto.nn.upsampling import upsample2x

_FEW = 4  # maps with up to this many values per pixel of the image are stored
_SMALL = 16  # and maps with at most 1/16 of the image's positions


def run(
    function: Callable[[Any], Any], image: Tensor, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Apply a function to an image in strips.

    Args:
        function: Maps an image to an image, by one or several networks.
        image: (B, 3, H, W).
        dtype: Number format of the convolutions, through autocast.

    Returns:
        (B, 3, H', W'), float32: ``function(image)``, up to rounding.

    Raises:
        NotInStripsError: An operation cannot be computed in strips.
    """
    cast = torch.autocast(image.device.type, dtype, enabled=dtype is not torch.float32)
    with torch.inference_mode(), cast, spare_memory():

        def rows(start: int, stop: int) -> Tensor:
            return image[..., start:stop, :].contiguous(memory_format=torch.channels_last)

        result = function(LazyMap(image.to("meta"), rows, device=image.device))
        return _evaluate(result, image.shape[-2] * image.shape[-1])


def _evaluate(result: LazyMap, pixels: int) -> Tensor:
    """Compute a map and all maps that it depends on."""
    result.readers += 1
    for one in result.maps:
        if isinstance(one, Measured):
            _measure(one, pixels)
        elif one.readers > 1 and one.operands and _is_small(one, pixels):
            _store(one)
    made = torch.empty(result.shape, dtype=torch.float32, device=result.device)
    for start, stop in result.strips():
        made[..., start:stop, :] = result.rows(start, stop)
    return made


def _is_small(one: LazyMap, pixels: int) -> bool:
    positions, numbers = one.shape[-2] * one.shape[-1], one.like.numel()
    return bool(numbers <= _FEW * pixels or positions * _SMALL <= pixels)


def _measure(norm: Measured, pixels: int) -> None:
    """Compute the statistics of a norm from all strips of its input."""
    (source,), gathered = norm.operands, norm.gather()
    if source.stored is None and _is_small(source, pixels):
        _store(source, gathered.add)
    else:
        for start, stop in source.strips():
            gathered.add(source.rows(start, stop))
    norm.transform = gathered.finish()


def _store(one: LazyMap, note: Callable[[Tensor], None] = lambda rows: None) -> None:
    """Compute a map and store it, if possible in the memory of a map that nothing else reads.

    In that case each strip is written only after the next one is computed, which may read the old
    rows.
    """
    target = _to_be_overwritten(one, one.shape)
    pending = slice(0, 0), torch.empty(0)
    for start, stop in one.strips():
        rows = one.rows(start, stop)
        note(rows)
        if target is None or target.dtype is not rows.dtype:
            layout = torch.channels_last
            target = torch.empty(
                one.shape, dtype=rows.dtype, device=one.device, memory_format=layout
            )
        elif start:
            target[..., pending[0], :] = pending[1]
        pending = slice(start, stop), rows
    assert target is not None
    target[..., pending[0], :] = pending[1]
    one.stored = target
    _release(one)


def _to_be_overwritten(one: LazyMap, shape: torch.Size, above: int = 0) -> Tensor | None:
    """Find a stored map of the same shape that only this one reads, at nearly the same rows."""
    if one.above is None or above + one.above > LEAST:
        return None
    for operand in one.operands:
        if operand.readers > 1:
            continue
        if operand.stored is not None:
            if operand.shape == shape:
                return operand.stored
        elif (found := _to_be_overwritten(operand, shape, above + one.above)) is not None:
            return found
    return None


def _release(one: LazyMap) -> None:
    """Free the maps that only this stored map was computed from."""
    operands, one.operands = one.operands, ()
    for operand in operands:
        operand.readers -= 1
        if operand.readers == 0:
            operand.stored = None
            _release(operand)


class ChannelStatistics:
    """Mean and variance of each channel, accumulated in float64.

    Args:
        apply: Maps rows, mean and variance, (1, C) each, to rows of the result.
        settle: Returns the mean and variance to use; None uses those of the map.
    """

    def __init__(
        self, apply: Callable[[Tensor, Tensor, Tensor], Tensor], settle: Settle | None
    ) -> None:
        self._apply, self._settle = apply, settle
        self._count = 0
        self._mean = self._squares = torch.zeros(())

    def add(self, rows: Tensor) -> None:
        """Add rows (1, C, h, W)."""
        count, channels = rows.shape[2] * rows.shape[3], rows.shape[1]
        mean, variance = rows.new_zeros(2, channels, dtype=torch.float32)
        # by far the fastest kernel for mean and variance
        torch.batch_norm_update_stats(rows, mean, variance, 1.0)
        mean, variance = mean.double(), variance.double() * ((count - 1) / count)  # (C,)
        total = self._count + count
        difference = mean - self._mean
        self._squares = self._squares + count * (
            variance + difference.square() * self._count / total
        )
        self._mean = self._mean + difference * count / total
        self._count = total

    def finish(self) -> Callable[[Tensor], Tensor]:
        """Return the function from rows of the map to rows of the result."""
        mean, variance = self._mean[None], self._squares[None] / self._count
        if self._settle is not None:
            mean, variance = self._settle(mean, variance)
        return lambda rows: self._apply(rows, mean, variance)


@in_strips(instance_norm)
def _instance_norm(
    x: LazyMap, weight: Tensor, bias: Tensor, eps: float = 1e-5, settle: Settle | None = None
) -> LazyMap:
    if len(x) > 1:
        raise NotInStripsError("a batch of several images")
    scale, shift = (one.reshape(-1, x.shape[1])[0].float() for one in (weight, bias))

    def apply(rows: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return F.batch_norm(rows, mean[0].float(), variance[0].float(), scale, shift, eps=eps)

    return Measured(x, lambda: ChannelStatistics(apply, settle))


@in_strips(valid_convolution)
def _valid_convolution(
    x: LazyMap, weight: Tensor, bias: Tensor | None = None, stride: int = 1
) -> LazyMap:
    def compute(start: int, stop: int) -> Tensor:
        rows = x.rows(start * stride, (stop - 1) * stride + weight.shape[2])
        return valid_convolution(rows, weight, bias, stride)

    height, width = ((side - weight.shape[2]) // stride + 1 for side in x.shape[2:])
    like = x.like.new_empty(len(x), weight.shape[0], height, width)
    return LazyMap(like, compute, (x,), above=0 if stride == 1 else None)


@in_strips(upsample2x)
def _doubled(x: LazyMap, upsampling: str, *, training: bool = False) -> LazyMap:
    margin = 0 if upsampling == "nearest" else 1

    def compute(start: int, stop: int) -> Tensor:
        first = max(0, start // 2 - margin)
        last = min(x.shape[2], (stop + 1) // 2 + margin)
        rows = upsample2x(x.rows(first, last), upsampling)
        return rows[..., start - 2 * first : stop - 2 * first, :]

    height, width = (2 * side for side in x.shape[2:])
    return LazyMap(x.like.new_empty(*x.shape[:2], height, width), compute, (x,))
