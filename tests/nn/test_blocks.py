"""The blocks: the norm against torch's own, sizes, padding, initial weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import normal
from impasto.errors import InputError
from impasto.nn.blocks import (
    NORMS,
    PADDINGS,
    ConvNorm,
    InstanceNorm,
    Residual,
    convolution,
    initialize,
    norm_layer,
)
from impasto.nn.fast import instance_norm, pad_map
from impasto.nn.upsampling import UPSAMPLINGS, UpConvNorm

FORMATS = [torch.float64, torch.float32, torch.bfloat16]
CLOSE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 4e-2}
BORDERED = [name for name in PADDINGS if name != "none"]


def tables(batch, channels):
    """A scale and a shift: (C,) for a batch of None, (B, C) else."""
    shape = (channels,) if batch is None else (batch, channels)
    return normal(*shape, seed=1) + 2, normal(*shape, seed=2)


def reference(x, weight, bias):
    """torch's instance norm, and a scale and shift of each picture by itself."""
    normalised = F.instance_norm(x)
    shape = (-1, x.shape[1], 1, 1)
    return normalised * weight.view(shape) + bias.view(shape)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("batch", [None, 3], ids=["C", "BxC"])
def test_instance_norm_is_that_of_torch(batch, dtype):
    x = normal(3, 4, 6, 5, dtype=dtype) * 3 + 1
    weight, bias = tables(batch, 4)
    found = instance_norm(x, weight.float(), bias.float())
    assert found.dtype is dtype
    expected = reference(x.double(), weight.float().double(), bias.float().double())
    torch.testing.assert_close(found.double(), expected, rtol=CLOSE[dtype], atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("batch", [None, 3], ids=["C", "BxC"])
def test_its_gradients_are_those_of_torch(batch, dtype):
    pull = normal(3, 4, 6, 5, seed=3)
    gradients = []
    for function, kind in ((instance_norm, dtype), (reference, torch.float64)):
        x = normal(3, 4, 6, 5, dtype=dtype).to(kind).requires_grad_()
        kept = torch.float64 if kind is torch.float64 else torch.float32
        weight, bias = (t.to(kept).requires_grad_() for t in tables(batch, 4))
        (function(x, weight, bias).double() * pull).sum().backward()
        gradients.append([x.grad, weight.grad, bias.grad])
    close = 10 * CLOSE[dtype]
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=close, atol=close)


