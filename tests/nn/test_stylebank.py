"""The network of filter banks: its two ways, blends of filters, regions, banks that join."""

import pytest
import torch
from torch.nn import functional as F

from helpers import pictures
from impasto.errors import InputError
from impasto.nn.bank import Bank, convolve
from impasto.nn.blocks import InstanceNorm
from impasto.nn.fast import instance_norm
from impasto.nn.johnson import TransformNet
from impasto.nn.stylebank import NewBank, Stage, StyleBankNet, norm_as_first
from rounding import products, rounding


def net(styles=3, width=4, **shape):
    """A small network whose styles differ."""
    torch.manual_seed(0)
    module = StyleBankNet(styles, width, **shape)
    vary(module.bank)
    return module.eval()


def vary(bank):
    torch.nn.init.normal_(bank.kernels, 0.0, 0.3)
    torch.nn.init.normal_(bank.gamma, 1.0, 0.5)
    torch.nn.init.normal_(bank.beta, 0.0, 0.5)
    return bank


def one_hot(*places, styles=3):
    return F.one_hot(torch.tensor(places), styles).float()


def test_shapes():
    """Three convolutions in, three out, and the banks between them at a quarter of the size."""
    module = StyleBankNet(5)
    convolutions = [p.weight.shape for p in module.modules() if isinstance(p, torch.nn.Conv2d)]
    inwards = [(32, 3, 9, 9), (64, 32, 3, 3), (128, 64, 3, 3)]
    assert convolutions == [*inwards, (64, 128, 3, 3), (32, 64, 3, 3), (3, 32, 9, 9)]
    assert module.bank.kernels.shape == (5, 1, 128, 128, 3, 3)
    assert module.bank.gamma.shape == module.bank.beta.shape == (5, 1, 128)
    small, image = net(), pictures(2, 3, 24, 20)
    assert small.encode(image).shape == (2, 16, 6, 5)
    assert small(image).shape == small(image, one_hot(0, 2)).shape == (2, 3, 24, 20)


@pytest.mark.parametrize("shape", [{}, {"kernel": 7}, {"kernel": 1}, {"layers": 2}])
def test_every_shape_paints_in_range(shape):
    module = net(**shape)
    with torch.no_grad():
        found = module(pictures(1, 3, 16, 16), one_hot(1))
    assert found.dtype is torch.float32
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


def test_shapes_that_are_none():
    for wrong in ({"kernel": 2}, {"kernel": 9}, {"layers": 0}, {"styles": 0}):
        with pytest.raises(InputError, match="must be 1 or more, kernel one of 1, 3, 5, 7"):
            StyleBankNet(**{"styles": 1, "width": 4, **wrong})
    with pytest.raises(InputError, match="width must be 1 or more"):
        StyleBankNet(1, 0)


def test_each_picture_meets_its_own_filters():
    x, kernels = pictures(2, 4, 7, 6).double(), pictures(2, 5, 4, 3, 3, seed=1).double()
    for picture, kernel, found in zip(x, kernels, convolve(x, kernels), strict=True):
        padded = F.pad(picture[None], (1,) * 4, mode="reflect")
        torch.testing.assert_close(found[None], F.conv2d(padded, kernel))


def test_a_fresh_bank_nearly_keeps_the_features():
    bank, x = Bank(2, 8), torch.rand(1, 8, 12, 12)
    found = bank(x, one_hot(1, styles=2))
    plain = instance_norm(x, torch.ones(8), torch.zeros(8)).relu()
    assert (found - plain).square().mean() < 0.1 * plain.square().mean()


