"""Means and standard deviations of channels against NumPy."""

import numpy as np
import pytest
import torch

from impasto.errors import InputError
from impasto.losses.guides import guide_at
from impasto.losses.moments import Moments, moments, moments_distance


def features(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (x * (1 + torch.arange(shape[1]).view(-1, 1, 1)) + 3).to(dtype)


def test_numpy_agrees():
    x = features(2, 4, 5, 6)
    mean, std = moments(x, eps=0)
    np.testing.assert_allclose(mean, x.numpy().mean((2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, x.numpy().std((2, 3)), rtol=1e-12)  # ddof 0


def test_numpy_agrees_with_a_guide():
    x, guide = features(2, 4, 5, 6), features(1, 1, 5, 6, seed=1).abs()
    guide = guide / guide.mean()
    mean, std = moments(x, guide=guide, eps=0)
    weights = guide[0, 0].flatten().numpy()
    for b, c in np.ndindex(2, 4):
        values = x[b, c].flatten().numpy()
        expected = np.average(values, weights=weights)
        variance = np.average((values - expected) ** 2, weights=weights)
        assert mean[b, c].item() == pytest.approx(expected, rel=1e-12)
        assert std[b, c].item() == pytest.approx(variance**0.5, rel=1e-12)


def test_a_guide_of_ones_changes_nothing_and_a_half_mask_is_the_half():
    x, ones, mask = features(1, 4, 6, 8), torch.ones(1, 1, 6, 8), torch.zeros(1, 1, 6, 8)
    mask[..., :2, :] = 1
    torch.testing.assert_close(moments(x, guide=ones), moments(x))
    torch.testing.assert_close(moments(x, guide=guide_at(mask, 6, 8)), moments(x[..., :2, :]))


def test_positions_may_be_permuted():
    x = features(2, 3, 5, 6)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    shuffled = x.flatten(2)[..., order].unflatten(2, (5, 6))
    torch.testing.assert_close(moments(shuffled), moments(x))


def test_shift_and_contrast():
    x = features(1, 3, 5, 6)
    before, after = moments(x, eps=0), moments(-2 * x + 5, eps=0)
    torch.testing.assert_close(after.mean, -2 * before.mean + 5)
    torch.testing.assert_close(after.std, 2 * before.std)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_features_are_summed_in_float32(dtype):
    x = features(1, 4, 32, 32, dtype=dtype)
    mean, std = moments(x)
    assert mean.dtype == std.dtype == torch.float32
    np.testing.assert_allclose(mean, x.double().numpy().mean((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(std, x.double().numpy().std((2, 3)), rtol=1e-5)


def test_a_dead_channel_has_a_finite_gradient():
    x = torch.zeros(1, 2, 4, 4, requires_grad=True)
    moments_distance(moments(x), Moments(torch.ones(1, 2), torch.ones(1, 2))).backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("guided", [False, True])
def test_gradient(guided):
    guide = features(1, 1, 3, 4, seed=1).abs() if guided else None
    target = moments(features(2, 3, 3, 4, seed=2))
    assert torch.autograd.gradcheck(
        lambda x: moments_distance(moments(x, guide=guide), target),
        (features(2, 3, 3, 4).requires_grad_(),),
    )


def test_the_distance_of_equation_13():
    a = Moments(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
    b = Moments(torch.tensor([[0.0, 4.0]]), torch.tensor([[3.0, 1.0]]))
    assert moments_distance(a, b).item() == (1 + 4 + 0 + 9) / 2  # one 1/C
    assert moments_distance(a, b, reduction="sum").item() == 1 + 4 + 0 + 9
    assert moments_distance(a, a).item() == 0
    with pytest.raises(InputError, match="unknown reduction 'max': choose mean, sum"):
        moments_distance(a, b, reduction="max")
