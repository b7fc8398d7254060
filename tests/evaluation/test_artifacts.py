"""Lattice and flicker: seen where they are made, absent from photographs."""

import pytest
import torch

from impasto.api.inputs import read_image, resize_long_edge
from impasto.errors import InputError
from impasto.evaluation import artifacts


@pytest.fixture(scope="module")
def photo():
    return resize_long_edge(read_image("sample:coffee"), 320, None).rgb


def mesh(height, width, period):
    """A pattern of a period, (1, 1, height, width), of mean 0 and a hundredth in height."""
    torch.manual_seed(0)
    tile = torch.rand(1, 1, period, period)
    return 0.02 * (tile - tile.mean()).repeat(1, 1, height // period, width // period)


def test_a_photograph_has_no_lattice(photo):
    assert artifacts.worst_lattice(photo) < 0.3


@pytest.mark.parametrize("period", artifacts.PERIODS)
def test_a_mesh_shows_at_its_period(photo, period):
    height, width = (side - side % 16 for side in photo.shape[-2:])
    clean = photo[..., :height, :width]
    before, after = artifacts.lattice(clean), artifacts.lattice(clean + mesh(height, width, period))
    assert after[period] > before[period] + 1
    for longer in artifacts.PERIODS:
        if longer > period:  # a lattice of 4 pixels is none of 8
            assert after[longer] == pytest.approx(before[longer], abs=0.2)


def test_a_plain_picture_has_no_lattice():
    assert artifacts.worst_lattice(torch.full((1, 3, 224, 240), 0.5)) == pytest.approx(0, abs=0.1)


def test_too_small_for_a_lattice():
    with pytest.raises(InputError, match="from 208 pixels"):
        artifacts.lattice(torch.zeros(1, 3, 207, 400))


def test_what_moves_along_does_not_flicker(photo):
    assert artifacts.flicker(lambda x: 1 - x, photo) == 0


def test_what_stands_still_flickers(photo):
    height, width = photo.shape[-2] - 1, photo.shape[-1] - 1
    fixed = 0.1 * (torch.arange(width) % 2)  # columns: each pixel changes by a tenth
    assert artifacts.flicker(lambda x: x + fixed, photo) == pytest.approx(25.5, abs=1e-3)
    assert artifacts.flicker(lambda x: torch.zeros(1, 3, height, width), photo) == 0


def test_too_small_for_flicker():
    with pytest.raises(InputError, match="from 26 pixels"):
        artifacts.flicker(lambda x: x, torch.zeros(1, 3, 25, 40))
