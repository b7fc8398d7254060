"""Total variation on pictures whose value is known, and against plain NumPy."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from impasto.errors import InputError
from impasto.losses.smoothness import KINDS, total_variation

SIZES = [(2, 2), (4, 4), (5, 8), (9, 3)]


def checkerboard(height, width):
    return (
        (torch.arange(height).view(-1, 1) + torch.arange(width)).remainder(2).double()[None, None]
    )


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def plain(image, kind, beta):
    """Loops over the pixels of (B, C, H, W)."""
    total = 0.0
    batch, channels, height, width = image.shape
    for b, c in np.ndindex(batch, channels):
        x = image[b, c]
        for i, j in np.ndindex(height, width):
            down = x[i + 1, j] - x[i, j] if i + 1 < height else None
            right = x[i, j + 1] - x[i, j] if j + 1 < width else None
            if kind == "beta":
                if down is not None and right is not None:
                    total += (down**2 + right**2) ** (beta / 2)
            else:
                power = 2 if kind == "squared" else 1
                total += sum(abs(d) ** power for d in (down, right) if d is not None)
    return total


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_checkerboard_differs_by_one_across_every_edge(height, width):
    board = checkerboard(height, width)
    edges = (height - 1) * width + height * (width - 1)
    corners = (height - 1) * (width - 1)  # those with a neighbour below and on the right
    assert total_variation(board, kind="squared").item() == edges
    assert total_variation(board, kind="anisotropic").item() == edges
    assert total_variation(board, kind="beta", beta=2).item() == pytest.approx(2 * corners)
    assert total_variation(board, kind="beta", beta=4).item() == pytest.approx(4 * corners)
    root = total_variation(board, kind="beta", beta=1).item()
    assert root == pytest.approx(2**0.5 * corners, rel=1e-6)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_ramp_has_its_slope_everywhere(height, width):
    down, right = 0.25, 0.5
    ramp = down * torch.arange(height).view(-1, 1).double() + right * torch.arange(width)
    ramp = ramp[None, None]
    rows, columns = (height - 1) * width, height * (width - 1)
    squared = down**2 * rows + right**2 * columns
    absolute = down * rows + right * columns
    corners = (height - 1) * (width - 1)
    assert total_variation(ramp).item() == pytest.approx(squared)
    assert total_variation(ramp, kind="anisotropic").item() == pytest.approx(absolute)
    for beta in (1.5, 2.0, 3.0):
        expected = corners * (down**2 + right**2) ** (beta / 2)
        value = total_variation(ramp, kind="beta", beta=beta).item()
        assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(
    ("kind", "beta"), [("squared", 2), ("anisotropic", 2), ("beta", 2), ("beta", 2.5), ("beta", 1)]
)
def test_plain_loops_agree(kind, beta, reduction):
    image = noise(2, 3, 5, 4)
    expected = plain(image.numpy(), kind, beta) / (image.numel() if reduction == "mean" else 1)
    value = total_variation(image, kind=kind, beta=beta, reduction=reduction)
    assert value.item() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("kind", "beta"), [("squared", 2), ("anisotropic", 2), ("beta", 2), ("beta", 3), ("beta", 1)]
)
def test_gradient(kind, beta):
    image = noise(1, 2, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: total_variation(x, kind=kind, beta=beta), (image,))


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_a_flat_picture_has_a_finite_gradient(beta):
    flat = torch.full((1, 3, 6, 6), 0.5, requires_grad=True)
    value = total_variation(flat, kind="beta", beta=beta)
    value.backward()
    assert value.item() < 1e-3
    assert torch.equal(flat.grad, torch.zeros_like(flat))


@pytest.mark.parametrize("kind", KINDS)
def test_invariances(kind):
    image = noise(2, 3, 6, 7)
    value = total_variation(image, kind=kind)
    torch.testing.assert_close(total_variation(image + 3, kind=kind), value)
    torch.testing.assert_close(total_variation(image.flip(1), kind=kind), value)
    parts = sum(total_variation(image[i : i + 1], kind=kind) for i in range(2))
    torch.testing.assert_close(parts, value)
    factor = 2 if kind == "anisotropic" else 4  # doubling the contrast
    torch.testing.assert_close(total_variation(2 * image, kind=kind), factor * value)


def test_smoother_is_less():
    image = noise(1, 1, 16, 16)
    blurred = [image]
    for _ in range(3):
        blurred.append(torch.nn.functional.avg_pool2d(blurred[-1], 3, 1, 1, False, False))
    for kind in KINDS:
        values = [total_variation(x, kind=kind).item() for x in blurred]
        assert all(after < before for before, after in pairwise(values))


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match="squared, beta, anisotropic"):
        total_variation(noise(1, 1, 3, 3), kind="huber")
    with pytest.raises(InputError, match="median"):
        total_variation(noise(1, 1, 3, 3), reduction="median")
