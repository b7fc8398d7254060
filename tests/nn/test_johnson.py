"""Johnson's network: the table of the paper, sizes, ranges."""

import pytest
import torch
from torch import nn

from helpers import pictures
from impasto.errors import InputError
from impasto.nn.blocks import Residual
from impasto.nn.johnson import CAFFE_MEAN, OUTPUTS, TransformNet, squash
from impasto.nn.upsampling import UPSAMPLINGS
from rounding import products, rounding


def small(**options):
    torch.manual_seed(0)
    return TransformNet(4, 2, **options).eval()


def convolutions(module):
    return [m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("unpadded", [True, False])
def test_it_has_the_papers_number_of_weights(unpadded, upsampling):
    module = TransformNet(unpadded=unpadded, upsampling=upsampling)
    count = sum(p.numel() for layer in convolutions(module) for p in layer.parameters())
    assert count == 1_676_035  # 1.68 million
    assert len(convolutions(module)) == 3 + 2 * 5 + 2 + 1
    assert sum(isinstance(part, Residual) for part in module.modules()) == 5


@torch.no_grad()
def test_the_sizes_are_those_of_the_papers_table():
    module = TransformNet(4, norm="batch", upsampling="transposed", unpadded=True).eval()
    sides = []
    for part in (*module.encoder, *module.residual, *module.decoder, module.last):
        part.register_forward_hook(lambda *call: sides.append(tuple(call[2].shape[1:])))
    found = module(pictures(1, 3, 256, 256))
    channels = [4, 8, 16, *[16] * 5, 8, 4, 3]
    rows = [336, 168, 84, 80, 76, 72, 68, 64, 128, 256, 256]
    assert sides == [(c, s, s) for c, s in zip(channels, rows, strict=True)]
    assert found.shape == (1, 3, 256, 256)


def test_the_border_grows_with_the_blocks():
    assert TransformNet(4, 5, unpadded=True).border == 40
    assert TransformNet(4, 0, unpadded=True).border == TransformNet(4, 5).border == 0


@torch.no_grad()
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("unpadded", [True, False])
def test_multiples_of_four_keep_their_size(unpadded, upsampling):
    module = small(unpadded=unpadded, upsampling=upsampling)
    for height, width in ((16, 20), (36, 16), (64, 64)):
        assert module(pictures(1, 3, height, width)).shape == (1, 3, height, width)


@torch.no_grad()
def test_a_picture_smaller_than_the_border_is_painted_too():
    module = TransformNet(4, 5, unpadded=True).eval()
    for height, width in ((16, 16), (16, 80), (40, 40), (44, 40)):
        found = module(pictures(1, 3, height, width))
        assert found.shape == (1, 3, height, width)
        assert found.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_the_colours_lie_between_black_and_white(norm):
    module = small(norm=norm)
    nn.init.normal_(module.last.weight, std=3)
    found = module(pictures(2, 3, 32, 32))
    assert found.dtype is torch.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.max() - found.min() > 0.99


def test_the_authors_colours_reach_150_around_the_mean_photograph():
    ends = squash(torch.tensor([-100.0, 0.0, 100.0]).view(3, 1, 1, 1).expand(3, 3, 1, 1), "tanh150")
    mean = torch.tensor(CAFFE_MEAN)
    expected = torch.stack([mean - 150, mean, mean + 150]) / 255
    torch.testing.assert_close(ends.flatten(1), expected)
    assert ends.min() < 0
    assert ends.max() > 1
    papers = squash(torch.tensor([-100.0, 0.0, 100.0]), "tanh")
    assert torch.equal(papers, torch.tensor([0.0, 0.5, 1.0]))


@torch.no_grad()
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_fresh_network_paints_nearly_plain_grey(output):
    found = small(output=output)(pictures(1, 3, 64, 64))
    assert 0.35 < found.mean() < 0.65
    assert found.std((2, 3)).max() < 0.2


@torch.no_grad()
@pytest.mark.parametrize("unpadded", [True, False])
def test_pictures_of_a_batch_do_not_mix_with_instance_norm(unpadded):
    module = small(unpadded=unpadded)
    batch = pictures(2, 3, 32, 24)
    batch[1] *= 0.2
    each = torch.cat([module(batch[:1]), module(batch[1:])])
    near = rounding(each, products(module))
    torch.testing.assert_close(module(batch), each, **near)
    torch.testing.assert_close(module.train()(batch), each, **near)


@torch.no_grad()
def test_batch_norm_mixes_them_in_training_only():
    module = small(norm="batch")
    batch = pictures(2, 3, 32, 24)
    batch[1] *= 0.2
    alone = module(batch[:1])
    torch.testing.assert_close(module(batch)[:1], alone, **rounding(alone, products(module)))
    module.train()
    assert (module(batch)[:1] - module(batch[:1])).abs().max() > 1e-3


@torch.no_grad()
def test_bfloat16_paints_the_same_picture():
    module, x = small(), pictures(1, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, module(x), rtol=0, atol=0.05)


@torch.no_grad()
def test_what_goes_in_is_left_as_it_was():
    x = pictures(1, 3, 16, 16)
    before = x.clone()
    small()(x)
    small(unpadded=True)(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_every_weight_gets_a_gradient(upsampling, norm):
    module = small(upsampling=upsampling, norm=norm).train()
    module(pictures(2, 3, 32, 32)).square().mean().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert module.encoder[0][0].weight.grad.abs().max() > 0


def test_unknown_options_are_refused():
    for option in ("output", "norm", "upsampling", "padding"):
        with pytest.raises(InputError, match=f"unknown {option} 'other': choose "):
            TransformNet(4, 1, **{option: "other"})
