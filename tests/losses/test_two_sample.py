"""The permutation test against its definition, the Fréchet distance against SciPy's matrix root."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats

from impasto.errors import InputError
from impasto.losses import two_sample
from impasto.losses.mmd import Gaussian, Linear, Polynomial, mmd2
from impasto.losses.two_sample import frechet_distance, median_bandwidth, permutation_test

KERNELS = [Linear(), Polynomial(), Polynomial(3, 1.0), Gaussian(bandwidth=0.2)]


def sets(n=12, m=9, channels=4, seed=0, shift=0.5):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(n, channels, generator=random, dtype=torch.float64)
    return x, shift + torch.randn(m, channels, generator=random, dtype=torch.float64)


def plain(x, y, kernel):
    """Lemma 6 of Gretton et al., a pair at a time."""

    def k(a, b):
        if isinstance(kernel, Gaussian):
            return np.exp(-kernel.bandwidth * ((a - b) ** 2).sum())
        if isinstance(kernel, Linear):
            return a @ b
        return (a @ b + kernel.offset) ** kernel.degree

    x, y = x.numpy(), y.numpy()
    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    return xx + yy - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("block", [2**22, 30])
def test_mmd_is_its_definition(kernel, block, monkeypatch):
    monkeypatch.setattr(two_sample, "_BLOCK", block)
    x, y = sets()
    found = permutation_test(x, y, kernel, 5)
    assert found.mmd2 == pytest.approx(plain(x, y, kernel), rel=1e-10)
    assert found.mmd2 == pytest.approx(float(mmd2(x, y, kernel, estimator="unbiased")), rel=1e-10)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_p_counts_splits(kernel):
    """Every column of the splits, measured one at a time."""
    x, y = sets(6, 5, shift=0.8)
    pooled = torch.cat([x, y])
    splits = two_sample._splits(11, 6, 60, seed=3).bool()
    assert splits.sum(0).tolist() == [6] * 61
    estimates = [plain(pooled[s], pooled[~s], kernel) for s in splits.T]
    as_large = sum(e >= estimates[0] - 1e-12 for e in estimates[1:])
    assert permutation_test(x, y, kernel, 60, seed=3).p == pytest.approx((1 + as_large) / 61)


@pytest.mark.parametrize("kernel", [Linear(), Polynomial(2, 1.0), None], ids=repr)
def test_under_the_null_p_is_uniform(kernel):
    found = []
    for seed in range(200):
        x, y = sets(10, 14, 3, seed=seed, shift=0)
        gaussian = Gaussian(bandwidth=median_bandwidth(torch.cat([x, y])))
        found.append(permutation_test(x, y, kernel or gaussian, 99, seed=seed).p)
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.05) < 0.11


@pytest.mark.parametrize("kernel", [Linear(), Polynomial(2, 1.0), None], ids=repr)
def test_a_shift_is_found(kernel):
    x, y = sets(20, 20, 6, shift=1.0)
    gaussian = Gaussian(bandwidth=median_bandwidth(torch.cat([x, y])))
    assert permutation_test(x, y, kernel or gaussian, 199).p == 1 / 200


def test_equal_means_are_nothing_to_the_linear_kernel_and_something_to_the_gaussian():
    x, _ = sets(40, 2, 4)
    y = 3 * sets(40, 2, 4, seed=1)[0]
    x, y = x - x.mean(0), y - y.mean(0)
    gaussian = Gaussian(bandwidth=median_bandwidth(torch.cat([x, y])))
    assert permutation_test(x, y, Linear(), 99).p > 0.5
    assert permutation_test(x, y, gaussian, 99).p == 0.01


def test_the_seed_is_all_the_chance_there_is():
    x, y = sets(shift=0.2)
    one, again, other = (permutation_test(x, y, Linear(), 50, seed=s).p for s in (1, 1, 2))
    assert one == again != other


def test_vectors_that_are_all_the_same_tell_nothing():
    same = torch.ones(5, 3)
    assert permutation_test(same, same, Polynomial(), 20).p == 1
    with pytest.raises(InputError, match="no distance to measure by"):
        median_bandwidth(same)


def test_median_bandwidth(monkeypatch):
    x, _ = sets(31, 2, 5)
    distances = np.median([((a - b) ** 2).sum() for i, a in enumerate(x) for b in x[:i]])
    exact = median_bandwidth(x)
    assert exact == pytest.approx(1 / (2 * distances), rel=0.01)
    monkeypatch.setattr(two_sample, "_PAIRS", 900)
    assert median_bandwidth(x) == pytest.approx(exact, rel=0.2)


def oracle(x, y):
    """The definition, with SciPy's root of a matrix."""
    one, other = np.cov(x.numpy().T), np.cov(y.numpy().T)
    root = linalg.sqrtm(one @ other).real
    means = ((x.mean(0) - y.mean(0)) ** 2).sum()
    return float(means) + np.trace(one + other - 2 * root)


@pytest.mark.parametrize(("n", "m"), [(30, 40), (5, 40), (30, 6), (5, 6), (2, 2)])
def test_frechet_distance_against_scipy(n, m):
    """With more, and with fewer vectors than dimensions on either side.

    A root of a singular matrix is itself good to the root of the rounding only.
    """
    x, y = sets(n, m, 8)
    exact = 1e-10 if min(n, m) > 8 else 1e-5
    assert frechet_distance(x, y) == pytest.approx(oracle(x, y), rel=exact)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-10)


def test_frechet_distance_of_known_gaussians():
    """In one dimension (μ - μ')² + (σ - σ')²; of a set and its shifted self |shift|²."""
    x, y = sets(50, 60, 1)
    expected = (x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2
    assert frechet_distance(x, y) == pytest.approx(float(expected))
    x, _ = sets(5, 2, 20)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(x, x + 2) == pytest.approx(80)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 9), st.integers(2, 9), st.integers(1, 7), st.integers(0, 999), st.floats(-5, 5)
)
def test_frechet_distance_knows_no_rotation_nor_shift(n, m, channels, seed, shift):
    x, y = sets(n, m, channels, seed)
    turn = torch.linalg.qr(torch.randn(channels, channels, dtype=torch.float64))[0]
    turned = frechet_distance(x @ turn + shift, y @ turn + shift)
    assert turned == pytest.approx(frechet_distance(x, y), rel=1e-8, abs=1e-10)


def test_what_makes_no_sense_is_refused():
    x, y = sets()
    with pytest.raises(InputError, match="each needs 2 at least"):
        permutation_test(x[:1], y, Linear())
    with pytest.raises(InputError, match="each needs 2 at least"):
        frechet_distance(x, y[:1])
    with pytest.raises(InputError, match="two sets of vectors"):
        frechet_distance(x, y[:, :2])
    with pytest.raises(InputError, match="permutations is -1"):
        permutation_test(x, y, Linear(), -1)
