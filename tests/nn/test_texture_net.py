"""The pyramid of Texture Networks: its weights by the paper's count, its torus, its sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from impasto.errors import InputError
from impasto.nn.texture_net import PyramidNet, draw_noise, multiple_of


def weights_of(module):
    """Numbers in the kernels of all convolutions, without biases."""
    return sum(one.weight.numel() for one in module.modules() if isinstance(one, nn.Conv2d))


def noise_for(net, size, batch=1, seed=0, channels=3):
    chance = torch.Generator().manual_seed(seed)
    return draw_noise(net.scales, channels, batch, size, generator=chance)


def rolled(noise, down, right):
    """Noise moved by so many pixels of the finest scale."""
    last = len(noise) - 1
    return [
        one.roll((down >> (last - k), right >> (last - k)), (2, 3)) for k, one in enumerate(noise)
    ]


@pytest.mark.parametrize(("scales", "count"), [(5, 65_664), (6, 109_440)])
def test_weights_of_the_merges(scales, count):
    # Σ over i = 2..K of (8i)² (9 + 9 + 1)
    assert weights_of(PyramidNet(scales).merges) == count


@pytest.mark.parametrize(("scales", "inputs"), [(5, 3), (6, 6), (6, 3), (1, 3)])
def test_all_parameters_by_the_formula(scales, inputs):
    branch = inputs * 8 * 9 + 8 * 8 * 9 + 8 * 8 + 3 * 8 + 3 * 2 * 8  # biases; norms
    merges = 0
    for i in range(2, scales + 1):
        wide = 8 * i
        merges += wide**2 * 19 + 3 * wide + 3 * 2 * wide + 2 * wide  # the norms before: 8i in all
    last = 8 * scales * 3 + 3
    whole = sum(one.numel() for one in PyramidNet(scales, inputs).parameters())
    assert whole == scales * branch + merges + last


def test_six_scales_with_a_photo_have_116_016_weights():
    assert weights_of(PyramidNet(6, 6)) == 116_016  # "about 117k" with biases and norms


def test_units_and_scales_have_the_papers_widths():
    net = PyramidNet(5)
    assert [one.body[0].in_channels for one in net.merges] == [16, 24, 32, 40]
    assert [one.out_channels for one in net.modules() if isinstance(one, nn.Conv2d)][-1] == 3
    kernels = [one.kernel_size[0] for one in net.branches[0] if isinstance(one, nn.Conv2d)]
    assert kernels == [3, 3, 1]


@pytest.mark.parametrize(
    ("norm", "size"), [("batch", (48, 32)), ("instance", (16, 16)), ("none", (48, 32))]
)
def test_sizes_and_range(norm, size):
    torch.manual_seed(0)
    net = PyramidNet(5, norm=norm).eval()
    with torch.no_grad():
        picture = net(noise_for(net, size, batch=2))
    assert picture.shape == (2, 3, *size)
    assert picture.dtype is torch.float32
    assert 0 <= picture.min() <= picture.max() <= 1


def test_range_holds_for_huge_weights():
    net = PyramidNet(3)
    with torch.no_grad():
        net.last.weight.mul_(1e6)
        picture = net(noise_for(net, (8, 8), batch=2))
    assert picture.min() == 0
    assert picture.max() == 1


@pytest.mark.parametrize(
    ("norm", "down", "right"), [("batch", 16, 0), ("instance", -16, 48), ("none", 0, 32)]
)
def test_rolled_noise_rolls_the_picture(norm, down, right):
    torch.manual_seed(1)
    net = PyramidNet(5, norm=norm).double().eval()
    noise = [one.double() for one in noise_for(net, (64, 64))]
    with torch.no_grad():
        moved, still = net(rolled(noise, down, right)), net(noise)
    assert still.std() > 1e-3
    torch.testing.assert_close(moved, still.roll((down, right), (2, 3)), rtol=0, atol=1e-12)


def test_tiles_without_a_seam():
    """The repeated picture is the picture of the repeated noise: nothing happens at the joint."""
    torch.manual_seed(2)
    net = PyramidNet(4, norm="instance").double()
    noise = [one.double() for one in noise_for(net, (32, 32))]
    with torch.no_grad():
        tiled = net([one.repeat(1, 1, 2, 3) for one in noise])
        torch.testing.assert_close(tiled, net(noise).repeat(1, 1, 2, 3), rtol=0, atol=1e-12)


def test_other_paddings_have_a_seam():
    torch.manual_seed(2)
    net = PyramidNet(4, norm="instance", padding="replicate").double()
    noise = [one.double() for one in noise_for(net, (32, 32))]
    with torch.no_grad():
        assert (net(rolled(noise, 8, 8)) - net(noise).roll((8, 8), (2, 3))).abs().max() > 1e-3


def test_every_scale_matters():
    torch.manual_seed(3)
    net = PyramidNet(5, norm="instance")
    noise = noise_for(net, (64, 64))
    with torch.no_grad():
        before = net(noise)
        for k in range(5):
            changed = list(noise)
            changed[k] = 1 - changed[k]
            assert (net(changed) - before).abs().max() > 1e-3, f"scale {k} is not heard"


def test_photos_are_averaged_for_each_scale():
    """A photo without noise is the noise that it is pooled to."""
    torch.manual_seed(4)
    net = PyramidNet(3, norm="instance", padding="replicate")
    photo = torch.rand(2, 3, 8, 12)
    pooled = [photo.unflatten(3, (-1, f)).unflatten(2, (-1, f)).mean((3, 5)) for f in (4, 2, 1)]
    with torch.no_grad():
        torch.testing.assert_close(net((), photo), net(pooled))


def test_photo_with_noise():
    net = PyramidNet(6, 6, norm="instance", padding="replicate")
    photo = torch.rand(1, 3, 32, 64)  # a single position in height at the coarsest scale
    assert net(noise_for(net, (32, 64)), photo).shape == photo.shape


def test_smallest_photo():
    net = PyramidNet(6, 3, norm="instance", padding="replicate")
    assert net((), torch.rand(1, 3, 32, 32)).isfinite().all()


def test_norm_before_doubling_is_norm_after():
    torch.manual_seed(5)
    merge = PyramidNet(2, norm="instance").merges[0].double()
    x = torch.rand(1, 8, 4, 4, dtype=torch.float64)
    doubled = merge.coarse(x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(
        merge.coarse(x).repeat_interleave(2, 2).repeat_interleave(2, 3), doubled
    )


def test_gradients_reach_all_weights():
    torch.manual_seed(6)
    net = PyramidNet(3, norm="none", leak=0.01)
    net(noise_for(net, (8, 8))).square().sum().backward()
    assert all(one.grad is not None and one.grad.abs().max() > 0 for one in net.parameters())


def test_noise():
    noise = draw_noise(4, 3, 2, (16, 24), generator=torch.Generator().manual_seed(0))
    assert [tuple(one.shape) for one in noise] == [
        (2, 3, 2, 3),
        (2, 3, 4, 6),
        (2, 3, 8, 12),
        (2, 3, 16, 24),
    ]
    assert 0 <= min(one.min() for one in noise) <= max(one.max() for one in noise) <= 1
    again = draw_noise(4, 3, 2, (16, 24), generator=torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(noise, again, strict=True))
    assert draw_noise(4, 0, 2, (16, 24)) == ()
    assert multiple_of(1) == 1


@pytest.mark.parametrize("size", [(20, 16), (16, 20), (0, 16)])
def test_noise_of_other_sizes(size):
    with pytest.raises(InputError, match="multiples of 16"):
        draw_noise(5, 3, 1, size)


def test_errors():
    with pytest.raises(InputError, match="at least one scale"):
        PyramidNet(0)
    with pytest.raises(InputError, match="unknown norm"):
        PyramidNet(2, norm="layer")
    net = PyramidNet(3)
    with pytest.raises(InputError, match="wants as many noises, not 2"):
        net(draw_noise(2, 3, 1, (8, 8)))
    with pytest.raises(InputError, match="wants as many noises, not 0"):
        net(())
    with pytest.raises(InputError, match="multiples of 4, not 9x8"):
        net((), torch.rand(1, 3, 8, 9))