def test_each_channel_of_each_picture_gets_mean_0_and_variance_1():
    x = normal(3, 4, 9, 8) * 5 + 7
    found = InstanceNorm(4)(x)
    torch.testing.assert_close(found.mean((2, 3)), torch.zeros(3, 4).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(
        found.var((2, 3), correction=0), torch.ones(3, 4).double(), atol=1e-4, rtol=0
    )


def test_contrast_and_brightness_are_normalised_away():
    x, norm = normal(2, 4, 9, 8), InstanceNorm(4)
    torch.testing.assert_close(norm(0.3 * x + 0.5), norm(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("batch", [None, 2], ids=["C", "BxC"])
def test_a_single_position_becomes_the_shift(batch, dtype):
    weight, bias = (table.float().requires_grad_() for table in tables(batch, 4))
    x = normal(2, 4, 1, 1, dtype=dtype).requires_grad_()
    found = instance_norm(x, weight, bias)
    assert found.dtype is dtype
    torch.testing.assert_close(found, bias.view(-1, 4, 1, 1).to(dtype).expand(2, 4, 1, 1))
    found.sum().backward()
    assert torch.equal(bias.grad, torch.full_like(bias, 2.0 if batch is None else 1.0))


def test_a_constant_channel_stays_finite():
    found = InstanceNorm(2)(torch.full((1, 2, 4, 4), 3.0))
    torch.testing.assert_close(found, torch.zeros(1, 2, 4, 4), rtol=0, atol=1e-3)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("training", [True, False])
def test_a_relu_in_place_does_not_reach_the_shift_of_a_single_position(training, batch):
    block = ConvNorm(3, 4, 3, padding="zeros").train(training)
    nn.init.constant_(block[1].bias, -1)
    with torch.set_grad_enabled(training):
        assert torch.equal(block(torch.rand(batch, 3, 1, 1)), torch.zeros(batch, 4, 1, 1))
    assert torch.equal(block[1].bias, torch.full((4,), -1.0))


def test_the_channels_stay_last_in_memory():
    x = normal(2, 4, 6, 6, dtype=torch.float32).contiguous(memory_format=torch.channels_last)
    found = InstanceNorm(4)(x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, InstanceNorm(4)(x.contiguous()))


def test_norms_by_name():
    assert isinstance(norm_layer("instance", 4), InstanceNorm)
    assert isinstance(norm_layer("batch", 4), nn.BatchNorm2d)
    assert isinstance(norm_layer("none", 4), nn.Identity)
    with pytest.raises(InputError, match=f"unknown norm 'layer': choose {', '.join(NORMS)}"):
        norm_layer("layer", 4)


@pytest.mark.parametrize(
    ("kernel", "stride", "height", "width"),
    [(1, 1, 5, 5), (3, 2, 7, 12), (9, 1, 13, 9), (9, 2, 12, 7)],
)
@pytest.mark.parametrize("padding", BORDERED)
def test_a_convolution_keeps_the_size_over_the_stride(padding, kernel, stride, height, width):
    for channels in (3, 4):  # colours have a kernel of their own
        layer = convolution(channels, 5, kernel, stride=stride, padding=padding)
        found = layer(torch.rand(2, channels, height, width))
        assert found.shape == (2, 5, -(-height // stride), -(-width // stride))


def test_without_padding_it_loses_a_border():
    found = convolution(3, 5, 9, padding="none")(torch.rand(1, 3, 16, 11))
    assert found.shape == (1, 5, 8, 3)


@pytest.mark.parametrize("padding", BORDERED)
def test_what_lies_beyond_the_edge(padding):
    layer = convolution(1, 1, 5, padding=padding).double()
    x = normal(1, 1, 7, 6)
    mode = {"zeros": "constant"}.get(padding, padding)
    expected = F.conv2d(F.pad(x, (2,) * 4, mode=mode), layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)


def test_circular_padding_makes_tiles():
    """Rolling what goes in rolls what comes out, and nothing else happens."""
    block = ConvNorm(3, 4, 5, padding="circular").double()
    x = normal(1, 3, 8, 8)
    rolled = block(x.roll((3, -2), (2, 3)))
    torch.testing.assert_close(rolled, block(x).roll((3, -2), (2, 3)))


def test_unknown_padding_is_refused():
    with pytest.raises(InputError, match=f"unknown padding 'same': choose {', '.join(PADDINGS)}"):
        convolution(3, 3, 3, padding="same")


def test_a_block_ends_with_a_relu_unless_told():
    x = normal(1, 3, 8, 8, dtype=torch.float32)
    with torch.no_grad():
        assert ConvNorm(3, 4, 3)(x).min() == 0
        assert ConvNorm(3, 4, 3, relu=False)(x).min() < 0


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_upsampling_doubles_the_size(upsampling):
    for kernel, norm, height, width in zip((3, 5, 3), NORMS, (1, 7, 12), (4, 12, 7), strict=True):
        block = UpConvNorm(4, 2, kernel, upsampling=upsampling, norm=norm, padding="replicate")
        found = block(torch.rand(2, 4, height, width))
        assert found.shape == (2, 2, 2 * height, 2 * width)
        assert found.min() >= 0


def test_nearest_leaves_no_checkerboard_where_transposed_does():
    """Of a constant input the first makes a constant picture, the second one of period two."""
    torch.manual_seed(0)
    x = torch.ones(1, 4, 6, 6)
    spread = {}
    for upsampling in UPSAMPLINGS:
        block = UpConvNorm(4, 2, upsampling=upsampling, norm="none")
        grow = nn.Sequential(*list(block)[:-2])  # norm and ReLU left out
        inner = grow(x)[..., 2:-2, 2:-2]
        spread[upsampling] = inner.std((2, 3)).min().item()
    assert spread["nearest"] < 1e-6
    assert spread["bilinear"] < 1e-6
    assert spread["transposed"] > 1e-2


def test_unknown_upsampling_is_refused():
    with pytest.raises(InputError, match="unknown upsampling 'bicubic': choose nearest"):
        UpConvNorm(4, 2, upsampling="bicubic")


@pytest.mark.parametrize("padding", BORDERED)
def test_a_residual_block_keeps_the_size(padding):
    x = torch.rand(2, 4, 7, 12)
    for norm in NORMS:
        assert Residual(4, norm=norm, padding=padding)(x).shape == x.shape


def test_without_padding_the_shortcut_is_cropped():
    block = Residual(4, norm="none", padding="none").double()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = normal(2, 4, 11, 9)
    assert torch.equal(block(x), x[..., 2:-2, 2:-2])


def test_the_shortcut_is_added_and_no_relu_follows():
    block, x = Residual(4), normal(1, 4, 8, 8, dtype=torch.float32)
    with torch.no_grad():
        found = block(x)
        torch.testing.assert_close(found - x, block.body(x))
        assert found.min() < 0


def test_the_middle_of_an_unpadded_block_is_that_of_a_padded_one():
    torch.manual_seed(0)
    padded, bare = Residual(4, norm="none"), Residual(4, norm="none", padding="none")
    bare.load_state_dict(padded.state_dict())
    x = normal(1, 4, 12, 12, dtype=torch.float32)
    torch.testing.assert_close(bare(x), padded(x)[..., 2:-2, 2:-2])


def test_initial_weights_are_those_of_he():
    torch.manual_seed(0)
    module = nn.Sequential(
        ConvNorm(32, 64, 3), UpConvNorm(64, 64, upsampling="transposed"), nn.Conv2d(64, 128, 3)
    )
    initialize(module, last=0.1)
    fan_in = 32 * 9, 64 * 9, 64 * 9
    for layer, fan, factor in zip(
        (module[0][0], module[1][0], module[2]), fan_in, (1, 1, 0.1), strict=True
    ):
        assert layer.weight.std().item() == pytest.approx(factor * (2 / fan) ** 0.5, rel=0.03)
        assert abs(layer.weight.mean().item()) < 0.05 * layer.weight.std().item()
        assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    assert torch.equal(module[0][1].weight, torch.ones(64))


def test_he_keeps_the_size_of_the_signal():
    torch.manual_seed(0)
    layers = nn.Sequential(
        *(ConvNorm(64, 64, 3, norm="none", padding="circular") for _ in range(6))
    )
    initialize(layers)
    x = torch.randn(2, 64, 16, 16)
    with torch.no_grad():
        ratio = (layers(x).square().mean() / x.square().mean()).item()
    assert 0.3 < ratio < 3


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "height", "width"),
    [
        (3, 5, 9, 11, 16),
        (3, 5, 9, 12, 16),  # even sides: from sixteen channels to twenty
        (3, 17, 9, 12, 16),  # more channels: the plain kernel
        (5, 3, 9, 12, 16),  # even sides: twelve channels at stride 2
        (5, 3, 9, 11, 16),  # an odd one: the plain kernel
        (5, 3, 3, 12, 16),
        (3, 3, 1, 9, 15),
    ],
)
@pytest.mark.parametrize("padding", PADDINGS)
def test_convolutions_from_and_to_colours_are_the_plain_ones(
    inputs, outputs, kernel, padding, height, width
):
    torch.manual_seed(0)
    layout = torch.channels_last if padding == "reflect" else torch.contiguous_format
    own = convolution(inputs, outputs, kernel, padding=padding).double()
    assert type(own) is not nn.Conv2d
    around = 0 if padding == "none" else kernel // 2
    mode = "zeros" if padding == "none" else padding
    plain = nn.Conv2d(inputs, outputs, kernel, 1, around, padding_mode=mode).double()
    plain.load_state_dict(own.state_dict())
    x = torch.rand(2, inputs, height, width).double().to(memory_format=layout)
    found, expected = (module(x) for module in (own, plain))
    torch.testing.assert_close(found, expected)
    for module, made in ((own, found), (plain, expected)):
        made.square().sum().backward()
        assert module.weight.grad is not None
    torch.testing.assert_close(own.weight.grad, plain.weight.grad)
    torch.testing.assert_close(own.bias.grad, plain.bias.grad)


@pytest.mark.parametrize("channels", [1, 3, 8, 9, 17])
@pytest.mark.parametrize("size", [(6, 5), (8, 12)])  # in blocks of 4x4, or not
def test_instance_norm_of_few_channels_keeps_their_place_in_memory(channels, size):
    x = torch.rand(2, channels, *size).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.rand(channels), torch.rand(channels)
    found = instance_norm(x, weight, bias)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, F.instance_norm(x, weight=weight, bias=bias))


@pytest.mark.parametrize("channels", [3, 17])
@pytest.mark.parametrize("grad", [False, True])
def test_borders_are_reflected_in_the_format_of_the_map(channels, grad):
    x = torch.rand(2, channels, 6, 7).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found = pad_map(x.requires_grad_(grad), (4, 4, 4, 4), "reflect")
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, F.pad(x, (4, 4, 4, 4), "reflect"), rtol=0, atol=0)
