"""What style losses keep of the images of a batch, whatever its type.

A statistic of a batch is a tensor (B, ...), or a tuple of such tensors. A set of vectors, whose
number differs between images, is one entry of a list of B.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def pick(kept: Any, index: Tensor) -> Any:
    """Take what was kept of some images of a batch, in any order and any number of times.

    Args:
        kept: Of B images: a tensor (B, ...), a tuple of such tensors or None, or a list of B.
        index: (N,), whole numbers below B.

    Example:
        >>> pick([torch.zeros(2), torch.ones(3)], torch.tensor([1, 0, 1]))
        [tensor([1., 1., 1.]), tensor([0., 0.]), tensor([1., 1., 1.])]
    """
    if isinstance(kept, Tensor):
        return kept[index.to(kept.device)]
    if isinstance(kept, tuple):
        return _like(kept, [pick(part, index) for part in kept])
    return None if kept is None else [kept[i] for i in index.tolist()]


def stack(batches: Sequence[Any]) -> Any:
    """Put what was kept of several batches into one, the first batch first.

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


def zeros(kept: Any) -> Any:
    """Return what would have been kept of images that have no features at all: zeros."""
    if isinstance(kept, Tensor):
        return torch.zeros_like(kept)
    if isinstance(kept, tuple):
        return _like(kept, [zeros(part) for part in kept])
    return None if kept is None else [zeros(one) for one in kept]


def pairs(found: Sequence[Any], target: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each entry of a list with its target, or with the only target that there is."""
    return zip(found, target if len(target) > 1 else list(target) * len(found), strict=True)


def _like(kept: tuple[Any, ...], parts: Sequence[Any]) -> Any:
    """Return the parts in a tuple of the same type, which may have names."""
    return type(kept)(*parts) if hasattr(kept, "_fields") else tuple(parts)
