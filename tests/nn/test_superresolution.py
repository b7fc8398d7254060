"""The super-resolution network: the paper's table, sizes, its start as bicubic, its reach."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import nn

from helpers import pictures
from impasto.errors import InputError
from impasto.nn.blocks import NORMS, Residual
from impasto.nn.superresolution import SMALLEST, UpscaleNet, check_factor, enlarge, smooth
from impasto.nn.upsampling import UPSAMPLINGS


def small(factor=2, **options):
    """A small network whose last convolution is not 0."""
    torch.manual_seed(0)
    module = UpscaleNet(factor, **{"width": 4, "blocks": 1, **options})
    nn.init.normal_(module.last.weight, std=0.5)
    return module.eval()


def weights_of(width, blocks, doublings, *, norms):
    """Counted by hand from the table."""
    inner = 2 * blocks + doublings
    first = 3 * width * 9 * 9 + width
    middle = inner * (width * width * 3 * 3 + width)
    last = width * 3 * 9 * 9 + 3
    return first + middle + last + (norms * 2 * width * (1 + inner))


@pytest.mark.parametrize(
    ("factor", "doublings", "norm", "upsampling"),
    [
        (2, 1, "instance", "transposed"),
        (4, 2, "batch", "nearest"),
        (8, 3, "none", "bilinear"),
    ],
)
def test_it_has_as_many_weights_as_the_table(factor, doublings, norm, upsampling):
    module = UpscaleNet(factor, norm=norm, upsampling=upsampling)
    expected = weights_of(64, 4, doublings, norms=norm != "none")
    assert sum(weight.numel() for weight in module.parameters()) == expected
    assert sum(isinstance(part, Residual) for part in module.modules()) == 4


def test_the_papers_network_of_factor_four_has_402_000_weights():
    assert weights_of(64, 4, 2, norms=True) == 400_451 + 11 * 128 == 401_859


@torch.no_grad()
@pytest.mark.parametrize(
    ("factor", "upsampling", "norm", "residual"),
    [
        *[(2, upsampling, "batch", True) for upsampling in UPSAMPLINGS],
        *[(2, "nearest", norm, False) for norm in NORMS],
        (4, "nearest", "batch", True),
        (8, "transposed", "batch", True),
    ],
)
def test_the_size_is_exactly_the_factors_multiple(factor, upsampling, norm, residual):
    module = small(factor, upsampling=upsampling, norm=norm, residual=residual)
    for height, width in ((SMALLEST, SMALLEST), (7, 12), (13, 9)):
        found = module(pictures(2, 3, height, width))
        assert found.shape == (2, 3, factor * height, factor * width)
        assert found.dtype is torch.float32
        assert 0 <= found.min() <= found.max() <= 1


@torch.no_grad()
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_fresh_residual_network_is_bicubic(factor):
    module = UpscaleNet(factor, width=4).eval()
    x = pictures(1, 3, 9, 6)
    assert torch.equal(module(x), enlarge(x, factor).clamp(0, 1))


def test_a_grid_of_two_pixels_has_no_part_in_a_correction():
    x = torch.zeros(1, 3, 8, 10)
    for grid in (x[..., ::2, :], x[..., ::2]):
        x.zero_()
        grid.fill_(1.0)
        torch.testing.assert_close(smooth(x)[..., 1:-1, 1:-1], torch.full((1, 3, 6, 8), 0.5))
    y = pictures(1, 3, 9, 7).double()
    expected = y.numpy()
    for axis in (-1, -2):
        expected = correlate1d(expected, np.array([0.25, 0.5, 0.25]), axis, mode="nearest")
    np.testing.assert_allclose(smooth(y), expected, atol=1e-12)


@torch.no_grad()
def test_the_correction_is_linear_in_the_last_convolution():
    module, x = small().train(), pictures(1, 3, 12, 12)
    bicubic = enlarge(x, 2)
    once = module(x) - bicubic
    module.last.weight.mul_(2)
    module.last.bias.mul_(2)
    torch.testing.assert_close(module(x) - bicubic, 2 * once, atol=1e-6, rtol=1e-4)


@torch.no_grad()
def test_only_in_training_does_it_leave_the_range():
    module = small(norm="none")
    module.last.bias.fill_(1e3)
    x = pictures(1, 3, 8, 8)
    assert module(x).max() == 1
    assert module.train()(x).min() > 1


@torch.no_grad()
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize(("factor", "blocks"), [(2, 1), (4, 0), (8, 2)])
def test_a_pixel_acts_no_further_than_the_reach(factor, blocks, upsampling):
    module = small(factor, blocks=blocks, upsampling=upsampling, norm="batch").double()
    side = 2 * module.reach + 9
    x = pictures(1, 3, side, side).double()
    other = x.clone()
    middle = side // 2
    other[..., middle, middle] = 1 - other[..., middle, middle]
    # without the rounding to float32 of the last step: what does not act changes not one bit
    changed = (module.body(x * 2 - 1) != module.body(other * 2 - 1)).any(1)[0].nonzero()
    ends = torch.stack([changed.min() / factor, (changed.max() + 1) / factor])
    assert ends[0] >= middle - module.reach + 4 / factor
    assert ends[1] <= middle + 1 + module.reach - 4 / factor


@torch.no_grad()
def test_the_fresh_corrections_are_of_the_size_of_pictures():
    """Whatever the norm, weights that move by 1e-3 do not move the picture by whole units."""
    for norm in NORMS:
        torch.manual_seed(0)
        module = UpscaleNet(4, norm=norm).train()
        nn.init.constant_(module.last.weight, 1e-3)
        x = pictures(2, 3, 16, 16)
        assert (module(x) - enlarge(x, 4)).abs().max() < 0.25


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_bicubic_is_keys_kernel(factor):
    """Against Keys' formula with a = -0.75, written down for each phase."""

    def keys(t, a=-0.75):
        t = np.abs(t)
        near = (a + 2) * t**3 - (a + 3) * t**2 + 1
        far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
        return np.where(t <= 1, near, np.where(t < 2, far, 0))

    x = pictures(1, 3, 7, 11).double()

    def along(values, axis):
        length = values.shape[axis]
        shape = [*values.shape]
        shape[axis] = length * factor
        out = np.empty(shape)
        for phase in range(factor):
            place = (phase + 0.5) / factor - 0.5  # of the new pixel, from the old one
            taps = keys(place - np.arange(-3, 4))
            part = [slice(None)] * values.ndim
            part[axis] = slice(phase, None, factor)
            out[tuple(part)] = correlate1d(values, taps, axis=axis, mode="nearest")
        return out

    expected = along(along(x.numpy(), 2), 3)
    np.testing.assert_allclose(enlarge(x, factor).numpy(), expected, atol=1e-12)


def test_a_flat_picture_stays_flat():
    torch.testing.assert_close(
        enlarge(torch.full((1, 3, 4, 5), 0.3), 4), torch.full((1, 3, 16, 20), 0.3)
    )


@pytest.mark.parametrize("factor", [-4, 0, 1, 6])
def test_other_factors_are_refused(factor):
    with pytest.raises(InputError, match=f"factor is {factor}: it must be 2, 4, 8"):
        UpscaleNet(factor)


def test_powers_of_two_are_factors():
    assert [check_factor(factor) for factor in (2, 4, 8, 16)] == [2, 4, 8, 16]


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match="unknown norm"):
        UpscaleNet(norm="layer")
    with pytest.raises(InputError, match="unknown upsampling"):
        UpscaleNet(upsampling="bicubic")
