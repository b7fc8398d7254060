"""What all trained networks share: any size, batches, and models that fit or do not."""

import dataclasses

import pytest
import torch
from torch import nn

from impasto.core.device import choose
from impasto.errors import InputError, WeightsError
from impasto.methods.network import NetworkMethod
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.models import checkpoint
from impasto.models.checkpoint import Model
from impasto.nn.sizes import pad_to, with_short_side
from rounding import products, rounding

FLOAT32 = choose("cpu", "float32")
SIZES = [(1, 1), (1, 50), (50, 1), (3, 2), (15, 16), (17, 33), (31, 64), (64, 31), (45, 127)]


class Same(NetworkMethod):
    """A network that gives back what it gets, and remembers how large that was."""

    name = "same"
    Config = dict

    class Module(nn.Module):
        def forward(self, x):
            self.size = tuple(x.shape)
            return x

    @classmethod
    def network(cls, config):
        return cls.Module()

    @classmethod
    def task(cls, config, styles, runtime):
        raise NotImplementedError


class Doubled(Same):
    """The same at twice the size, a little beyond black and white."""

    class Module(nn.Module):
        def forward(self, x):
            return nn.functional.interpolate(x, scale_factor=2) * 3 - 1


def small(**options):
    torch.manual_seed(0)
    return Johnson(JohnsonConfig(width=4, blocks=1, **options), FLOAT32)


def picture(*size, seed=0):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("multiple", [4, 32])
def test_padding_reaches_multiples_and_keeps_the_picture(multiple):
    for size in SIZES:
        x = picture(*size)
        found = pad_to(x, multiple)
        for side, given in zip(found.shape[-2:], size, strict=True):
            assert side % multiple == 0 or side == 16
            assert given <= side < max(given + multiple, 17)
        assert torch.equal(found[..., : size[0], : size[1]], x)
        assert found.min() >= x.min()
        assert found.max() <= x.max()


def test_padding_mirrors_where_there_is_something_to_mirror():
    x = picture(17, 30)
    found = pad_to(x, 4)
    assert found.shape[-2:] == (20, 32)
    assert torch.equal(found[..., 17:, :30], x[..., [15, 14, 13], :])
    assert torch.equal(found[..., :17, 30:], x[..., [28, 27]])


def test_padding_goes_on_where_there_is_nothing_to_mirror():
    x = picture(1, 2)
    assert torch.equal(pad_to(x, 4), x[..., [0] * 16, :][..., [0] + [1] * 15])


def test_a_picture_that_fits_is_not_copied():
    x = picture(16, 20)
    assert pad_to(x, 4) is x


@pytest.mark.parametrize(
    ("size", "short"), [((40, 30), 15), ((30, 41), 60), ((7, 7), 7), ((1, 9), 4)]
)
def test_the_short_side_is_what_was_asked_for(size, short):
    found = with_short_side(picture(*size), short)
    factor = short / min(size)
    assert found.shape[-2:] == tuple(round(side * factor) for side in size)
    assert min(found.shape[-2:]) == short
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("size", SIZES)
def test_any_size_goes_in_and_the_same_comes_out(size):
    x = picture(*size)
    method = Same({}, FLOAT32)
    assert torch.equal(method.run(x), x)
    assert all(side % 4 == 0 and side >= 16 for side in method.module.size[-2:])


@pytest.mark.parametrize(
    ("size", "unpadded"),
    [((1, 1), True), ((1, 50), False), ((3, 2), True), ((17, 33), False), ((45, 127), True)],
)
def test_a_real_network_takes_any_size(size, unpadded):
    found = small(unpadded=unpadded).run(picture(*size))
    assert found.shape == (1, 3, *size)
    assert found.dtype is torch.float32
    assert found.isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (32, 32)])
