"""The generated network: the paper's count of weights, its variants, its start from Johnson's."""

import pytest
import torch
from torch import nn

from helpers import pictures
from impasto.errors import InputError
from impasto.nn.generated import GeneratedLayer, GeneratedNet
from impasto.nn.johnson import TransformNet
from impasto.nn.upsampling import UPSAMPLINGS


def net(**options):
    torch.manual_seed(0)
    return GeneratedNet(4, 2, **options).eval()


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("affine", [True, False])
def test_the_papers_number_of_weights(upsampling, affine):
    """112,048 at a width of 8, 448,192 bytes; 1.746 million at 32."""
    module = GeneratedNet(8, upsampling=upsampling, affine=affine)
    weights = [part.weight for part in module.convolutions]
    assert sum(weight.numel() for weight in weights) == module.weights == 112_048
    assert sum(weight.numel() * weight.element_size() for weight in weights) == 448_192
    assert [weight.shape[-1] for weight in weights] == [9, 3, 3, *[3] * 10, 4, 4, 9]
    others = sum(weight.numel() for weight in module.parameters()) - 112_048
    assert others == 8 + 3 + affine * 2 * (16 + 32 + 10 * 32 + 16 + 8)
    assert GeneratedNet(32, upsampling=upsampling).weights == 1_746_112


def test_convolutions_that_are_generated_have_no_bias():
    module = GeneratedNet(8)
    assert len(module.layers) == 14
    assert all(layer.convolution.bias is None for layer in module.layers)
    assert module.first.bias is not None
    assert module.last.bias is not None


def test_without_scales_and_shifts_norms_learn_nothing():
    names = net(affine=False).state_dict()
    assert not [name for name in names if "norm" in name]
    assert len(names) == len(net().state_dict()) - 2 * 8


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shortcuts": False},
        {"unpadded": True},
        {"upsampling": "bilinear"},
        {"upsampling": "transposed"},
        {"affine": False},
    ],
)
def test_every_variant_keeps_the_size(options):
    for size in ((16, 16), (36, 52), (96, 100)):
        found = net(**options)(pictures(2, 3, *size))
        assert found.shape == (2, 3, *size)
        assert 0 <= found.min() <= found.max() <= 1
    if options not in ({}, {"affine": False}):  # which changes nothing yet
        assert not torch.allclose(found, net()(pictures(2, 3, *size)), atol=1e-4)


def test_blocks_add_what_goes_in():
    """With the last norms of the blocks at zero, shortcuts leave nothing of the blocks."""
    module, none = net(), GeneratedNet(4, 0).eval()
    for layer in module.layers[3:-2:2]:
        torch.nn.init.zeros_(layer.norm.weight)
    kept = [*module.layers[:2], *module.layers[-2:]]
    for own, other in zip(none.layers, kept, strict=True):
        own.load_state_dict(other.state_dict())
    none.first.load_state_dict(module.first.state_dict())
    none.last.load_state_dict(module.last.state_dict())
    x = pictures(1, 3, 32, 32)
    torch.testing.assert_close(module(x), none(x))


def test_bilinear_interpolation_treats_even_and_odd_pixels_alike():
    """Of a ramp it makes a ramp; a 4x4 on nearest neighbours makes steps of two sizes."""
    torch.manual_seed(0)
    ramp = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 4, 16, 16)
    for upsampling, even in (("nearest", False), ("bilinear", True)):
        layer = GeneratedLayer(4, 2, enlarge=upsampling, relu=False)
        layer.norm = nn.Identity()
        steps = layer(ramp)[..., 8:-8].diff(dim=-1)
        assert (steps.std(-1).max() < 1e-3) == even


def test_nearest_neighbours_leave_no_grid():
    """A flat picture stays flat; phases of a transposed convolution differ."""
    torch.manual_seed(0)
    flat = torch.ones(1, 4, 8, 8)
    for upsampling, grid in (("nearest", False), ("bilinear", False), ("transposed", True)):
        layer = GeneratedLayer(4, 2, enlarge=upsampling, relu=False)
        made = layer(flat)[..., 4:-4, 4:-4]
        assert made.shape == (1, 2, 8, 8)
        assert (made.std() > 0.1) == grid


def test_taps_are_what_one_number_is_a_sum_of():
    sizes = [
        (GeneratedLayer(4, 2), 36),
        (GeneratedLayer(4, 2, stride=2), 36),
        (GeneratedLayer(4, 2, enlarge="nearest"), 64),
        (GeneratedLayer(4, 2, enlarge="transposed"), 16),
    ]
    for layer, expected in sizes:
        assert layer.taps == expected
        torch.nn.init.ones_(layer.convolution.weight)
        layer.norm = torch.nn.Identity()
        assert layer(torch.ones(1, 4, 12, 12)).max() == expected


def test_it_starts_from_johnsons_network():
    torch.manual_seed(0)
    donor, module = TransformNet(4, 2).eval(), net()
    for weight in donor.parameters():
        if weight.ndim == 1:
            torch.nn.init.normal_(weight, 0.5, 0.3)
    x = pictures(1, 3, 48, 64)
    module.initialize_from(donor, [x])
    torch.testing.assert_close(module(x), donor(x), rtol=0, atol=1e-4)
    plain = net(affine=False)
    plain.initialize_from(donor, [x])
    assert torch.equal(plain.last.weight, donor.last.weight)


@pytest.mark.parametrize(
    "donor",
    [
        TransformNet(8, 2),
        TransformNet(4, 1),
        TransformNet(4, 2, norm="batch"),
        TransformNet(4, 2, upsampling="transposed"),
    ],
)
def test_networks_of_another_shape_are_no_start(donor):
    with pytest.raises(InputError, match="has another shape"):
        net().initialize_from(donor, [pictures(1, 3, 32, 32)])


def test_unknown_upsampling():
    with pytest.raises(InputError, match="unknown upsampling 'cubic': choose nearest, bilinear"):
        net(upsampling="cubic")
