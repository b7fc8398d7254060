"""Predicted norms: the paper's count, embeddings, whose norms are predicted, starts."""

import pytest
import torch

from helpers import pictures
from impasto.errors import InputError
from impasto.nn.cin import ConditionalNet
from impasto.nn.johnson import TransformNet
from impasto.nn.regions import region_maps
from impasto.nn.style_prediction import PredictionNet, Predictor
from impasto.nn.superresolution import UpscaleNet
from rounding import products, rounding


def net(**options):
    """A small network whose styles differ visibly."""
    torch.manual_seed(0)
    module = PredictionNet(**{"inputs": 12, "embedding": 5, "width": 4, "blocks": 2, **options})
    torch.nn.init.normal_(module.predictor.head.weight)
    torch.nn.init.normal_(module.painter.gamma, 1.0, 0.5)
    return module.eval()


def test_the_papers_count():
    """2,758 numbers: scales and shifts of ten residual, two expanding and the last convolution."""
    module = PredictionNet()
    assert module.predicted == 10 * 128 + 64 + 32 + 3 == 1379
    assert module.predictor.head.out_features == 2758
    scale, shift = module.predictor(torch.zeros(3, 100))
    assert scale.shape == shift.shape == (3, 1379)
    assert module.predictor.embedding.weight.shape == (100, 1920)
    names = [name for name, _ in module.predictor.named_parameters()]
    assert names == ["embedding.weight", "embedding.bias", "head.weight"]


def test_the_contracting_part_has_norms_of_its_own():
    """Its first three convolutions have the same norms in every style, the others differ."""
    module = net()
    gamma, beta = module.norms(module.predictor.embed(pictures(2, 12)))
    own = sum(module.painter.channels[:3])
    for table, base in ((gamma, module.painter.gamma), (beta, module.painter.beta)):
        assert table.shape == (2, sum(module.painter.channels))
        assert torch.equal(table[:, :own], base[:, :own].expand(2, -1))
        assert (table[0, own:] != table[1, own:]).all()


def test_an_embedding_of_zeros_is_the_painters_own_style():
    module, x = net(), pictures(2, 3, 16, 20)
    gamma, beta = module.norms(torch.zeros(1, 5))
    assert torch.equal(gamma, module.painter.gamma)
    assert torch.equal(beta, module.painter.beta)
    torch.nn.init.zeros_(module.predictor.head.weight)
    found = module(x, pictures(2, 12), torch.eye(2))
    near = rounding(found, products(module.painter))
    torch.testing.assert_close(found, module.painter(x, torch.ones(2, 1)), **near)


def test_it_starts_near_the_painters_own_style():
    torch.manual_seed(0)
    module = PredictionNet(inputs=200)
    gamma, beta = module.norms(module.predictor.embed(pictures(4, 200)))
    assert 0.01 < (gamma - 1).std() < 0.1
    assert 0.01 < beta.std() < 0.1


def test_the_same_number_of_a_picture_alone_and_in_a_batch():
    module, x, seen = net(), pictures(3, 3, 16, 20), pictures(3, 12, seed=1)
    together = module(x, seen, torch.eye(3))
    for index in range(3):
        alone = module(x[index, None], seen[index, None], torch.ones(1, 1))
        near = rounding(alone, products(module))
        torch.testing.assert_close(together[index, None], alone, **near)
    assert not torch.allclose(module(x, seen.flip(0), torch.eye(3)), together, atol=1e-3)


def test_blends_are_linear_in_the_embedding():
    module, x, seen = net(), pictures(1, 3, 16, 20), pictures(2, 12, seed=1)
    embedded = module.predictor.embed(seen)
    weights = torch.tensor([[0.3, 0.7]])
    tables = module.norms(weights @ embedded)
    for blend, one, other in zip(tables, *(module.norms(e[None]) for e in embedded), strict=True):
        torch.testing.assert_close(blend, 0.3 * one + 0.7 * other)
    expected = module.painter.paint(x, torch.ones(1, 1), *tables)
    near = rounding(expected, products(module))
    torch.testing.assert_close(module(x, seen, weights), expected, **near)


