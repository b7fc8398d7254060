"""The network that writes networks: its size, its slices, sums of styles, its units."""

import pytest
import torch
from torch.func import functional_call

from helpers import pictures
from impasto.nn.generated import GeneratedNet
from impasto.nn.meta_network import MetaNet


def net(moments=12, slice_width=6, **options):
    torch.manual_seed(0)
    return MetaNet(GeneratedNet(4, 1), moments, slice_width=slice_width, **options).eval()


def test_the_papers_sizes():
    """1,920 moments, 14 slices of 128; what is shipped is 17.5 million weights."""
    plain = MetaNet(GeneratedNet(8, affine=False), 1920)
    assert plain.hidden.weight.shape == (1792, 1920)
    assert len(plain.heads) == 14
    outputs = [head.out_features for head in plain.heads]
    assert outputs == [1152, 4608, *[9216] * 10, 8192, 2048]
    assert sum(outputs) + 2 * 3 * 8 * 81 == 112_048  # and the two that all styles share
    shipped = sum(value.numel() for value in MetaNet(GeneratedNet(8), 1920).state_dict().values())
    assert shipped == 17_503_947
    assert 2 * shipped < 36e6  # bytes in float16


def test_without_heads_every_painting_gets_the_base():
    module, x = net(), pictures(2, 3, 20, 24)
    for head in module.heads:
        torch.nn.init.zeros_(head.weight)
    torch.testing.assert_close(module(x, pictures(2, 12)), module.base(x), rtol=0, atol=1e-5)


def test_it_starts_near_the_base():
    """Every painting gets a sane network: each filter is about as long as He's."""
    module = net(slice_width=32)
    (weights,) = module.generate(module.embed(torch.randn(1, 12)))
    for name, base in module.base.named_parameters():
        if name in weights and base.ndim == 4:
            change = (weights[name] - base).std() / base.std()
            assert 0.05 < change < 0.5, name


def test_names_are_those_of_the_base():
    module = net()
    (weights,) = module.generate(module.embed(pictures(1, 12)))
    own = dict(module.base.named_parameters())
    shared = {"first.weight", "first.bias", "last.weight", "last.bias"}
    assert set(weights) == set(own) - shared
    assert all(value.shape == own[name].shape for name, value in weights.items())


def test_each_layer_reads_its_own_slice():
    module = net()
    hidden = module.embed(pictures(1, 12))
    (before,) = module.generate(hidden)
    changed = hidden.clone()
    changed[:, 6:12] += 1  # the second
    (after,) = module.generate(changed)
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {name for name in before if name.startswith("layers.1.")}


def test_photos_are_divided_among_the_paintings():
    module, x, moments = net(), pictures(4, 3, 20, 24), pictures(2, 12)
    found = module(x, moments)
    for row in range(2):
        alone = module(x[2 * row : 2 * row + 2], moments[row, None])
        torch.testing.assert_close(found[2 * row : 2 * row + 2], alone, rtol=0, atol=1e-5)
    assert not torch.allclose(module(x, moments.flip(0)), found, atol=1e-3)


@pytest.mark.parametrize("relu", [False, True])
def test_a_blend_is_the_sum_of_hidden_vectors_and_of_weights(relu):
    module, moments = net(relu=relu), pictures(2, 12)
    shares = torch.tensor([[0.3, 0.7]])
    each = module.embed(moments)
    torch.testing.assert_close(module.embed(moments, shares), shares @ each)
    (blend,) = module.generate(module.embed(moments, shares))
    first, second = module.generate(each)
    for name, value in blend.items():
        torch.testing.assert_close(value, 0.3 * first[name] + 0.7 * second[name])
    assert (each.min() >= 0) == relu


def test_the_network_of_a_style_stands_alone():
    module, x, moments = net(), pictures(1, 3, 20, 24), pictures(2, 12)
    shares = torch.tensor([[0.3, 0.7]])
    alone = module.network(moments, shares)
    assert torch.equal(alone(x), module(x, moments, shares))
    assert set(alone.state_dict()) == set(module.base.state_dict())
    (weights,) = module.generate(module.embed(moments, shares))
    assert torch.equal(functional_call(module.base, weights, (x,)), alone(x))


def test_moments_are_measured_in_deviations():
    module = net()
    seen = torch.randn(50, 12) * torch.tensor([1.0] * 6 + [100.0] * 6) + 7
    seen[:, 0] = 3.0  # the same in all
    module.standardize(seen, [6, 6])
    torch.testing.assert_close(module.center, seen.mean(0))
    torch.testing.assert_close(module.spread[1:], seen.std(0)[1:])
    assert module.spread[0] == pytest.approx(0.25 * float(seen.std(0)[:6].mean()))
    known = {"center", "spread"}
    assert known < set(module.state_dict())


def test_what_is_far_off_is_taken_to_be_less_far():
    module = net()
    far = module.embed(torch.full((1, 12), 1e6))
    assert torch.equal(far, module.embed(torch.full((1, 12), 3.0)))
    assert not torch.equal(far, module.embed(torch.full((1, 12), 2.0)))


def test_every_weight_learns():
    module = net()
    module(pictures(2, 3, 20, 24), pictures(2, 12)).square().mean().backward()
    assert all(weight.grad is not None for weight in module.parameters())


def test_the_weights_are_written_in_float32_under_autocast():
    module, moments = net(), pictures(2, 12)
    (exact,) = module.generate(module.embed(moments, torch.ones(1, 2) / 2))
    with torch.autocast("cpu", torch.bfloat16):
        (reduced,) = module.generate(module.embed(moments, torch.ones(1, 2) / 2))
    assert all(torch.equal(value, reduced[name]) for name, value in exact.items())
