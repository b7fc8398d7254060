"""The alignments for feature maps in strips, see :mod:`impasto.nn.lazy_map`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from impasto.alignment.adain import adain
from impasto.alignment.whitening import Gaussian, Transport, gaussian, merged, transported
from impasto.nn.features import at_least_float32
from impasto.nn.lazy_map import LazyMap, Measured, NotInStripsError, in_strips
from impasto.nn.norm_statistics import Settle
from impasto.nn.tiled_inference import ChannelStatistics


@in_strips(adain)
def _adain(
    content: LazyMap,
    mean: Tensor,
    std: Tensor,
    *,
    guide: Tensor | None = None,
    eps: float = 1e-5,
    settle: Settle | None = None,
) -> LazyMap:
    if guide is not None:
        raise NotInStripsError("statistics of a region")

    def apply(rows: Tensor, centre: Tensor, variance: Tensor) -> Tensor:
        x = at_least_float32(rows)
        slope = std.to(variance) * variance.clamp_min(eps).rsqrt()  # (1, C)
        shift = mean.to(variance) - centre * slope
        scale, bias = (one.to(x.dtype)[..., None, None] for one in (slope, shift))
        return torch.addcmul(bias, x, scale)

    like = at_least_float32(content.like)
    return Measured(content, lambda: ChannelStatistics(apply, settle), like)


@in_strips(transported)
def _transported(features: LazyMap, settle: Callable[[Gaussian], Transport]) -> LazyMap:
    return Measured(features, lambda: _GaussianOfStrips(settle))


class _GaussianOfStrips:
    """Accumulates the mean and the covariance of a feature map over its strips."""

    def __init__(self, settle: Callable[[Gaussian], Transport]) -> None:
        self._settle = settle
        self._parts: list[Gaussian] = []
        self._counts: list[int] = []

    def add(self, rows: Tensor) -> None:
        self._parts.append(gaussian(rows))
        self._counts.append(rows.shape[2] * rows.shape[3])

    def finish(self) -> Callable[[Tensor], Tensor]:
        moved = self._settle(merged(self._parts, self._counts))
        return lambda rows: moved(rows, rows.dtype)
