"""MMD² against brute force in NumPy, against the Gram loss, and against its expectation."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from impasto.errors import InputError
from impasto.losses import mmd
from impasto.losses.gram import gram_distance, gram_matrix
from impasto.losses.mmd import ESTIMATORS, Gaussian, Linear, Polynomial, draw, kernel_function, mmd2
from impasto.nn.features import feature_vectors

KERNELS = [
    Linear(),
    Polynomial(),
    Polynomial(2, 1.5),
    Polynomial(1, 2.0),
    Polynomial(3, 0.5),
    Gaussian(bandwidth=0.3),
    Gaussian(scale=2.0),
]
FIXED = [kernel for kernel in KERNELS if kernel != Gaussian(scale=2.0)]


def name(kernel):
    return repr(kernel)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def sets(n=12, m=9, channels=4, seed=0, shift=0.5):
    x, y = (
        torch.randn(k, channels, generator=seeded(seed + k), dtype=torch.float64) for k in (n, m)
    )
    return x, 0.7 * y + shift


def plain_kernel(a, b, kernel, gamma=None):
    """One value at a time: (n, C), (m, C) -> (n, m)."""
    values = np.zeros((len(a), len(b)))
    for i, j in np.ndindex(values.shape):
        dot, distance = float(a[i] @ b[j]), float(((a[i] - b[j]) ** 2).sum())
        if isinstance(kernel, Linear):
            values[i, j] = dot
        elif isinstance(kernel, Polynomial):
            values[i, j] = (dot + kernel.offset) ** kernel.degree
        else:
            values[i, j] = math.exp(-gamma * distance)
    return values


def plain_mmd2(x, y, kernel, estimator, order=None):
    """Lemma 6 of Gretton et al. written out; ``order`` is how the linear estimator shuffles."""
    x, y = x.numpy(), y.numpy()
    gamma = getattr(kernel, "bandwidth", None)
    if estimator == "linear":
        x, y = x[order[0]], y[order[1]]
        pairs = min(len(x), len(y)) // 2
        x0, x1, y0, y1 = x[:pairs], x[pairs : 2 * pairs], y[:pairs], y[pairs : 2 * pairs]
        couples = [(x0, x1), (y0, y1), (x0, y1), (x1, y0)]
        if isinstance(kernel, Gaussian) and gamma is None:
            gamma = kernel.scale / np.mean([((a - b) ** 2).sum(1) for a, b in couples])
        xx, yy, xy, yx = (np.diag(plain_kernel(a, b, kernel, gamma)) for a, b in couples)
        return (xx + yy - xy - yx).mean()
    if isinstance(kernel, Gaussian) and gamma is None:
        gamma = kernel.scale / ((x[:, None] - y[None]) ** 2).sum(2).mean()
    xx, yy, xy = (plain_kernel(a, b, kernel, gamma) for a, b in ((x, x), (y, y), (x, y)))
    if estimator == "biased":
        return xx.mean() + yy.mean() - 2 * xy.mean()
    n, m = len(x), len(y)
    within_x = (xx.sum() - np.trace(xx)) / (n * (n - 1))
    within_y = (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within_x + within_y - 2 * xy.mean()


@pytest.mark.parametrize("kernel", KERNELS, ids=name)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_brute_force_agrees(kernel, estimator):
    for n, m in ((12, 9), (7, 7), (2, 5)):
        x, y = sets(n, m)
        generator = seeded(5)
        order = [torch.randperm(k, generator=generator).numpy() for k in (n, m)]
        expected = plain_mmd2(x, y, kernel, estimator, order)
        found = mmd2(x, y, kernel, estimator=estimator, generator=seeded(5)).item()
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("kernel", FIXED, ids=name)
def test_a_kernel_as_a_function(kernel):
    x, y = sets()
    expected = plain_kernel(x[:3].numpy(), y.numpy(), kernel, getattr(kernel, "bandwidth", None))
    np.testing.assert_allclose(kernel_function(x, y, kernel)(x[:3], y), expected, rtol=1e-10)


def test_one_vector_a_side_by_hand():
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])  # x·x 5, y·y 10, x·y 1
    assert mmd2(x, y, Linear()).item() == 5 + 10 - 2
    assert mmd2(x, y, Polynomial()).item() == 25 + 100 - 2
    assert mmd2(x, y, Polynomial(2, 1.0)).item() == 36 + 121 - 2 * 4
    assert mmd2(x, y, Polynomial(3)).item() == 125 + 1000 - 2
    expected = 2 - 2 * math.exp(-0.1 * 13)
    assert mmd2(x, y, Gaussian(bandwidth=0.1)).item() == pytest.approx(expected)
    assert mmd2(x, y, Gaussian()).item() == pytest.approx(2 - 2 / math.e)  # γ = 1 / 13


def test_the_quadratic_kernel_is_the_gram_loss():
    """Li et al. 2017, section 4.1: values and gradients, up to their constants."""
    shape = (1, 5, 6, 7)
    f, g = (torch.randn(shape, generator=seeded(s), dtype=torch.float64) for s in (0, 1))
    f.requires_grad_()
    squared = mmd2(feature_vectors(f)[0], feature_vectors(g)[0], Polynomial())
    (gradient,) = torch.autograd.grad(squared, f)
    constants = {"none": 42**2, "hw": 1, "chw": 1 / 5**2}
    for normalization, constant in constants.items():
        grams = (gram_matrix(z, normalization=normalization) for z in (f, g))
        (loss,) = gram_distance(*grams, reduction="sum")
        (expected,) = torch.autograd.grad(loss, f)
        torch.testing.assert_close(constant * squared, loss)
        torch.testing.assert_close(constant * gradient, expected)


def test_the_quadratic_kernel_matches_sets_of_different_sizes():
    x, y = sets(12, 9)
    expected = (x.T @ x / 12 - y.T @ y / 9).square().sum()
    torch.testing.assert_close(mmd2(x, y, Polynomial()), expected)


def test_degree_one_is_the_linear_kernel_whatever_its_offset():
    x, y = sets()
    for estimator in ("biased", "unbiased"):
        expected = mmd2(x, y, Linear(), estimator=estimator)
        torch.testing.assert_close(mmd2(x, y, Polynomial(1, 7.0), estimator=estimator), expected)


@pytest.mark.parametrize("kernel", KERNELS, ids=name)
def test_a_set_has_no_distance_to_itself(kernel):
    x, _ = sets(20)
    assert mmd2(x, x.clone(), kernel).item() == pytest.approx(0, abs=1e-12)
    assert mmd2(x.float(), x.float(), Gaussian()).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("kernel", KERNELS, ids=name)
def test_biased_is_a_distance(kernel):
    x, y = sets()
    there, back = mmd2(x, y, kernel), mmd2(y, x, kernel)
    torch.testing.assert_close(there, back)
    assert there > 1e-3
    assert mmd2(x, x + 1e-3, kernel) >= -1e-12


@pytest.mark.parametrize("kernel", [Polynomial(3, 0.5), Gaussian(scale=2.0)], ids=name)
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_the_order_of_a_set_does_not_matter(kernel, estimator):
    x, y = sets()
    shuffled = x[torch.randperm(len(x), generator=seeded(1))]
    torch.testing.assert_close(
        mmd2(shuffled, y, kernel, estimator=estimator), mmd2(x, y, kernel, estimator=estimator)
    )


@pytest.mark.parametrize("kernel", [Polynomial(), Gaussian(scale=2.0)], ids=name)
def test_positions_of_a_feature_map_may_be_permuted(kernel):
    f, g = (torch.randn(1, 3, 4, 5, generator=seeded(s), dtype=torch.float64) for s in (0, 1))
    order = torch.randperm(20, generator=seeded(2))
    h = f.flatten(2)[..., order].unflatten(2, (4, 5))
    target = feature_vectors(g)[0]
    torch.testing.assert_close(
        mmd2(feature_vectors(h)[0], target, kernel), mmd2(feature_vectors(f)[0], target, kernel)
    )


@pytest.mark.parametrize("kernel", [Gaussian(bandwidth=0.3), Gaussian()], ids=name)
def test_gaussian_sees_only_differences(kernel):
    x, y = sets()
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, generator=seeded(9), dtype=torch.float64))
    torch.testing.assert_close(mmd2(x @ rotation + 2, y @ rotation + 2, kernel), mmd2(x, y, kernel))


def test_the_fitted_bandwidth_follows_the_units():
    x, y = sets()
    torch.testing.assert_close(mmd2(1e3 * x, 1e3 * y, Gaussian()), mmd2(x, y, Gaussian()))
    mean = torch.cdist(x, y).square().mean().item()
    torch.testing.assert_close(
        mmd2(x, y, Gaussian(scale=2.0)), mmd2(x, y, Gaussian(bandwidth=2.0 / mean))
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_bandwidth_is_a_constant_for_the_gradient(estimator):
    x, y = sets(12, 12)
    unit = torch.cdist(x, y).square().mean().item()
    if estimator == "linear":  # measured on its own pairs
        generator = seeded(3)
        (x0, x1), (y0, y1) = (
            z[torch.randperm(12, generator=generator)].view(2, 6, 4) for z in (x, y)
        )
        couples = ((x0, x1), (y0, y1), (x0, y1), (x1, y0))
        unit = torch.cat([(a - b).square().sum(1) for a, b in couples]).mean().item()
    x.requires_grad_()
    gradients = [
        torch.autograd.grad(mmd2(x, y, kernel, estimator=estimator, generator=seeded(3)), x)[0]
        for kernel in (Gaussian(scale=2.0), Gaussian(bandwidth=2.0 / unit))
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("kernel", "estimator"),
    [(Polynomial(3, 0.5), "biased"), (Gaussian(), "unbiased"), (Gaussian(bandwidth=0.3), "biased")],
    ids=str,
)
@pytest.mark.parametrize("block", [1, 20, 37, 64])
def test_blocks_are_the_whole(kernel, estimator, block, monkeypatch):
    x, y = sets(13, 10)
    x.requires_grad_()
    whole = mmd2(x, y, kernel, estimator=estimator)
    (expected,) = torch.autograd.grad(whole, x)
    monkeypatch.setattr(mmd, "_BLOCK", block)  # rows of 1, 1 to 2, 2 to 3 and 4 to 6
    pieces = mmd2(x, y, kernel, estimator=estimator)
    (gradient,) = torch.autograd.grad(pieces, x)
    torch.testing.assert_close(pieces, whole)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("kernel", FIXED, ids=name)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradient(kernel, estimator):
    x, y = sets(6, 5, 3)

    def loss(x, y):
        return mmd2(x, y, kernel, estimator=estimator, generator=seeded(3))

    assert torch.autograd.gradcheck(loss, (x.requires_grad_(), y.requires_grad_()))


@pytest.mark.parametrize("kernel", [Polynomial(2, 1.5), Gaussian(bandwidth=0.3)], ids=name)
@pytest.mark.parametrize("estimator", ["unbiased", "linear"])
def test_the_expectation_is_exact(kernel, estimator):
    """All draws of 2 and 3 vectors out of two distributions on three points, by probability."""
    points_x, points_y = sets(3, 3, 2)
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])
    gamma = getattr(kernel, "bandwidth", None)
    a, b = points_x.numpy(), points_y.numpy()
    xx, yy, xy = (plain_kernel(*pair, kernel, gamma) for pair in ((a, a), (b, b), (a, b)))
    truth = p @ xx @ p + q @ yy @ q - 2 * p @ xy @ q

    mean = bias = 0.0
    for draws in product(range(3), repeat=5):
        i, j = list(draws[:2]), list(draws[2:])
        chance = p[i].prod() * q[j].prod()
        x, y = points_x[i], points_y[j]
        value = mmd2(x, y, kernel, estimator=estimator, generator=seeded(0))
        mean += chance * value.item()
        bias += chance * mmd2(x, y, kernel).item()
    assert mean == pytest.approx(truth, rel=1e-10)
    assert bias > truth + 0.1 * abs(truth)  # so that the line above can fail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kernel", "estimator"),
    [(Polynomial(3, 1.0), "unbiased"), (Gaussian(bandwidth=0.3), "linear")],
    ids=str,
)
def test_draws_average_to_the_truth(kernel, estimator):
    """Subsamples without replacement: their expectation is the unbiased value of all vectors."""
    x, y = (0.6 * z for z in sets(40, 30, 2, shift=1.2))
    truth = plain_mmd2(x, y, kernel, "unbiased")
    generator = seeded(0)

    def values(estimator, count=1500):
        drawn = [
            mmd2(x, y, kernel, estimator=estimator, subsample=8, generator=generator).item()
            for _ in range(count)
        ]
        return np.mean(drawn), np.std(drawn) / count**0.5

    mean, error = values(estimator)
    assert error < 0.05 * truth
    assert abs(mean - truth) < 4 * error
    biased, error = values("biased", 500)
    assert biased - truth > 6 * error  # the margin above would notice


def test_the_linear_estimator_draws_anew():
    x, y = sets(40, 40)
    values = {
        mmd2(x, y, Linear(), estimator="linear", generator=seeded(s)).item() for s in range(5)
    }
    assert len(values) == 5
    again = [mmd2(x, y, Linear(), estimator="linear", generator=seeded(1)).item() for _ in range(2)]
    assert again[0] == again[1]


def test_draw_takes_each_row_at_most_once():
    x = torch.arange(10.0).view(10, 1)
    drawn = draw(x, 6, seeded(0)).flatten().tolist()
    assert len(set(drawn)) == 6
    assert draw(x, 10) is x
    assert draw(x, 11) is x


def test_a_subsample_is_drawn_from_both_sets():
    x, y = sets(30, 20)
    expected = mmd2(*(draw(z, 8, g) for g in [seeded(4)] for z in (x, y)), Polynomial())
    found = mmd2(x, y, Polynomial(), subsample=8, generator=seeded(4))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(mmd2(x, y, Linear(), subsample=99), mmd2(x, y, Linear()))


@pytest.mark.parametrize("kernel", KERNELS, ids=name)
def test_autocast_does_not_round(kernel):
    x, y = (z.float() for z in sets(40, 40))
    expected = mmd2(x, y, kernel)
    with torch.autocast("cpu", torch.bfloat16):
        assert mmd2(x, y, kernel).item() == expected.item()


@pytest.mark.parametrize("kernel", KERNELS, ids=name)
def test_float32_is_near_float64_on_features_of_hundreds(kernel):
    x, y = (100 * z.abs() for z in sets(60, 50, 32))
    if isinstance(kernel, Gaussian) and kernel.bandwidth:
        kernel = Gaussian(bandwidth=1e-6)
    expected = mmd2(x, y, kernel).item()
    assert mmd2(x.float(), y.float(), kernel).item() == pytest.approx(expected, rel=1e-3)


def test_equal_vectors_are_finite():
    """The mean squared distance, and so the bandwidth's unit, is 0."""
    x = torch.ones(4, 3, requires_grad=True)
    for estimator in ESTIMATORS:
        value = mmd2(x, torch.ones(5, 3), Gaussian(), estimator=estimator)
        (gradient,) = torch.autograd.grad(value, x)
        assert value.item() == 0
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        ((4, 3), (4, 2), {}, r"\(4, 3\) and \(4, 2\)"),
        ((1, 4, 3), (4, 3), {}, r"\(1, 4, 3\)"),
        ((4, 3), (4, 3), {"estimator": "quadratic"}, "biased, unbiased, linear"),
        ((4, 3), (0, 3), {}, "at least 1"),
        ((4, 3), (1, 3), {"estimator": "unbiased"}, "at least 2"),
        ((1, 3), (4, 3), {"estimator": "linear"}, "at least 2"),
        ((4, 3), (4, 3), {"subsample": 0}, "at least 1"),
        ((4, 3), (4, 3), {"subsample": 1, "estimator": "unbiased"}, "at least 2"),
        ((4, 3), (4, 3), {"subsample": 1, "estimator": "linear"}, "at least 2"),
    ],
)
def test_what_does_not_fit_is_refused(x, y, options, words):
    with pytest.raises(InputError, match=words):
        mmd2(torch.ones(x), torch.ones(y), Polynomial(), **options)


@pytest.mark.parametrize("degree", [0, -1])
def test_a_degree_below_one_is_no_kernel(degree):
    with pytest.raises(InputError, match=str(degree)):
        Polynomial(degree)
