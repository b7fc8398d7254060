"""Shift consistency: what it sees, what it does not, and that trainings take it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import toy
from impasto.training.learner import Learner
from impasto.training.plan import Plan
from impasto.training.processes import Processes
from impasto.training.shift import MAX_SHIFT, Shift, paired, same_within_pairs, with_shift
from impasto.training.task import Batch

SHIFTS = [(1, 0), (0, -1), (3, 2), (-3, 3), (-2, -1)]


def lattice(images: torch.Tensor) -> torch.Tensor:
    """Every other column brighter, wherever the photo moves."""
    columns = torch.arange(images.shape[-1]) % 2
    return images + 0.1 * columns


@pytest.mark.parametrize(("down", "right"), SHIFTS)
def test_a_network_that_moves_along_is_consistent(down, right):
    shift = Shift(down, right, 1.0)
    photo = torch.rand(2, 3, 48, 40)
    pair = torch.stack([photo, shift.moved(photo)], 1).flatten(0, 1)
    blurred = F.avg_pool2d(pair, 3, 1, 1)
    assert shift.inconsistency(pair) == 0
    assert shift.inconsistency(blurred) < 1e-12


@pytest.mark.parametrize(("down", "right"), SHIFTS)
def test_a_lattice_is_seen_at_odd_shifts_of_its_axis(down, right):
    shift = Shift(down, right, 1.0)
    photo = torch.rand(2, 3, 48, 40)
    pair = torch.stack([photo, shift.moved(photo)], 1).flatten(0, 1)
    expected = 0.01 if right % 2 else 0.0
    assert float(shift.inconsistency(lattice(pair))) == pytest.approx(expected, abs=1e-6)


def test_small_pictures_have_an_inside():
    shift = Shift(3, -3, 1.0)
    photo = torch.rand(1, 3, 8, 8)
    pair = torch.cat([photo, shift.moved(photo)])
    assert shift.inconsistency(pair) == 0


def test_shifts_are_all_but_none():
    torch.manual_seed(0)
    drawn = {(one.down, one.right) for one in (Shift.draw(1.0) for _ in range(2000))}
    side = range(-MAX_SHIFT, MAX_SHIFT + 1)
    assert drawn == {(d, r) for d in side for r in side} - {(0, 0)}


def test_pairs_share_a_photo_and_what_is_drawn():
    torch.manual_seed(0)
    photos = torch.rand(4, 3, 32, 32)
    batch = paired(Batch(0, 4, {"content": photos}), 5.0)
    assert batch.shift is not None
    assert torch.equal(batch["content"][0::2], photos[0::2])
    assert torch.equal(batch["content"][1::2], batch.shift.moved(photos[0::2]))
    assert same_within_pairs(batch, torch.tensor([4, 5, 6, 7])).tolist() == [4, 4, 6, 6]
    losses = with_shift({"total": torch.tensor(1.0)}, lattice(batch["content"]), batch)
    assert float(losses["total"]) == pytest.approx(1 + float(losses["shift"]))


def test_without_pairs_nothing_changes():
    batch = Batch(0, 2, {"content": torch.rand(2, 3, 8, 8)})
    losses = {"total": torch.tensor(1.0)}
    assert with_shift(losses, batch["content"], batch) is losses
    assert same_within_pairs(batch, torch.tensor([1, 2])).tolist() == [1, 2]


def test_the_last_of_an_odd_batch_stays_alone():
    photos = torch.rand(3, 3, 32, 32)
    batch = paired(Batch(0, 3, {"content": photos}), 5.0)
    assert batch.shift is not None
    assert torch.equal(batch["content"][2], photos[2])
    assert same_within_pairs(batch, torch.tensor([4, 5, 6])).tolist() == [4, 4, 6]
    assert batch.shift.inconsistency(batch["content"]) == 0


def test_a_single_photo_has_no_pair():
    batch = Batch(0, 1, {"content": torch.rand(1, 3, 32, 32)})
    assert paired(batch, 5.0) is batch


def test_the_loop_makes_pairs_where_the_plan_asks_for_them():
    class Seen(toy.Invert):
        def loss(self, module, batch):
            self.shift = batch.shift
            return super().loss(module, batch)

    for weight in (0.0, 2.0):
        task = Seen()
        learner = Learner(task, Plan(batch=2, shift=weight), Processes(toy.RUNTIME))
        learner.step(0, {"content": torch.rand(2, 3, 16, 16)})
        assert (task.shift.weight if task.shift else 0.0) == weight