def test_batches(size):
    method = small()
    batch = torch.cat([picture(*size), picture(*size, seed=1), picture(*size, seed=2)])
    each = torch.cat([method.run(x[None]) for x in batch])
    found = method.run(batch)
    assert found.shape == each.shape
    if size != (1, 1):  # one colour has no variance: its norm divides rounding by sqrt(eps)
        torch.testing.assert_close(found, each, **rounding(each, products(method.module)))


def test_a_network_that_enlarges():
    x = picture(17, 5)
    found = Doubled({}, FLOAT32).run(x, factor=2)
    expected = (x.repeat_interleave(2, 2).repeat_interleave(2, 3) * 3 - 1).clamp(0, 1)
    assert found.shape == (1, 3, 34, 10)
    torch.testing.assert_close(found, expected)


def test_reduced_precision_paints_the_same_picture_in_float32():
    exact = small()
    coarse = Johnson(exact.config, choose("cpu", "bfloat16"))
    coarse.module.load_state_dict(exact.module.state_dict())
    found = coarse.run(picture(33, 20))
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, exact.run(picture(33, 20)), rtol=0, atol=0.05)


def test_running_learns_nothing_and_changes_nothing():
    method = small(norm="batch")
    before = {name: value.clone() for name, value in method.module.state_dict().items()}
    x = picture(20, 20)
    kept = x.clone()
    method.run(x)
    assert torch.equal(x, kept)
    assert not method.module.training
    for name, value in method.module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_model_round_trip_paints_the_identical_picture(tmp_path):
    method, path, x = small(), tmp_path / "small.safetensors", picture(30, 41)
    trained = method.model(method.module, ["wave"], {"steps": 1})
    checkpoint.save(trained, path, bits=32)
    opened = Johnson.open(checkpoint.load(path), FLOAT32)
    assert opened.config == method.config
    assert opened.styles == ("wave",)
    assert torch.equal(opened.run(x), method.run(x))
    checkpoint.save(trained, path)
    torch.testing.assert_close(
        Johnson.open(checkpoint.load(path), FLOAT32).run(x), method.run(x), rtol=0, atol=1 / 255
    )


def good(**changes):
    method = small()
    return dataclasses.replace(method.model(method.module, ["wave"], {}), **changes)


def test_a_model_of_another_method_is_refused():
    with pytest.raises(WeightsError, match="a model of adain, not of johnson"):
        Johnson.open(good(method="adain"), FLOAT32)


WRONG = {
    "another width": {"width": 8, "blocks": 1},
    "fewer blocks": {"width": 4, "blocks": 0},
    "more blocks": {"width": 4, "blocks": 30},
    "batch norm": {"width": 4, "blocks": 1, "norm": "batch"},
    "an unknown norm": {"width": 4, "blocks": 1, "norm": "layer"},
    "an unknown field": {"width": 4, "blocks": 1, "depth": 3},
    "a word for a number": {"width": "four", "blocks": 1},
    "half a channel": {"width": 4.5, "blocks": 1},
    "no channels": {"width": 0},
    "an empty table": {},
}


@pytest.mark.parametrize("config", WRONG.values(), ids=WRONG)
def test_a_model_that_does_not_fit_its_config_is_refused(config):
    with pytest.raises(WeightsError, match="does not fit this version") as error:
        Johnson.open(good(config=config), FLOAT32)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_weights_that_are_missing_or_too_many_are_refused():
    state = dict(good().state)
    name = next(iter(state))
    for wrong in ({**state, "other": state[name]}, {k: v for k, v in state.items() if k != name}):
        with pytest.raises(WeightsError, match="does not fit this version"):
            Johnson.open(good(state=wrong), FLOAT32)


def test_an_abstract_method_builds_nothing():
    with pytest.raises(TypeError, match="abstract"):
        NetworkMethod({}, FLOAT32)


def test_the_error_is_one_of_the_callers_input():
    with pytest.raises(InputError):
        Johnson.open(Model("johnson", {}, {}), FLOAT32)
