"""The content loss: its three sums, its gradient, its precision."""

import numpy as np
import pytest
import torch

from impasto.errors import InputError
from impasto.losses.content import content_loss
from impasto.nn.features import at_least_float32


def pair(seed=0, shape=(2, 3, 4, 5), dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in "xy")
    return x.to(dtype), y.to(dtype)


@pytest.mark.parametrize(
    ("reduction", "plain"),
    [
        ("mean", lambda d: (d**2).mean()),
        ("sum", lambda d: (d**2).sum()),
        ("half_sum", lambda d: 0.5 * (d**2).sum()),
    ],
)
def test_the_sums_are_those_of_numpy(reduction, plain):
    x, y = pair()
    expected = plain(x.numpy() - y.numpy())
    assert content_loss(x, y, reduction=reduction).item() == pytest.approx(expected, rel=1e-12)


def test_the_default_is_the_mean():
    x, y = pair()
    assert content_loss(x, y) == content_loss(x, y, reduction="mean")


def test_a_constant_difference_has_a_closed_form():
    x = torch.zeros(1, 4, 3, 5)
    assert content_loss(x + 2, x).item() == 4
    assert content_loss(x + 2, x, reduction="sum").item() == 4 * 60
    assert content_loss(x + 2, x, reduction="half_sum").item() == 2 * 60


@pytest.mark.parametrize("reduction", ["mean", "sum", "half_sum"])
def test_gradient(reduction):
    x, y = pair()
    x.requires_grad_(), y.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: content_loss(a, b, reduction=reduction), (x, y))


def test_the_gradient_of_half_the_sum_is_the_difference():
    """Gatys et al. 2016, equation 2."""
    x, y = pair()
    x.requires_grad_()
    content_loss(x, y, reduction="half_sum").backward()
    torch.testing.assert_close(x.grad, (x - y).detach())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_low_precision_is_summed_in_float32(dtype):
    x, y = pair(dtype=dtype, shape=(1, 8, 32, 32))
    loss = content_loss(x, y, reduction="sum")
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    expected = np.square(x.double().numpy() - y.double().numpy()).sum()
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert at_least_float32(x).dtype == loss.dtype


def test_what_does_not_fit_is_refused():
    x, _ = pair()
    with pytest.raises(InputError, match=r"\(2, 3, 4, 5\).*\(2, 3, 4, 4\)"):
        content_loss(x, x[..., :4])
    with pytest.raises(InputError, match="median"):
        content_loss(x, x, reduction="median")
