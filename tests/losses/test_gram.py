"""Gram matrices: closed forms, invariances, guides, and a plain NumPy version."""

import numpy as np
import pytest
import torch

from helpers import normal
from impasto.errors import InputError
from impasto.losses.gram import NORMALIZATIONS, gram_distance, gram_matrix
from impasto.losses.guides import guide_at
from impasto.nn.features import feature_vectors


def plain_gram(x, normalization, weights=None):
    """Sums over the positions of (B, C, H, W), one outer product at a time."""
    batch, channels, height, width = x.shape
    grams = np.zeros((batch, channels, channels))
    for b, i, j in np.ndindex(batch, height, width):
        weight = 1.0 if weights is None else weights[min(b, len(weights) - 1), 0, i, j]
        grams[b] += weight * np.outer(x[b, :, i, j], x[b, :, i, j])
    divisor = {"none": 1, "hw": height * width, "chw": channels * height * width}
    return grams / divisor[normalization]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_plain_numpy_agrees(normalization):
    x = normal(2, 4, 5, 3)
    expected = plain_gram(x.numpy(), normalization)
    found = gram_matrix(x, normalization=normalization).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_plain_numpy_agrees_with_a_guide(normalization, batch):
    x = normal(2, 4, 5, 3)
    guide = normal(batch, 1, 5, 3, seed=1).abs()
    expected = plain_gram(x.numpy(), normalization, guide.numpy())
    found = gram_matrix(x, normalization=normalization, guide=guide).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_constant_features_have_a_closed_form():
    x = torch.tensor([2.0, -3.0]).view(1, 2, 1, 1).expand(1, 2, 4, 5)
    outer = torch.tensor([[[4.0, -6.0], [-6.0, 9.0]]])
    assert torch.equal(gram_matrix(x, normalization="none"), 20 * outer)
    torch.testing.assert_close(gram_matrix(x), outer)
    torch.testing.assert_close(gram_matrix(x, normalization="chw"), outer / 2)


def test_it_is_symmetric_and_positive():
    gram = gram_matrix(normal(3, 6, 4, 4))
    torch.testing.assert_close(gram, gram.mT)
    assert torch.linalg.eigvalsh(gram).min() >= -1e-12


def test_batches_do_not_mix():
    x = normal(3, 4, 5, 5)
    each = torch.cat([gram_matrix(x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(gram_matrix(x), each)


def test_positions_may_be_permuted():
    x = normal(2, 5, 6, 7)
    order = torch.randperm(42, generator=torch.Generator().manual_seed(3))
    shuffled = x.flatten(2)[..., order].unflatten(2, (6, 7))
    torch.testing.assert_close(gram_matrix(shuffled), gram_matrix(x))


def test_channels_are_permuted_with_it():
    x, order = normal(1, 5, 6, 7), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(gram_matrix(x[:, order]), gram_matrix(x)[:, order][:, :, order])


def test_hw_does_not_depend_on_how_often_a_texture_repeats():
    x = normal(1, 4, 5, 6)
    torch.testing.assert_close(gram_matrix(x.repeat(1, 1, 2, 3)), gram_matrix(x))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_guide_of_ones_changes_nothing(normalization):
    x, ones = normal(2, 4, 5, 6), torch.ones(1, 1, 5, 6)
    guided = gram_matrix(x, normalization=normalization, guide=ones)
    torch.testing.assert_close(guided, gram_matrix(x, normalization=normalization))


@pytest.mark.parametrize("normalization", ["hw", "chw"])
def test_a_half_mask_is_the_gram_matrix_of_the_half(normalization):
    x, mask = normal(1, 4, 6, 8), torch.zeros(1, 1, 6, 8)
    mask[..., 4:] = 1
    guided = gram_matrix(x, normalization=normalization, guide=guide_at(mask, 6, 8))
    torch.testing.assert_close(guided, gram_matrix(x[..., 4:], normalization=normalization))


def test_two_halves_make_the_whole():
    x, mask = normal(1, 4, 6, 8), torch.zeros(1, 1, 6, 8)
    mask[..., :3] = 1  # 3 columns of 8
    left, right = (gram_matrix(x, guide=guide_at(m, 6, 8)) for m in (mask, 1 - mask))
    torch.testing.assert_close((3 * left + 5 * right) / 8, gram_matrix(x))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("guided", [False, True])
def test_gradient(normalization, guided):
    guide = normal(1, 1, 3, 4, seed=1).abs() if guided else None
    target = gram_matrix(normal(2, 3, 3, 4, seed=2), normalization=normalization)

    def loss(x):
        return gram_distance(gram_matrix(x, normalization=normalization, guide=guide), target)

    assert torch.autograd.gradcheck(loss, (normal(2, 3, 3, 4).requires_grad_(),))


def test_gradient_of_an_asymmetric_use_of_the_matrix():
    weights = normal(1, 3, 3, seed=4)
    x = normal(1, 3, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: (gram_matrix(x) * weights).sum(), (x,))


def test_the_gradient_is_that_of_the_paper():
    """Gatys et al. 2016, equation 6: FᵀG-difference over N²M², for the loss of equation 4."""
    x, target = (
        normal(1, 3, 4, 5),
        gram_matrix(normal(1, 3, 4, 5, seed=1), normalization="none"),
    )
    x.requires_grad_()
    gram = gram_matrix(x, normalization="none")
    loss = gram_distance(gram, target, reduction="sum") / (4 * 3**2 * 20**2)
    (gradient,) = torch.autograd.grad(loss, x)
    expected = (gram - target)[0] @ x[0].flatten(1) / (3**2 * 20**2)
    torch.testing.assert_close(gradient[0].flatten(1), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("guided", [False, True])
def test_low_precision_features_are_summed_in_float32(dtype, guided):
    x = normal(1, 8, 32, 32, dtype=dtype)
    guide = normal(1, 1, 32, 32, seed=1).abs() if guided else None
    gram = gram_matrix(x, guide=guide)
    assert gram.dtype == torch.float32
    expected = plain_gram(x.double().numpy(), "hw", None if guide is None else guide.numpy())
    np.testing.assert_allclose(gram.numpy(), expected, atol=2e-6 * expected.max())


def test_autocast_does_not_round_the_matrix():
    x = normal(1, 8, 16, 16, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        gram = gram_matrix(x)
    expected = plain_gram(x.double().numpy(), "hw")
    np.testing.assert_allclose(gram.float().numpy(), expected, atol=2e-6 * expected.max())


def test_memory_layout_does_not_matter():
    x = normal(2, 6, 5, 4)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(gram_matrix(last), gram_matrix(x))
    assert feature_vectors(last).data_ptr() == last.data_ptr()  # a view
    assert feature_vectors(x).shape == (2, 20, 6)
    assert torch.equal(feature_vectors(x)[1, 7], x[1, :, 1, 3])


def test_distances():
    a, b = torch.zeros(1, 2, 2), torch.tensor([[[1.0, 2.0], [2.0, 3.0]]])
    assert gram_distance(a, b, reduction="sum").item() == 18
    assert gram_distance(a, b, reduction="mean").item() == 4.5
    assert gram_distance(a, b) == gram_distance(b, a, reduction="mean")
    assert gram_distance(b, b).item() == 0


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match="none, hw, chw"):
        gram_matrix(normal(1, 2, 2, 2), normalization="bchw")
    with pytest.raises(InputError, match="max"):
        gram_distance(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), reduction="max")
