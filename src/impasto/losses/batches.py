"""Select and combine the statistics that style losses compute of a batch, whatever their type.

The statistics of a batch are a tensor (B, ...), or a tuple of such tensors. Sets of vectors, whose
number can differ between images, are a list with one entry per image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from impasto.errors import check_choice

REDUCTIONS = ("mean", "sum")


def reduced(errors: Tensor, reduction: str) -> Tensor:
    """Reduce the errors of each image, (B, ...), to (B,) by ``mean`` or ``sum``.

    Raises:
        InputError: The reduction is unknown.
    """
    check_choice("reduction", reduction, REDUCTIONS)
    errors = errors.flatten(1)
    return errors.sum(1) if reduction == "sum" else errors.mean(1)


def pick(statistics: Any, index: Tensor) -> Any:
    """Select the statistics of some images of a batch, in any order and with repetition.

    Args:
        statistics: Statistics of B images: a tensor (B, ...), a tuple of such tensors or None, or a
            list of B entries.
        index: (N,), indices below B.

    Example:
        >>> pick([torch.zeros(2), torch.ones(3)], torch.tensor([1, 0, 1]))
        [tensor([1., 1., 1.]), tensor([0., 0.]), tensor([1., 1., 1.])]
    """
    if isinstance(statistics, Tensor):
        return statistics[index.to(statistics.device)]
    if isinstance(statistics, tuple):
        return _like(statistics, [pick(part, index) for part in statistics])
    return None if statistics is None else [statistics[i] for i in index.tolist()]


def stack(batches: Sequence[Any]) -> Any:
    """Concatenate the statistics of several batches into those of one batch.

    Example:
        >>> stack([torch.zeros(1, 2), torch.ones(2, 2)]).shape
        torch.Size([3, 2])
    """
    first = batches[0]
    if isinstance(first, Tensor):
        return torch.cat(list(batches))
    if isinstance(first, tuple):
        return _like(first, [stack(parts) for parts in zip(*batches, strict=True)])
    return None if first is None else [one for batch in batches for one in batch]


def zeros(statistics: Any) -> Any:
    """Return statistics of the same type and shape that are all zero."""
    if isinstance(statistics, Tensor):
        return torch.zeros_like(statistics)
    if isinstance(statistics, tuple):
        return _like(statistics, [zeros(part) for part in statistics])
    return None if statistics is None else [zeros(one) for one in statistics]


def pairs(found: Sequence[Any], target: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each entry of a list with its target, or with the only target if there is one."""
    return zip(found, target if len(target) > 1 else list(target) * len(found), strict=True)


def _like(statistics: tuple[Any, ...], parts: Sequence[Any]) -> Any:
    """Return the parts as a tuple of the same type, which may be a named tuple."""
    return type(statistics)(*parts) if hasattr(statistics, "_fields") else tuple(parts)
