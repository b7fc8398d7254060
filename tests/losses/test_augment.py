"""Scaled and rotated copies of a style picture."""

import pytest
import torch

from impasto.errors import InputError
from impasto.losses.augment import augment_style


def test_the_paper_has_35_copies_with_the_picture_first():
    image = torch.rand(1, 3, 60, 90)
    copies = augment_style(image, scales=3, rotations=2)
    assert len(copies) == 35
    assert copies[0] is image
    widths = {copy.shape[3] for copy in copies[::5]}
    assert widths == {round(90 * (1 + 0.05 * i)) for i in range(-3, 4)}
    assert all(copy.min() >= 0 and copy.max() <= 1 for copy in copies)


@pytest.mark.parametrize("shape", [(40, 40), (37, 80), (91, 30)])
def test_no_copy_has_empty_corners(shape):
    white = torch.ones(1, 3, *shape)
    for copy in augment_style(white, scales=1, rotations=5, rotation_step=17):
        assert copy.min() > 0.999


@pytest.mark.parametrize("shape", [(60, 60), (50, 120), (120, 50)])
@pytest.mark.parametrize("degrees", [7.5, 20, 45, 80])
def test_the_cut_is_as_large_as_can_be_and_keeps_proportions(shape, degrees):
    _, right, left = augment_style(torch.rand(1, 3, *shape), rotations=1, rotation_step=degrees)
    assert right.shape == left.shape
    rows, columns = right.shape[2:]
    assert rows / columns == pytest.approx(shape[0] / shape[1], rel=0.08)
    angle = torch.deg2rad(torch.tensor(float(degrees)))

    def fits(h, w):
        wide, high = w * angle.cos() + h * angle.sin(), w * angle.sin() + h * angle.cos()
        return wide <= shape[1] + 1e-3 and high <= shape[0] + 1e-3

    assert fits(rows, columns)
    assert not fits(rows + 2 * shape[0] / min(shape), columns + 2 * shape[1] / min(shape))


def test_the_slope_of_a_ramp_turns_with_the_picture():
    ramp = (0.5 + (torch.arange(64.0) - 31.5) / 100).expand(1, 3, 64, 64).clamp(0, 1)
    _, right, left = augment_style(ramp, rotations=1, rotation_step=30)
    for copy, sign in ((right, 1), (left, -1)):
        middle = copy[0, 0, 8:-8, 8:-8]
        assert middle.diff(dim=1).mean().item() == pytest.approx(0.75**0.5 / 100, rel=0.02)
        assert middle.diff(dim=0).mean().item() == pytest.approx(sign * 0.5 / 100, rel=0.02)


def test_bad_input_is_refused_in_words():
    with pytest.raises(InputError, match=r"\(1, 3, H, W\)"):
        augment_style(torch.rand(3, 8, 8))
    with pytest.raises(InputError, match="fewer or smaller"):
        augment_style(torch.rand(1, 3, 8, 8), scales=20)
    with pytest.raises(InputError, match="fewer or smaller"):
        augment_style(torch.rand(1, 3, 8, 8), rotations=12)
    with pytest.raises(InputError, match="too small"):
        augment_style(torch.rand(1, 3, 1, 200), rotations=1, rotation_step=45)
