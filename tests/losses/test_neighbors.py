"""Matching of whole feature vectors against plain loops, and how paintings share an image."""

import pytest
import torch
import torch.nn.functional as F

from impasto.errors import InputError
from impasto.losses.neighbors import (
    assign,
    hypercolumn_directions,
    local_contrast,
    match_vectors,
    pairs_loss,
    principal_directions,
    tones,
    with_tones,
)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layers():
    """A fine, an equal and a coarse layer, and their stack, made step by step."""
    fine, same, coarse = random(1, 2, 8, 12), random(1, 3, 4, 6), random(1, 5, 2, 3)
    large = F.interpolate(coarse, (4, 6), mode="bilinear")
    stack = torch.cat([F.avg_pool2d(fine, 2) / 2, same / 3, large / 5], dim=1)
    return [fine, same, coarse], F.normalize(stack - stack.mean((2, 3), keepdim=True), dim=1)


def test_hypercolumns_divide_by_channels_average_and_interpolate():
    maps, expected = layers()
    before = [one.clone() for one in maps]
    assert torch.allclose(hypercolumn_directions(maps, 4, 6), expected, atol=1e-6)
    assert all(torch.equal(x, y) for x, y in zip(maps, before, strict=True))


def test_projected_hypercolumns_are_those_of_the_stack():
    maps, stack = layers()
    projection = random(10, 4, seed=1)
    expected = torch.einsum("bchw,ck->bkhw", stack, projection)
    found = hypercolumn_directions(maps, 4, 6, projection=projection)
    assert torch.allclose(found, expected, atol=1e-5)


def test_hypercolumns_of_some_positions():
    maps, stack = layers()
    found = hypercolumn_directions(maps, 4, 6, positions=torch.tensor([7, 0, 23]))
    assert torch.allclose(found[0, :, :, 0], stack[0].flatten(1)[:, [7, 0, 23]], atol=1e-6)


def test_match_is_the_highest_cosine_over_all_maps():
    query = random(1, 7, 6, 5)
    maps = [random(1, 7, 4, 9, seed=1), random(1, 7, 3, 3, seed=2)]
    rows = torch.cat([one[0].flatten(1).T for one in maps])
    scores = F.normalize(query[0].flatten(1).T, dim=1) @ F.normalize(rows, dim=1).T
    assert torch.equal(match_vectors(query, [maps]), scores.argmax(1))


def test_owners_choose_the_painting():
    query = random(1, 7, 2, 4)
    one, two = random(1, 7, 3, 3, seed=1), random(1, 7, 2, 5, seed=2)
    owners = torch.tensor([0, 1, 0, 1, 1, 1, 0, 0])
    found = match_vectors(query, [[one], [two]], owners=owners)
    alone = match_vectors(query, [[one]]), match_vectors(query, [[two]]) + 9
    assert torch.equal(found, torch.where(owners == 0, *alone))


def test_several_paintings_need_a_rule():
    maps = [[random(1, 3, 2, 2)], [random(1, 3, 2, 2, seed=1)]]
    with pytest.raises(InputError, match="shares"):
        match_vectors(random(1, 3, 2, 2), maps)


@pytest.mark.parametrize("shares", [(0.25, 0.75), (0.5, 0.3, 0.2), (0.0, 1.0), (0.0, 0.4, 0.6)])
def test_each_painting_gets_its_share(shares):
    scores = random(len(shares), 400) * torch.tensor([1.0, 0.5, 2.0])[: len(shares), None]
    counts = assign(scores, torch.tensor(shares)).bincount(minlength=len(shares))
    for count, share in zip(counts.tolist(), shares, strict=True):
        assert abs(count - 400 * share) <= 4


def test_a_share_goes_where_its_painting_fits_best():
    scores = torch.stack([torch.linspace(0, 1, 100), torch.full((100,), 5.0)])
    found = assign(scores, torch.tensor([0.3, 0.7]))
    assert torch.equal(found, torch.cat([torch.ones(70), torch.zeros(30)]).long())


def test_tones_decide_where_features_tie():
    """Of two equal vectors the one of the same lightness; without a weight the first."""
    query, key = torch.ones(1, 3, 1, 1), torch.ones(1, 3, 1, 2)
    dark, both = torch.full((1, 1, 1, 1), -1.0), torch.tensor([1.0, -1.0]).view(1, 1, 1, 2)
    found = match_vectors(with_tones(query, dark, 0.1), [[with_tones(key, both, 0.1)]])
    assert found.tolist() == [1]


def test_the_product_of_tones_is_the_cosine_of_a_quarter_turn_for_two():
    zero = torch.zeros(1, 1, 1, 1)
    products = [
        float((with_tones(zero, zero, 0.5) * with_tones(zero, zero + t, 0.5)).sum())
        for t in (0.0, 1.0, 2.0)
    ]
    assert products == pytest.approx([0.5, 0.5**1.5, 0.0], abs=1e-6)


def test_tones_are_standardised_lightness_and_contrast():
    image = torch.zeros(1, 3, 24, 24)
    image[..., 12:] = 0.5 + 0.4 * random(1, 1, 24, 12).sign()
    found = tones(image, 6, 6)
    assert found.shape == (1, 2, 6, 6)
    assert float(found[0, 1, :, 4:].min()) > 0 > float(found[0, 1, :, :1].max())
    assert float(found.abs().max()) <= 2
    assert float(found[0, 0, :, 4:].mean()) > 0 > float(found[0, 0, :, :2].mean())
    flat = tones(torch.full((1, 3, 24, 24), 0.3), 6, 6)
    assert torch.allclose(flat, torch.zeros_like(flat), atol=1e-2)


def test_local_contrast_is_the_standard_deviation():
    light = random(1, 1, 12, 12).abs()
    window = light[0, 0, 1:10, 2:11]
    assert float(local_contrast(light)[0, 0, 5, 6]) == pytest.approx(
        float(window.std(correction=0)), rel=1e-4
    )


def test_principal_directions_span_what_varies():
    torch.manual_seed(0)
    basis = torch.linalg.qr(random(20, 3)).Q
    rows = random(300, 3, seed=1) @ basis.T
    directions = principal_directions(rows, 3)
    assert torch.allclose(directions.T @ directions, torch.eye(3), atol=1e-5)
    assert torch.allclose(rows @ directions @ directions.T, rows, atol=1e-4)


def test_pairs_loss():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert float(pairs_loss(rows, 3 * rows)) == pytest.approx(0)
    assert float(pairs_loss(rows, rows.flip(0))) == pytest.approx(1)
    assert float(pairs_loss(rows, -rows)) == pytest.approx(2)
    assert float(pairs_loss(rows, 3 * rows, lengths=True)) == pytest.approx(4 / 10)
    assert float(pairs_loss(rows, rows.roll(1, 1), lengths=True)) == pytest.approx(1)
    with pytest.raises(InputError, match="paired"):
        pairs_loss(rows, rows[:1])


def test_the_gradient_of_gathered_pairs_is_that_of_the_minimum():
    """Matching without a gradient loses nothing: the argmin is constant almost everywhere."""
    x = random(9, 5).double().requires_grad_()
    y = random(12, 5, seed=1).double()
    every = 1 - F.normalize(x, dim=1) @ F.normalize(y, dim=1).T
    (wanted,) = torch.autograd.grad(every.amin(1).mean(), x)
    (found,) = torch.autograd.grad(pairs_loss(x, y[every.argmin(1)]), x)
    assert torch.allclose(found, wanted)
