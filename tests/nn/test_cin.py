"""The network of many styles: the paper's numbers, sums of styles, positions, new rows."""

import pytest
import torch
from torch.nn import functional as F

from helpers import pictures
from impasto.errors import InputError
from impasto.nn.cin import (
    ConditionalNet,
    Layer,
    NewStyle,
    conditional_norm,
)
from impasto.nn.johnson import TransformNet
from impasto.nn.regions import regional_norm
from impasto.nn.upsampling import INTERPOLATIONS
from rounding import products, rounding


def net(styles=3, width=4, blocks=2):
    """A small network whose styles differ."""
    torch.manual_seed(0)
    module = ConditionalNet(styles, width, blocks)
    torch.nn.init.normal_(module.gamma, 1.0, 0.5)
    torch.nn.init.normal_(module.beta, 0.0, 0.5)
    return module.eval()


def one_hot(*places, styles=3):
    return F.one_hot(torch.tensor(places), styles).float()


def test_the_papers_numbers():
    """Table of the appendix: 3,206 numbers a style, 0.2 percent of the 1.6 million."""
    module = ConditionalNet(32)
    assert module.gamma.shape == module.beta.shape == (32, 1603)
    assert module.gamma[0].numel() + module.beta[0].numel() == 3206
    assert module.channels == [32, 64, 128, *[128] * 10, 64, 32, 3]
    shared = sum(convolution.weight.numel() for convolution in module.convolutions)
    assert shared == 1_674_432
    assert 3206 / shared == pytest.approx(0.002, abs=1e-4)
    assert all(convolution.bias is None for convolution in module.convolutions)
    assert all(convolution.padding_mode == "reflect" for convolution in module.convolutions)
    assert torch.equal(module.gamma, torch.ones(32, 1603))
    assert torch.equal(module.beta, torch.zeros(32, 1603))


def test_the_width_multiplies_all_layers():
    assert ConditionalNet(1, 8).channels == [8, 16, 32, *[32] * 10, 16, 8, 3]


def test_the_norm_is_the_papers():
    """z = γ (x - μ) / σ + β with the statistics of each picture's channels."""
    x = pictures(2, 4, 7, 9).double() * 3 - 1
    gamma, beta = pictures(3, 4, seed=1).double(), pictures(3, 4, seed=2).double()
    weights = torch.tensor([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]).double()
    mean = x.mean((2, 3), keepdim=True)
    plain = (x - mean) / (x - mean).square().mean((2, 3), keepdim=True).add(1e-5).sqrt()
    scale, shift = ((weights @ table)[..., None, None] for table in (gamma, beta))
    expected = plain * scale + shift
    torch.testing.assert_close(conditional_norm(x, weights, gamma, beta), expected)


