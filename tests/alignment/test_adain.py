"""AdaIN: the statistics come out exactly, and nothing breaks where there are none."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.alignment.adain import adain, position_weights

POSITIONS = (2, 3)


def features(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def statistics(x):
    """(B, C) each, by NumPy."""
    values = x.double().numpy()
    return [torch.from_numpy(f(values, axis=POSITIONS)) for f in (np.mean, np.std)]


@pytest.mark.parametrize("size", [(2, 3), (7, 5), (64, 48)])
@pytest.mark.parametrize("scale", [0.2, 1.0, 300.0])
def test_the_result_has_the_style_statistics(size, scale):
    x = (features(2, 6, *size) + 3) * scale
    mean, std = features(2, 6, seed=1), features(2, 6, seed=2).abs()
    found = statistics(adain(x, mean, std))
    torch.testing.assert_close(found[0], mean.double(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[1], std.double(), rtol=1e-5, atol=1e-5)


def test_it_is_instance_normalisation_with_the_style_as_its_affine_parameters():
    x = features(1, 5, 9, 11)
    mean, std = features(1, 5, seed=1), features(1, 5, seed=2).abs()
    oracle = F.instance_norm(x, weight=std[0], bias=mean[0], eps=0.0)
    torch.testing.assert_close(adain(x, mean, std), oracle)


def test_a_picture_with_its_own_statistics_stays_itself():
    x = features(3, 4, 8, 8) * 2 + 1
    torch.testing.assert_close(adain(x, *statistics(x)), x, rtol=1e-5, atol=1e-5)


def test_a_blend_of_results_is_the_result_of_blended_statistics():
    x = features(1, 4, 6, 6)
    first, second = ((features(1, 4, seed=s), features(1, 4, seed=s + 1).abs()) for s in (1, 3))
    apart = 0.3 * adain(x, *first) + 0.7 * adain(x, *second)
    mixed = [0.3 * a + 0.7 * b for a, b in zip(first, second, strict=True)]
    torch.testing.assert_close(adain(x, *mixed), apart)


def test_one_style_for_a_batch():
    x = features(3, 4, 6, 6)
    mean, std = features(1, 4, seed=1), features(1, 4, seed=2).abs()
    each = torch.cat([adain(one[None], mean, std) for one in x])
    torch.testing.assert_close(adain(x, mean, std), each)


def test_sixteen_bits_are_computed_in_float32_and_float64_stays():
    x = features(1, 4, 6, 6)
    mean, std = torch.zeros(1, 4), torch.ones(1, 4)
    assert adain(x.bfloat16(), mean, std).dtype is torch.float32
    assert adain(x.double(), mean, std).dtype is torch.float64


def test_a_constant_channel_becomes_the_mean_of_the_style():
    x = features(1, 2, 8, 8)
    x[:, 1] = 1234.567
    found = adain(x, torch.tensor([[0.0, 5.0]]), torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(found[:, 1], torch.full((1, 8, 8), 5.0), rtol=0, atol=1e-3)


@pytest.mark.parametrize("content", [torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 1, 1)])
def test_gradients_are_finite_where_nothing_varies(content):
    x = content.clone().requires_grad_()
    adain(x, torch.zeros(1, 2), torch.ones(1, 2)).square().sum().backward()
    assert x.grad.isfinite().all()


def test_a_guide_of_a_region_is_that_region_alone():
    x, guide = features(1, 3, 8, 10), torch.zeros(1, 1, 8, 10)
    guide[..., 2:6, 3:9] = 0.4
    mean, std = torch.full((1, 3), 2.0), torch.full((1, 3), 0.5)
    inside = adain(x, mean, std, guide=guide)[..., 2:6, 3:9]
    torch.testing.assert_close(inside, adain(x[..., 2:6, 3:9], mean, std))


def test_a_guide_that_covers_nothing_or_all_counts_all_alike():
    x, mean, std = features(1, 3, 8, 10), torch.zeros(1, 3), torch.ones(1, 3)
    for value in (0.0, 1.0, 0.01):
        guide = torch.full((1, 1, 8, 10), value)
        torch.testing.assert_close(adain(x, mean, std, guide=guide), adain(x, mean, std))
        assert torch.allclose(position_weights(guide), torch.ones(1, 1, 8, 10))


def test_guides_may_differ_in_a_batch():
    x, guide = features(2, 3, 4, 4), features(2, 1, 4, 4, seed=5).abs()
    mean, std = torch.zeros(1, 3), torch.ones(1, 3)
    each = [adain(a[None], mean, std, guide=g[None]) for a, g in zip(x, guide, strict=True)]
    torch.testing.assert_close(adain(x, mean, std, guide=guide), torch.cat(each))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([0.0, 1e-30, 1e-6, 1.0, 1e6]),
    st.sampled_from([0.0, 1e-8, 1.0, 1e4]),
    st.integers(-1, 15),
)
def test_everything_is_finite(height, width, spread, level, position):
    """Constant, tiny, huge; maps of 1x1; masks of one position."""
    x = features(1, 3, height, width, seed=height * 5 + width) * spread + level
    guide = None
    if position >= 0:
        guide = torch.zeros(1, 1, height, width)
        guide.view(-1)[position % (height * width)] = 1e-3
    mean, std = torch.tensor([[1.0, -2.0, 0.0]]), torch.tensor([[1.0, 0.0, 3.0]])
    found = adain(x, mean, std, guide=guide)
    assert found.shape == x.shape
    assert found.isfinite().all()
