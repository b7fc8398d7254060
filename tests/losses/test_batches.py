"""Index and stack the targets of losses for a batch: tensors, tuples and lists alike."""

import pytest
import torch

from impasto.losses import batches
from impasto.losses.moments import Moments

KEPT = [
    torch.arange(6.0).view(3, 2),
    Moments(torch.arange(6.0).view(3, 2), torch.arange(3.0).view(3, 1)),
    (torch.arange(3.0), None),
    [torch.zeros(2, 1), torch.ones(3, 1), torch.full((4, 1), 2.0)],
]


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if one is None:
        return other is None
    return type(one) is type(other) and all(map(same, one, other))


@pytest.mark.parametrize("kept", KEPT)
def test_stacked_parts_are_the_whole(kept):
    parts = [batches.pick(kept, torch.tensor([i])) for i in range(3)]
    assert same(batches.stack(parts), kept)
    twice = batches.pick(kept, torch.tensor([2, 0, 2]))
    assert same(batches.pick(twice, torch.tensor([0])), parts[2])
    assert same(batches.pick(twice, torch.tensor([1])), parts[0])


@pytest.mark.parametrize("kept", KEPT)
def test_zeros_are_of_the_same_kind(kept):
    zeros = batches.zeros(kept)
    assert type(zeros) is type(kept)
    flat = [zeros] if isinstance(zeros, torch.Tensor) else [one for one in zeros if one is not None]
    assert not any(one.any() for one in flat)


def test_a_single_target_serves_all():
    assert list(batches.pairs("ab", "x")) == [("a", "x"), ("b", "x")]
    assert list(batches.pairs("ab", "xy")) == [("a", "x"), ("b", "y")]
    with pytest.raises(ValueError, match="shorter"):
        list(batches.pairs("abc", "xy"))