def test_regions_have_embeddings_of_their_own():
    """Far from the border each half is its style alone; a region without a place changes nothing.

    The picture is wide, as twelve convolutions see far.
    """
    module, x, seen = net(), pictures(1, 3, 16, 256), pictures(2, 12, seed=1)
    left = torch.zeros(1, 1, 16, 256)
    left[..., :128] = 1
    both = module(x, seen, torch.eye(2), torch.cat([left, 1 - left], 1))
    first, second = (module(x, seen[i, None], torch.ones(1, 1)) for i in range(2))
    near = rounding(both, products(module))
    torch.testing.assert_close(both[..., :64], first[..., :64], **near)
    torch.testing.assert_close(both[..., 192:], second[..., 192:], **near)
    everywhere = torch.cat([torch.ones_like(left), torch.zeros_like(left)], 1)
    same = module(x, seen, torch.eye(2), everywhere)
    torch.testing.assert_close(same, first, **near)


def test_maps_of_regions():
    shares = torch.tensor([0.25, 0.75])
    first, second = torch.zeros(1, 1, 4, 6), torch.zeros(1, 1, 4, 6)
    first[..., :3], second[..., 2:5] = 1, 1
    maps = region_maps(shares, [first, second], (4, 6))
    assert maps.shape == (1, 2, 4, 6)
    torch.testing.assert_close(maps.sum(1), torch.ones(1, 4, 6))
    torch.testing.assert_close(maps[0, 0, 0], torch.tensor([1, 1, 0.25, 0, 0, 0.25]))
    assert region_maps(shares, [first, second], (8, 12)).shape == (1, 2, 8, 12)


def test_the_measures_make_statistics_alike():
    """Whatever their sizes are: centre 0, spreads of 1, and the same for statistics of any unit."""
    seen = (pictures(50, 12).double() * 2).exp() * torch.logspace(0, 1, 12).double()
    results = []
    for factor in (1.0, 1000.0):
        torch.manual_seed(0)
        predictor = Predictor(12, 12, 4)
        predictor.measure(factor * seen)
        predictor.embedding.weight.data = torch.eye(12)
        results.append(predictor.embed((factor * seen).float()) * 12**0.5)
    for normal in results:
        torch.testing.assert_close(normal.mean(0), torch.zeros(12), rtol=0, atol=1e-4)
        torch.testing.assert_close(normal.std(0), torch.ones(12), rtol=0, atol=1e-4)
    torch.testing.assert_close(*results, rtol=0, atol=1e-4)


def test_a_dead_channel_is_not_blown_up():
    seen = pictures(20, 12)
    seen[:, 3] = 0
    predictor = Predictor(12, 5, 4)
    predictor.measure(seen)
    assert predictor.unit[3] == pytest.approx(0.05 * float(seen.mean()))
    assert predictor.spread[3] > 0
    seen[:, 3] = 0.5
    assert predictor.embed(seen).isfinite().all()


def test_reduced_formats_leave_the_styles_alone():
    module, x, seen = net(), pictures(1, 3, 16, 20), pictures(1, 12)
    exact = []
    painted = module.painter.paint
    module.painter.paint = lambda *all: (exact.append(all[2:4]), painted(*all))[1]
    module(x, seen, torch.ones(1, 1))
    with torch.autocast("cpu", torch.bfloat16):
        module(x, seen, torch.ones(1, 1))
    for one, other in zip(*exact, strict=True):
        assert other.dtype is torch.float32
        assert torch.equal(one, other)


def test_everything_learns():
    module = net()
    module(pictures(2, 3, 16, 20), pictures(2, 12), torch.eye(2)).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in module.parameters())


def test_start_from_one_style_or_many():
    module, one, many = net(), TransformNet(4, 2), ConditionalNet(3, 4, 2)
    torch.nn.init.normal_(one.encoder[0][1].weight, 1.0, 0.5)
    module.initialize_from(one)
    assert torch.equal(module.painter.convolutions[-1].weight, one.last.weight)
    assert torch.equal(module.painter.gamma[0, :4], one.encoder[0][1].weight)
    torch.nn.init.normal_(many.gamma, 1.0, 0.5)
    before = module.predictor.head.weight.clone()
    module.initialize_from(many)
    assert torch.equal(module.painter.gamma, many.gamma.mean(0, keepdim=True))
    pairs = zip(module.painter.convolutions, many.convolutions, strict=True)
    assert all(torch.equal(a.weight, b.weight) for a, b in pairs)
    assert torch.equal(module.predictor.head.weight, before)


def test_what_it_cannot_start_from():
    for other in (TransformNet(8, 2), ConditionalNet(1, 4, 1), TransformNet(4, 2, norm="batch")):
        with pytest.raises(InputError, match="another shape"):
            net().initialize_from(other)
    with pytest.raises(InputError, match="only a network of johnson or cin"):
        net().initialize_from(UpscaleNet(2))
    with pytest.raises(InputError, match="embedding is 0"):
        net(embedding=0)
