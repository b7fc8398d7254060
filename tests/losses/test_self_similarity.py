"""Self-similarity of feature vectors."""

from math import exp, log

import pytest
import torch

from impasto.errors import InputError
from impasto.losses import self_similarity_divergence, self_similarity_loss
from impasto.losses.self_similarity import self_distances


def test_distances_are_the_definition():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    half = 1 - 0.5**0.5
    raw = torch.tensor([[0, 1, half], [1, 0, half], [half, half, 0]])
    assert torch.allclose(self_distances(rows), 3 * raw / raw.sum(0), atol=1e-6)


def test_the_loss_sees_the_layout_and_not_the_colours():
    """A rotation of the channels changes every vector, but none of their distances."""
    torch.manual_seed(0)
    rows = torch.randn(20, 8, dtype=torch.float64)
    rotation, _ = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))
    assert float(self_similarity_loss(rows @ rotation, rows)) < 1e-12
    assert float(self_similarity_loss(rows.flip(0), rows)) > 0.05


def test_its_gradient_is_finite_for_one_colour():
    rows = torch.ones(6, 4, requires_grad=True)
    self_similarity_loss(rows, torch.rand(6, 4)).backward()
    assert bool(rows.grad.isfinite().all())


def test_different_numbers_of_vectors_are_refused():
    with pytest.raises(InputError, match="5 vectors cannot be compared with 4"):
        self_similarity_loss(torch.rand(5, 3), torch.rand(4, 3))
    with pytest.raises(InputError, match="5 vectors cannot be compared with 4"):
        self_similarity_divergence(torch.rand(5, 3), torch.rand(4, 3))


def test_the_divergence_is_a_double_loop():
    torch.manual_seed(1)
    rows, target = torch.rand(6, 3, dtype=torch.float64), torch.rand(6, 4, dtype=torch.float64)

    def softmaxed(x, i):
        scores = [
            exp(float(x[i] @ x[j] / (x[i].norm() * x[j].norm())) / 0.1) for j in range(len(x))
        ]
        return [score / sum(scores) for score in scores]

    expected = 0.0
    for i in range(6):
        for p, q in zip(softmaxed(target, i), softmaxed(rows, i), strict=True):
            expected += p * log(p / q) / 6
    assert float(self_similarity_divergence(rows, target)) == pytest.approx(expected, rel=1e-9)


def test_the_divergence_sees_the_layout_and_not_the_channels():
    torch.manual_seed(0)
    rows = torch.randn(20, 8, dtype=torch.float64)
    rotation, _ = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))
    assert abs(float(self_similarity_divergence(3 * rows @ rotation, rows))) < 1e-9
    assert float(self_similarity_divergence(rows.flip(0), rows)) > 0.1