@pytest.mark.parametrize("layers", [1, 2])
def test_one_style_alone_is_that_style_to_the_bit(layers):
    module, x = net(layers=layers), pictures(1, 3, 24, 20)
    with torch.no_grad():
        for place in range(3):
            alone = StyleBankNet(1, 4, layers=layers).eval()
            state = module.state_dict()
            banks = ("bank.kernels", "bank.gamma", "bank.beta")
            alone.load_state_dict(state | {n: state[n][place : place + 1] for n in banks})
            assert torch.equal(module(x, one_hot(place)), alone(x, torch.ones(1, 1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_batch_of_different_styles_equals_each_alone(dtype):
    module, x = net(), pictures(3, 3, 24, 20)
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
        both = module(x, one_hot(2, 0, 2))
        for index, place in enumerate((2, 0, 2)):
            alone = module(x[index : index + 1], one_hot(place))
            torch.testing.assert_close(both[index : index + 1], alone, rtol=0, atol=2e-2)


PRODUCTS = 8 * 9  # in a value that a bank of eight channels makes


def test_features_are_linear_in_the_blend():
    """K = Σ w_i K_i: before the norm, the features of a blend are the blend of the features."""
    bank, x = vary(Bank(3, 8)), pictures(1, 8, 9, 7)
    weights = torch.tensor([0.5, 0.2, 0.3])
    kernels = torch.tensordot(weights[None], bank.kernels, 1)[:, 0]  # (1, C, C, k, k)
    each = [convolve(x, bank.kernels[place : place + 1, 0]) for place in range(3)]
    expected = sum(w * one for w, one in zip(weights, each, strict=True))
    near = rounding(expected, PRODUCTS)
    torch.testing.assert_close(convolve(x, kernels), expected, **near)
    scale, shift = weights @ bank.gamma[:, 0], weights @ bank.beta[:, 0]
    found = bank(x, weights[None])
    expected = instance_norm(expected, scale, shift).relu()
    torch.testing.assert_close(found, expected, **rounding(expected, PRODUCTS))


def test_regions_sum_the_masked_features():
    """F̃ = Σ K_i ⊗ (M_i × F), and beside it each style as a whole."""
    bank, x = vary(Bank(3, 8)), pictures(1, 8, 8, 8)
    masks = torch.zeros(1, 2, 32, 32)
    masks[:, 0, :, :16], masks[:, 1, :, 16:] = 1, 1
    with torch.no_grad():
        found = bank(x, one_hot(2, 0), masks)
        assert found.shape == (3, 8, 8, 8)
        for place, whole in zip((2, 0), found[1:], strict=True):
            expected = bank(x, one_hot(place))
            torch.testing.assert_close(whole[None], expected, **rounding(expected, PRODUCTS))
        # two columns from the border no filter sees the other side
        near = rounding(found, PRODUCTS)
        torch.testing.assert_close(found[0, ..., :3], found[1, ..., :3], **near)
        torch.testing.assert_close(found[0, ..., 5:], found[2, ..., 5:], **near)
        # at the border each filter sees its own side alone
        half = (masks[:, :1, ::4, ::4] * x, masks[:, 1:, ::4, ::4] * x)
        raw = sum(
            convolve(part, bank.kernels[p : p + 1, 0]) for part, p in zip(half, (2, 0), strict=True)
        )
        whole = convolve(x, bank.kernels[2:3, 0])
        mean = whole.mean((2, 3), keepdim=True)
        spread = (whole.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        scale, shift = (table[2, 0].view(1, -1, 1, 1) for table in (bank.gamma, bank.beta))
        expected = scale * (whole - mean) / spread + shift  # of the style, and what came over:
        expected += (
            (raw - whole) * scale / (whole.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
        )
        torch.testing.assert_close(found[0, ..., 3], expected.relu()[0, ..., 3], **near)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_region_without_end_is_the_style_itself(layers):
    module, x = net(layers=layers), pictures(1, 3, 24, 20)
    masks = torch.zeros(1, 2, 24, 20)
    masks[:, 1] = 1
    with torch.no_grad():
        found = module(x, one_hot(0, 2), masks)
        torch.testing.assert_close(
            found, module(x, one_hot(2)), **rounding(found, products(module))
        )


def test_far_from_a_border_each_side_is_its_style():
    module, x = net(), pictures(1, 3, 24, 192)
    masks = torch.zeros(1, 2, 24, 192)
    masks[:, 0, :, :96], masks[:, 1, :, 96:] = 1, 1
    with torch.no_grad():
        found = module(x, one_hot(0, 1), masks)
        for place, part in ((0, slice(0, 56)), (1, slice(136, 192))):
            whole = module(x, one_hot(place))
            near = rounding(whole, products(module))
            torch.testing.assert_close(found[..., part], whole[..., part], **near)


def test_the_banks_learn_from_painting_alone():
    module, x = net().train(), pictures(1, 3, 16, 16)
    F.mse_loss(module(x), x).backward()
    assert all(weight.grad is None for weight in module.bank.parameters())
    outer = [*module.encoder.parameters(), *module.decoder.parameters(), *module.last.parameters()]
    assert all(bool(weight.grad.abs().sum() > 0) for weight in outer)
    module(x, one_hot(1)).sum().backward()
    learned = module.bank.kernels.grad.flatten(1).abs().sum(1) > 0
    assert learned.tolist() == [False, True, False]


def test_norms_of_the_first_picture():
    x, weight, bias = pictures(3, 4, 6, 5) * 3, pictures(4, seed=1), pictures(4, seed=2)
    norm = InstanceNorm(4)
    norm.load_state_dict({"weight": weight, "bias": bias})
    found = norm_as_first(norm, x)
    torch.testing.assert_close(found[:1], instance_norm(x[:1], weight, bias))
    view = (1, -1, 1, 1)
    mean, variance = x[0].mean((1, 2)).view(view), x[0].var((1, 2), correction=0).view(view)
    expected = (x - mean) / (variance + 1e-5).sqrt() * weight.view(view) + bias.view(view)
    torch.testing.assert_close(found, expected)
    assert norm_as_first(norm, x.bfloat16()).dtype is torch.bfloat16


def test_elements():
    module, x = net(), pictures(1, 3, 24, 20)
    with torch.no_grad():
        module.bank.gamma[1, 0, 5], module.bank.beta[1, 0, 5] = 0, -1  # a filter that is silent
        styled = module.bank(module.encode(x), one_hot(1))
        found = list(module.elements(x, one_hot(1)))
    assert len(found) == 16
    for channel, (response, added) in enumerate(found):
        assert torch.equal(response, styled[0, channel])
        assert added.shape == (1, 3, 24, 20)
    assert not found[5][1].any(), "no response adds no colour"
    assert sum(bool(added.any()) for _, added in found) > 8


def test_start_from_a_network_of_one_style():
    donor, module = TransformNet(4, 2), net()
    for part in donor.modules():
        if part.__class__.__name__ == "InstanceNorm":
            torch.nn.init.normal_(part.weight, 1.0, 0.5)
    before = {name: value.clone() for name, value in module.bank.state_dict().items()}
    module.initialize_from(donor)
    x = pictures(1, 3, 16, 16)
    with torch.no_grad():
        features = donor.encoder(x * 2 - 1)
        assert torch.equal(module.encode(x), features)
        expected = (donor.last(donor.decoder(features)).tanh() + 1) / 2
        torch.testing.assert_close(module(x), expected)
    assert all(torch.equal(value, before[name]) for name, value in module.bank.state_dict().items())


@pytest.mark.parametrize(
    "donor",
    [
        TransformNet(8, 1),
        TransformNet(4, 1, norm="batch"),
        TransformNet(4, 1, upsampling="transposed"),
    ],
)
def test_a_start_of_another_shape_is_refused(donor):
    with pytest.raises(InputError, match="train with its width"):
        net().initialize_from(donor)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_bank_that_joins_leaves_all_others_to_the_bit(layers):
    module, x = net(layers=layers), pictures(1, 3, 24, 20)
    new = NewBank(module)
    assert sum(p.numel() for p in new.parameters() if p.requires_grad) == sum(
        p[0].numel() for p in module.bank.parameters()
    )
    torch.testing.assert_close(new.bank.kernels[0], module.bank.kernels.mean(0))
    new(x, torch.ones(1, 1)).sum().backward()
    assert all(weight.grad is None for weight in new.network.parameters())
    vary(new.bank)
    grown = new.with_added_style()
    with torch.no_grad():
        assert torch.equal(grown(x), module(x)), "the auto-encoder"
        for place in range(3):
            assert torch.equal(grown(x, one_hot(place, styles=4)), module(x, one_hot(place)))
        assert torch.equal(grown(x, one_hot(3, styles=4)), new(x, torch.ones(1, 1)))
    for name, value in module.state_dict().items():
        kept = grown.state_dict()[name]
        assert torch.equal(kept[:3] if name.startswith("bank.") else kept, value), name


def test_a_stage_takes_any_norm():
    stage, x = Stage(3, 4), pictures(1, 3, 8, 8)
    assert bool((stage(x, lambda _norm, y: -y.abs()) == 0).all())
