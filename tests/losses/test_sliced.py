"""The sliced Wasserstein distance against SciPy and closed forms."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from impasto.errors import InputError
from impasto.losses.sliced import SlicedLoss, quantiles, random_directions, sliced_wasserstein
from impasto.losses.terms import parse


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_shift_costs_its_square_along_each_direction():
    x, shift = random(40, 3), torch.tensor([1.0, -2.0, 0.5]).double()
    directions = random(3, 7, seed=1)
    directions = directions / directions.norm(dim=0)
    found = sliced_wasserstein(x, x[torch.randperm(40)] + shift, directions)
    assert float(found) == pytest.approx(float((shift @ directions).square().mean()))


def test_in_one_dimension_it_pairs_what_the_optimal_transport_pairs():
    """Where all of y lies above x, the mean difference of the pairs is Wasserstein-1."""
    x, y = random(30, 1), random(30, 1, seed=1)
    ordered = (x.sort(0).values - y.sort(0).values).abs().mean()
    assert float(ordered) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]))
    squared = (x.sort(0).values - y.sort(0).values).square().mean()
    one = torch.ones(1, 1, dtype=torch.float64)
    assert float(sliced_wasserstein(x, y, one)) == pytest.approx(float(squared))


def test_sets_of_different_sizes_are_compared_by_quantiles():
    y = random(50, 2).sort(0).values
    found = quantiles(y, 20).numpy()
    ranks = (np.arange(20) + 0.5) / 20
    assert np.allclose(found, np.quantile(y.numpy(), ranks, axis=0, method="hazen"))
    assert torch.equal(quantiles(y, 50), y)


def test_the_gradient_moves_one_set_onto_the_other():
    torch.manual_seed(0)
    x, y = random(200, 3).requires_grad_(), 0.5 * random(200, 3, seed=1) + 2
    optimizer = torch.optim.Adam([x], lr=0.1)
    for _ in range(150):
        loss = sliced_wasserstein(x, y, random_directions(3, 16, x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.allclose(x.mean(0), y.mean(0), atol=0.05)
    assert torch.allclose(torch.cov(x.T), torch.cov(y.T), atol=0.05)


def test_directions_have_length_one_and_come_from_the_seed():
    torch.manual_seed(3)
    first = random_directions(5, 9, random(1, 5))
    torch.manual_seed(3)
    assert torch.equal(random_directions(5, 9, random(1, 5)), first)
    assert torch.allclose(first.norm(dim=0), torch.ones(9).double())
    assert not torch.equal(random_directions(5, 9, random(1, 5)), first)


def test_positions_are_bounded_and_a_region_counts_alone():
    torch.manual_seed(0)
    features = random(1, 4, 10, 10)
    (drawn,) = SlicedLoss(positions=30).describe(features)
    assert drawn.shape == (30, 4)
    guide = torch.zeros(1, 1, 10, 10)
    guide[..., 5:] = 1
    (inside,) = SlicedLoss().describe(features, guide)
    rows = features[..., 5:].permute(0, 2, 3, 1).reshape(-1, 4)
    assert float(torch.cdist(inside, rows).amin(1).max()) < 1e-6


def test_what_gives_no_value_is_refused():
    for text in ("sliced(directions=0)", "sliced(positions=1)"):
        with pytest.raises(InputError, match="at least 1 direction"):
            parse(text)
    with pytest.raises(InputError, match="channels"):
        sliced_wasserstein(random(4, 2), random(4, 3), random(2, 1))