def test_one_style_alone_is_that_style_to_the_bit():
    module, x = net(), pictures(1, 3, 24, 20)
    with torch.no_grad():
        for place in range(3):
            alone = ConditionalNet(1, 4, 2)
            state = module.state_dict()
            state |= {name: state[name][place : place + 1] for name in ("gamma", "beta")}
            alone.load_state_dict(state)
            found = module(x, one_hot(place))
            assert torch.equal(found, alone(x, torch.ones(1, 1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_batch_of_different_styles_equals_each_alone(dtype):
    module, x = net(), pictures(4, 3, 24, 20)
    weights = torch.cat([one_hot(2, 0, 1), torch.tensor([[0.5, 0.25, 0.25]])])
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
        together = module(x, weights)
        for place in range(4):
            alone = module(x[place : place + 1], weights[place : place + 1])
            # in bfloat16 each of ten layers rounds to 2^-9, in the batch and alone
            terms = products(module) if dtype is torch.float32 else 10 * 2**15
            near = rounding(alone, terms)
            torch.testing.assert_close(together[place : place + 1], alone, **near)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_a_blend_is_linear_in_the_tables():
    module, x = net(), pictures(1, 3, 16, 16)
    weights = torch.tensor([[0.3, 0.7, 0.0]])
    gamma = 0.3 * module.gamma[:1] + 0.7 * module.gamma[1:2]
    beta = 0.3 * module.beta[:1] + 0.7 * module.beta[1:2]
    with torch.no_grad():
        expected = module.paint(x, torch.ones(1, 1), gamma, beta)
        near = rounding(expected, products(module))
        torch.testing.assert_close(module(x, weights), expected, **near)


def halves(height, width):
    """Two regions, left and right, (1, 2, H, W)."""
    left = (torch.arange(width) < width // 2).float().expand(1, 1, height, width)
    return torch.cat([left, 1 - left], 1)


@torch.no_grad()
def test_a_region_looks_as_the_whole_does_in_its_style():
    """Beyond the reach of its kernels, whatever lies in the other region."""
    module, x = net(blocks=1), pictures(1, 3, 16, 192)
    both = module(x, one_hot(0, 2), halves(16, 192))
    alone = module(x.expand(2, -1, -1, -1), one_hot(0, 2))
    near = rounding(alone, products(module))
    torch.testing.assert_close(both[..., :48], alone[:1, ..., :48], **near)
    torch.testing.assert_close(both[..., 144:], alone[1:, ..., 144:], **near)
    assert (both[..., 90:102] - alone[:1, ..., 90:102]).abs().max() > 0.01


@torch.no_grad()
def test_one_region_everywhere_is_its_style():
    module, x = net(), pictures(1, 3, 24, 20)
    regions = torch.zeros(1, 2, 24, 20)
    regions[:, 1] = 1
    found = module(x, torch.tensor([[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]), regions)
    expected = module(x, torch.tensor([[0.5, 0.5, 0.0]]))
    torch.testing.assert_close(found, expected, **rounding(expected, products(module)))


def test_the_norm_of_regions_is_that_of_the_wholes_and_what_comes_from_outside():
    x = pictures(3, 4, 8, 8)
    x[0, ..., :2], x[0, ..., 6:] = x[1, ..., :2], x[2, ..., 6:]  # out of reach of the border
    gamma, beta = pictures(2, 4, seed=1), pictures(2, 4, seed=2)
    found = regional_norm(x, halves(32, 32), gamma, beta)
    wholes = conditional_norm(x[1:], torch.eye(2), gamma, beta)
    torch.testing.assert_close(found[1:], wholes)
    torch.testing.assert_close(found[0, ..., :2], wholes[0, ..., :2])
    torch.testing.assert_close(found[0, ..., 6:], wholes[1, ..., 6:])
    for place, part in enumerate((slice(2, 4), slice(4, 6))):
        unit = x[1 + place].square().mean((1, 2), keepdim=True).add(1e-5).sqrt()
        added = gamma[place, :, None, None] * (x[0] - x[1 + place]) / unit
        torch.testing.assert_close((found[0] - wholes[place])[..., part], added[..., part])


@torch.no_grad()
def test_regions_of_a_plain_colour_stay_plain():
    """There is nothing to be normalised, and rounding must not grow into something."""
    module, x = net(), torch.full((1, 3, 32, 64), 0.7)
    found = module(x, one_hot(0, 2), halves(32, 64))
    alone = module(x.expand(2, -1, -1, -1), one_hot(0, 2))
    torch.testing.assert_close(found[..., :4], alone[:1, ..., :4], rtol=0, atol=1e-3)
    torch.testing.assert_close(found[..., -4:], alone[1:, ..., -4:], rtol=0, atol=1e-3)


def test_reduced_formats_keep_the_styles_in_float32():
    """Only the features are rounded: tables in bfloat16 would differ between close styles."""
    x = pictures(1, 4, 8, 8)
    gamma, beta = torch.ones(2, 4), torch.zeros(2, 4)
    gamma[1] += 1e-3  # less than bfloat16 tells apart
    with torch.autocast("cpu", torch.bfloat16):
        first, second = (conditional_norm(x, row[None], gamma, beta) for row in torch.eye(2))
    torch.testing.assert_close(second, first * 1.001, rtol=1e-5, atol=1e-6)


def test_everything_learns():
    module, x = net(), pictures(2, 3, 16, 16)
    module(x, torch.full((2, 3), 1 / 3)).square().mean().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_style_that_was_not_drawn_gets_no_gradient():
    module, x = net(), pictures(2, 3, 16, 16)
    module(x, one_hot(0, 2)).square().mean().backward()
    for table in (module.gamma, module.beta):
        assert torch.equal(table.grad[1], torch.zeros_like(table.grad[1]))
        assert table.grad[0].abs().max() > 0


@torch.no_grad()
def test_a_fresh_network_paints_soft_contrasts():
    module = ConditionalNet(2, 8, 2)
    found = module(pictures(2, 3, 32, 48), one_hot(0, 1, styles=2))
    assert found.shape == (2, 3, 32, 48)
    assert found.dtype is torch.float32
    assert 0.1 < found.std() < 0.3
    assert found.min() >= 0
    assert found.max() <= 1


@torch.no_grad()
def test_sizes():
    module = net()
    for height, width in ((16, 16), (16, 36), (20, 64)):
        found = module(pictures(1, 3, height, width), one_hot(0))
        assert found.shape == (1, 3, height, width)


@torch.no_grad()
def test_a_layer_enlarges_by_repeating_pixels():
    torch.manual_seed(0)
    layer, x = Layer(3, 5, 1, enlarge="nearest", relu=False), pictures(1, 3, 4, 6)
    found = layer(x, lambda y: y)
    assert found.shape == (1, 5, 8, 12)
    assert torch.equal(found[..., ::2, ::2], found[..., 1::2, 1::2])


@torch.no_grad()
def test_a_layer_enlarges_smoothly():
    torch.manual_seed(0)
    layer, x = Layer(3, 5, 1, enlarge="bilinear", relu=False), pictures(1, 3, 4, 6)
    found = layer(x, lambda y: y)
    smooth = F.interpolate(x, scale_factor=2, mode="bilinear")
    close = rounding(found, products(layer))
    torch.testing.assert_close(found, layer.convolution(smooth), **close)
    layer.enlarge = "nearest-bilinear"
    both = layer.eval()(x, lambda y: y)
    near = layer.convolution(F.interpolate(x, scale_factor=2, mode="nearest"))
    torch.testing.assert_close(both, (found + near) / 2, **close)
    assert torch.equal(layer.train()(x, lambda y: y), near)
    for name in ("transposed", "cubic"):
        with pytest.raises(InputError, match=f"unknown upsampling '{name}': choose nearest"):
            ConditionalNet(1, 4, 0, upsampling=name)


@torch.no_grad()
@pytest.mark.parametrize("upsampling", INTERPOLATIONS)
@pytest.mark.parametrize("shade", [0.1, 0.3, 0.7])
def test_a_plain_picture_stays_plain(upsampling, shade):
    """Rounding is all the variance that it has, and norms would make a pattern of it."""
    torch.manual_seed(0)
    module = ConditionalNet(2, 8, 2, upsampling=upsampling).eval()
    found = module(torch.full((1, 3, 32, 48), shade), one_hot(0, styles=2))
    assert torch.equal(found, found[..., :1, :1].expand_as(found))


@torch.no_grad()
def test_a_network_of_one_style_is_taken_over_layer_by_layer():
    """Up to its last convolution, which has a norm here, the features are the same."""
    torch.manual_seed(1)
    donor, module, x = TransformNet(4, 2), net(), pictures(1, 3, 32, 32)
    for name, parameter in donor.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 1.0 if name.endswith("1.weight") else 0.0, 0.3)
    module.initialize_from(donor)
    seen = []
    for last in (donor.last, module.decoder[-1].convolution):
        last.register_forward_hook(lambda part, given, _: seen.append(given[0]))
    donor(x)
    for place in range(3):
        module(x, one_hot(place))
        torch.testing.assert_close(seen[-1], seen[0], rtol=1e-3, atol=1e-4)
    assert torch.equal(module.decoder[-1].convolution.weight, donor.last.weight)


@pytest.mark.parametrize(
    "options",
    [{"width": 8}, {"blocks": 3}, {"norm": "batch"}, {"upsampling": "transposed"}],
)
def test_networks_of_another_shape_are_not_taken_over(options):
    with pytest.raises(InputError, match="has another shape"):
        net().initialize_from(TransformNet(**{"width": 4, "blocks": 2, **options}))


def test_a_new_style_starts_from_the_mean_and_alone_learns():
    module, x = net(), pictures(2, 3, 16, 16)
    new = NewStyle(module)
    expected = module(x, torch.full((2, 3), 1 / 3))
    near = rounding(expected, products(module))
    torch.testing.assert_close(new(x, torch.ones(2, 1)), expected, **near)
    new(x, torch.ones(2, 1)).square().mean().backward()
    learning = {name for name, part in new.named_parameters() if part.grad is not None}
    assert learning == {"gamma", "beta"}
    assert all(part.requires_grad for part in module.parameters())  # a copy was frozen


@torch.no_grad()
def test_joined_rows_leave_the_old_as_they_were():
    module, x = net(), pictures(1, 3, 24, 20)
    new = NewStyle(module)
    torch.nn.init.normal_(new.gamma)
    grown = new.with_added_style()
    assert grown.gamma.shape == (4, sum(module.channels))
    for place in range(3):
        assert torch.equal(grown(x, one_hot(place, styles=4)), module(x, one_hot(place)))
    assert torch.equal(grown(x, one_hot(3, styles=4)), new(x, torch.ones(1, 1)))


@pytest.mark.parametrize("numbers", [(0, 4, 1), (1, 0, 1), (1, 4, -1)])
def test_numbers_that_make_no_network(numbers):
    with pytest.raises(InputError, match=r"must be (1|0) or more"):
        ConditionalNet(*numbers)


def test_a_narrow_network_can_be_wide_inside():
    module = ConditionalNet(2, 8, 1, inner=48, upsampling="bilinear")
    assert module.channels == [8, 16, 48, 48, 48, 16, 8, 3]
    grown = NewStyle(module).with_added_style()
    assert (grown.channels, grown.upsampling) == (module.channels, "bilinear")
    assert grown(pictures(1, 3, 16, 16), one_hot(2, styles=3)).shape == (1, 3, 16, 16)
    with pytest.raises(InputError, match="inner is 0: it must be 1 or more"):
        ConditionalNet(2, 8, 1, inner=0)
