"""Statistics that are fixed over a shot, wherever networks and transports measure a photo."""

from functools import partial

import pytest
import torch
from torch import nn

from impasto.alignment.adain import adain
from impasto.api.resolve import StyleResolver
from impasto.api.stylize import paint
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.base import Frame
from impasto.nn.blocks import ConvNorm, InstanceNorm
from impasto.nn.fast import instance_norm
from impasto.nn.norm_statistics import StatisticsStore, sharing


def test_norms_get_the_store_inside_the_context_only():
    network, store = nn.Sequential(ConvNorm(3, 4, 3), InstanceNorm(4)), StatisticsStore()
    norms = [part for part in network.modules() if isinstance(part, InstanceNorm)]
    with pytest.raises(RuntimeError), store.frame(), sharing(network, store):  # noqa: PT012
        network(torch.rand(1, 3, 8, 8))
        raise RuntimeError
    with store.frame(), sharing(network, store):
        network(torch.rand(1, 3, 8, 8))
    assert [norm.settle for norm in norms] == [None, None]
    assert sorted(store.state()) == ["0.1.0.0", "0.1.0.1", "1.0.0", "1.0.1"]
    with sharing(network, None):
        assert [norm.settle for norm in norms] == [None, None]


def test_the_first_frame_is_as_it_is_alone_and_fixes_the_others():
    one, other = torch.rand(1, 16, 9, 9), 3 * torch.rand(1, 16, 9, 9) + 2
    weight, bias = torch.rand(16), torch.rand(16)
    steady = StatisticsStore(drift=0.0)
    with steady.frame():
        first = instance_norm(one, weight, bias, settle=partial(steady.settle, "norm"))
    with steady.frame():
        second = instance_norm(other, weight, bias, settle=partial(steady.settle, "norm"))
    torch.testing.assert_close(first, instance_norm(one, weight, bias), rtol=1e-4, atol=1e-5)
    mean, std = one.mean((2, 3), keepdim=True), one.var((2, 3), keepdim=True, correction=0).sqrt()
    wanted = (other - mean) / std * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)
    torch.testing.assert_close(second, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_statistics_that_are_kept_are_those_of_the_population(kind, layout):
    x = (torch.rand(2, 5, 3, 4) + 1).to(kind).contiguous(memory_format=layout)
    kept = []

    def settle(*own):
        kept.extend(own)
        return own

    instance_norm(x, torch.ones(5), torch.zeros(5), settle=settle)
    wanted = x.double().mean((2, 3)), x.double().var((2, 3), correction=0)
    for one, other in zip(kept, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-6)


def test_a_shot_that_drifts_all_the_way_has_each_frames_own():
    loose, frames = StatisticsStore(drift=1.0), torch.rand(3, 1, 8, 7, 7)
    for frame in frames:
        with loose.frame():
            settle = partial(loose.settle, "adain")
            found = adain(frame, torch.zeros(1, 8), torch.ones(1, 8), settle=settle)
        torch.testing.assert_close(found, adain(frame, torch.zeros(1, 8), torch.ones(1, 8)))


def test_a_frame_that_breaks_off_leaves_no_trace():
    steady = StatisticsStore(drift=0.5)
    with steady.frame():
        steady.settle("mean", torch.zeros(2))
    with pytest.raises(RuntimeError), steady.frame():  # noqa: PT012
        steady.settle("mean", torch.ones(2))
        raise RuntimeError
    assert float(steady.state()["mean.0.0"].sum()) == 0


def test_a_state_goes_on_where_it_was():
    whole, halves = StatisticsStore(drift=0.3), StatisticsStore(drift=0.3)
    rows = torch.rand(6, 4)
    for index, row in enumerate(rows):
        if index == 3:
            state, halves = halves.state(), StatisticsStore(drift=0.3)
            halves.restore(state)
        for one in (whole, halves):
            with one.frame():
                found = one.settle("norm", row, 2 * row)
    assert torch.equal(whole.state()["norm.0.1"], halves.state()["norm.0.1"])
    torch.testing.assert_close(found[1], 2 * found[0])


def test_statistics_of_another_shape_start_anew():
    steady = StatisticsStore(drift=0.0)
    for size in (2, 3):
        with steady.frame():
            (found,) = steady.settle("mean", torch.full((size,), float(size)))
    assert found.tolist() == [3, 3, 3]


def test_each_pass_of_a_frame_has_its_own_statistics():
    steady = StatisticsStore(drift=0.0)
    for shift in (0.0, 10.0):
        with steady.frame():
            found = [steady.settle("mean", torch.tensor(one + shift))[0] for one in (1.0, 2.0)]
    assert [float(one) for one in found] == [1, 2]


@pytest.mark.parametrize("drift", [-0.1, 1.1])
def test_a_drift_is_a_share(drift):
    with pytest.raises(InputError, match="drift"):
        StatisticsStore(drift)


@pytest.mark.parametrize(
    ("style", "method"),
    [
        ("joyfulness-lite", None),
        ("starry-night", None),
        ("olive-trees", None),
        ("sample:swirls", "adain"),
        pytest.param("sample:swirls", "wct", marks=pytest.mark.slow),
        ("sample:swirls", "style-prediction"),
        ("sample:swirls", "meta-network"),
    ],
)
def test_what_enters_a_picture_does_not_change_the_rest(style, method):
    # a white thing comes in on the right: far from it, the painting stays nearer to what it was
    brushes = StyleResolver(method, precision="float32")(style)
    torch.manual_seed(0)
    photo = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 12), (64, 128), mode="bicubic")
    photo = (0.5 * photo).clamp(0, 1)
    later = photo.clone()
    later[..., 80:] = 1.0
    apart = {}
    for kind in ("steady", "alone"):
        together, painted = StatisticsStore(drift=0.0), []
        for frame in (photo, later):
            if kind == "alone":
                painted.append(paint(Image(frame), brushes).rgb)
                continue
            with together.frame():
                painted.append(paint(Image(frame), brushes, frame=Frame(together)).rgb)
        apart[kind] = float((painted[0] - painted[1])[..., :32].abs().mean())
    assert apart["steady"] < 0.6 * apart["alone"]


def test_strips_have_the_statistics_of_the_shot_as_the_whole_has():
    photos = torch.rand(2, 1, 3, 64, 96) * torch.tensor([0.5, 1.0]).view(2, 1, 1, 1, 1)
    painted = []
    for memory in (None, 1):
        brushes = StyleResolver(None, precision="float32", memory=memory)("joyfulness-lite")
        together = StatisticsStore(drift=0.1)
        for photo in photos:
            with together.frame():
                last = paint(Image(photo), brushes, frame=Frame(together)).rgb
        painted.append(last)
    torch.testing.assert_close(painted[0], painted[1], rtol=0, atol=2e-3)


@pytest.mark.slow
def test_an_optimisation_begins_where_the_frame_before_ended():
    settings = {"style_layers": "relu1_1", "style_weights": "1e3", "levels": 2, "steps": 8}
    settings |= {"coarse_steps": 8}
    brushes = StyleResolver("gatys", precision="float32", settings=settings)("sample:swirls")
    photo, losses = torch.rand(1, 3, 40, 40), {}

    def painted(name, start):
        found = losses.setdefault(name, [])
        listen = lambda progress: found.append(progress.losses["total"])  # noqa: E731
        frame = Frame(StatisticsStore(), start)
        return paint(Image(photo), brushes, callback=listen, frame=frame).rgb

    before = painted("alone", None)
    painted("on", before)
    assert losses["on"][0] < 0.5 * losses["alone"][0]
    assert len(losses["on"]) == 8
