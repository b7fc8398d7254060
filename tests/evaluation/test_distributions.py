"""Distances of distributions: closed forms, and what they must not depend on."""

import pytest
import torch

from impasto.evaluation import distributions
from impasto.evaluation.distributions import (
    color_distance,
    color_projections,
    feature_projections,
    sliced_distance,
)
from impasto.losses.sliced import random_directions, sliced_wasserstein


def test_the_distance_is_that_of_the_loss():
    one, other = torch.rand(1, 5, 6, 7), torch.rand(1, 5, 4, 9)
    found = sliced_distance(feature_projections(one), feature_projections(other))
    torch.manual_seed(0)
    directions = random_directions(5, 64, one)
    rows = [x.flatten(2)[0].T for x in (one, other)]
    assert found == pytest.approx(float(sliced_wasserstein(*rows, directions)), rel=1e-5)


def test_only_the_distribution_counts_and_no_state_is_touched():
    features = torch.rand(1, 4, 8, 8)
    before = torch.get_rng_state()
    first = feature_projections(features)
    moved = feature_projections(features.flatten(2)[..., torch.arange(63, -1, -1)].view(1, 4, 8, 8))
    assert sliced_distance(first, moved) == pytest.approx(0, abs=1e-12)
    torch.manual_seed(7)
    assert torch.equal(feature_projections(features), first)
    torch.set_rng_state(before)
    feature_projections(features)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_bounded_number_of_quantiles():
    large = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    assert feature_projections(large).shape == (2048, 64)
    half = feature_projections(large[..., :32])  # a sample of the same distribution
    assert sliced_distance(feature_projections(large), half) < 1e-3
    assert sliced_distance(feature_projections(large), feature_projections(large + 0.1)) > 5e-3


def test_colours_are_in_hundredths_of_oklab():
    """The 64 directions of three channels give 1/3 within four deviations, 4 (4/45/64)^1/2 / 2."""
    grey = [torch.full((1, 3, 8, 8), value) for value in (0.0, 0.5, 1.0)]
    black, middle, white = (color_projections(one) for one in grey)
    assert color_distance(black, black) == 0
    assert color_distance(black, white) == pytest.approx(100, rel=0.25)
    light = float(distributions.oklab(grey[1].double())[0, 0])  # on the line of greys
    ratio = color_distance(black, middle) / color_distance(black, white)
    assert ratio == pytest.approx(light, rel=1e-3)


def test_colours_have_an_order():
    image = torch.rand(1, 3, 16, 16) * torch.tensor([1.0, 0.5, 0.2]).view(1, 3, 1, 1)
    near, far = (
        color_distance(color_projections(image), color_projections(image * factor))
        for factor in (0.9, 0.5)
    )
    assert 0 < near < far
    turned = color_projections(image.flip(1))  # red and blue change places
    assert color_distance(color_projections(image), color_projections(image.flip(-1))) < 1e-3
    assert color_distance(color_projections(image), turned) > 1


def test_vgg16_is_taken_where_its_weights_are(monkeypatch, tmp_path):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    assert distributions.find_encoder() == ("vgg19-caffe-q8", None)
    asked = []
    monkeypatch.setattr(
        distributions, "Encoder", lambda *given, **named: asked.append((given, named)) or "network"
    )
    (tmp_path / "vgg16-397923af.pth").touch()
    assert distributions.find_encoder() == ("vgg16-torchvision", "network")
    named = {"flavor": "torchvision", "weights": "vgg16-torchvision", "depth": "relu4_3"}
    assert asked == [(("vgg16",), named)]
