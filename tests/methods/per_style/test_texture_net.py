"""Texture Networks as a method: what it learns, draws, saves, and refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from impasto.core.device import Runtime
from impasto.errors import InputError, WeightsError
from impasto.image import samples
from impasto.methods import config as method_config
from impasto.methods.per_style.texture_net import (
    TextureNet,
    TextureNetConfig,
    TextureNetTask,
    entropy,
)
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import checkpoint as model_files
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch

CPU = Runtime(torch.device("cpu"), torch.float32)
BFLOAT16 = Runtime(torch.device("cpu"), torch.bfloat16)
SMALL = TextureNetConfig(
    size=64, style_size=128, scales=4, style_layers=("relu1_1", "relu2_1", "relu3_1")
)
PAINTER = TextureNetConfig(kind="stylize", scales=3, style_size=64, content_layer="relu3_1")
PLAN = Plan(
    steps=15, batch=2, learning_rate=5e-3, beta2=0.99, warmup=3, clip=1.0, report_every=3, workers=0
)


@pytest.fixture(scope="module")
def gravel():
    """A sample of 128 pixels."""
    return samples.load("gravel").resized(128, 128).rgb


def fresh(config=SMALL, seed=0, runtime=CPU):
    torch.manual_seed(seed)
    return TextureNet(config, runtime)


def trained(sample, config, plan=PLAN):
    torch.manual_seed(0)
    return train(TextureNet.task(config, [sample], CPU), plan, runtime=CPU)


def test_abilities():
    able = Ability.SYNTHESIZE | Ability.STYLIZE | Ability.TRAIN
    assert get("texture-net", able).build is TextureNet


def test_presets():
    paper = method_config.preset(TextureNetConfig, "paper")
    assert (paper.kind, paper.depth, paper.norm, paper.leak) == ("texture", 5, "batch", 0.01)
    assert paper.style_layers[-1] == "relu5_1"
    assert not paper.relative
    assert paper.style_side == "long"
    authors = method_config.preset(TextureNetConfig, "authors")
    assert (authors.kind, authors.depth, authors.norm, authors.noise) == (
        "stylize",
        6,
        "instance",
        0,
    )
    assert TextureNetConfig(kind="stylize").depth == 6
    assert TextureNetConfig(kind="stylize", scales=2).depth == 2


@pytest.mark.parametrize("name", ["default", "paper", "authors"])
def test_presets_build(name):
    net = TextureNet.network(method_config.preset(TextureNetConfig, name))
    inputs = net.branches[0][0].in_channels
    assert (net.scales, inputs) == ((6, 3) if name == "authors" else (5, 3))
    assert net.last.out_channels == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "paint"}, "unknown kind 'paint': choose texture, stylize"),
        ({"noise": 0}, "noise is 0: it must be 1 or more"),
        ({"kind": "stylize", "noise": -1}, "noise is -1: it must be 0 or more"),
        ({"scales": 0}, "scales is 0"),
        ({"size": 100}, "size is 100: with 5 scales it must be a multiple of 16"),
        ({"size": 0}, "multiple of 16"),
        ({"diversity": -1.0}, "diversity is -1.0: it must be 0 or more"),
        ({"kind": "stylize", "diversity": 1.0}, "diversity is asked of textures"),
    ],
)
def test_refused_configs(settings, said):
    with pytest.raises(InputError, match=said):
        TextureNetConfig(**settings)


@pytest.mark.parametrize("size", [(64, 64), (33, 50), (1, 7), (16, 17)])
def test_any_size(size):
    net = fresh()
    texture = net.synthesize(net.own_style(), *size)
    assert texture.shape == (1, 3, *size)
    assert texture.dtype is torch.float32
    assert 0 <= texture.min() <= texture.max() <= 1


def test_other_sizes_are_cut_out_of_the_next_larger():
    net = fresh()
    style = net.own_style()
    whole = net.synthesize(style, 48, 64, seed=5)
    assert torch.equal(net.synthesize(style, 41, 57, seed=5), whole[..., :41, :57])


def test_one_seed_one_picture_two_seeds_two():
    net = fresh()
    style = net.own_style()
    first = net.synthesize(style, 32, 32, seed=1)
    torch.manual_seed(99)  # the global generator has no say
    assert torch.equal(first, net.synthesize(style, 32, 32, seed=1))
    assert (first - net.synthesize(style, 32, 32, seed=2)).abs().max() > 0.01


def test_textures_tile():
    """A picture that wraps has joints like any other line: its neighbours differ no more there."""
    net = fresh()
    picture = net.synthesize(net.own_style(), 64, 64)
    for axis in (2, 3):
        steps = (picture - picture.roll(-1, axis)).abs().mean((0, 1, 5 - axis))
        assert steps[-1] <= steps[:-1].max()


def test_bfloat16_is_near_float32():
    full = fresh()
    half = fresh(runtime=BFLOAT16)
    pictures = [net.synthesize(net.own_style(), 32, 32) for net in (full, half)]
    assert pictures[1].dtype is torch.float32
    assert (pictures[0] - pictures[1]).abs().mean() < 0.01


@pytest.mark.parametrize("noise", [0, 3])
@pytest.mark.parametrize("size", [(40, 56), (19, 7)])
def test_stylize_any_size(noise, size):
    net = fresh(dataclasses.replace(PAINTER, noise=noise))
    photo = torch.rand(1, 3, *size)
    painted = [net.stylize(photo, net.own_style(), seed=seed) for seed in (0, 0, 1)]
    assert painted[0].shape == photo.shape
    assert torch.equal(painted[0], painted[1])
    assert torch.equal(painted[0], painted[2]) == (noise == 0)


def test_photos_bring_their_content(photo):
    net = fresh(dataclasses.replace(PAINTER, noise=0))
    style = net.own_style()
    first = net.stylize(photo(32, 32), style)
    assert (first - net.stylize(photo(32, 32, "coffee"), style)).abs().max() > 0.01


def test_one_pass_is_reported():
    told = []
    net = fresh()
    net.synthesize(net.own_style(), 32, 32, callback=told.append)
    assert [(one.step, one.total) for one in told] == [(1, 1)]


def test_kind_of_models():
    assert fresh().kind == "texture"
    assert fresh(PAINTER).kind == "style"


def test_entropy_is_that_of_numpy():
    pictures = torch.rand(5, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    x = pictures.numpy().astype(np.float64).reshape(5, -1)
    logs = []
    for i in range(5):
        near = min(np.sqrt(np.mean((x[i] - x[j]) ** 2)) for j in range(5) if j != i)
        logs.append(np.log(near))
    assert entropy(pictures).item() == pytest.approx(np.mean(logs), rel=1e-5)


def test_entropy_of_scaled_pictures_rises_by_the_logarithm():
    pictures = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    assert (entropy(3 * pictures) - entropy(pictures)).item() == pytest.approx(np.log(3), rel=1e-4)


def test_entropy_of_one_picture_twice():
    same = torch.rand(1, 3, 4, 4).repeat(2, 1, 1, 1).requires_grad_()
    value = entropy(same)
    value.backward()
    assert value.isfinite()
    assert same.grad.isfinite().all()


def test_entropy_pushes_neighbours_apart():
    pictures = torch.zeros(2, 3, 2, 2)
    pictures[1] += 0.1
    pictures.requires_grad_()
    entropy(pictures).backward()
    assert (pictures.grad[0] < 0).all()
    assert (pictures.grad[1] > 0).all()


@pytest.fixture(scope="module")
def result(gravel):
    return trained(gravel, SMALL)


def test_learns_a_texture(result):
    totals = result.losses["total"]
    assert result.finished
    assert result.pictures == 0
    assert totals[-1] < 0.3 * totals[0]


@pytest.mark.slow
def test_learns_with_batch_norm(gravel):
    v1 = dataclasses.replace(SMALL, norm="batch", leak=0.01)
    result = trained(gravel, v1)
    assert result.losses["total"][-1] < 0.3 * result.losses["total"][0]
    assert result.module.branches[0][1].running_mean.abs().max() > 0


@pytest.mark.slow
def test_diversity_moves_samples_apart(gravel, result):
    spread, apart = [], dataclasses.replace(SMALL, diversity=5.0)
    for config, made in ((SMALL, result), (apart, trained(gravel, apart))):
        assert ("diversity" in made.losses) == bool(config.diversity)
        net = TextureNet(config, CPU)
        net.module.load_state_dict(made.module.state_dict())
        drawn = [net.synthesize(net.own_style(), 64, 64, seed=seed) for seed in range(4)]
        spread.append(entropy(torch.cat(drawn)).item())
    assert spread[1] > spread[0] + 0.1


def test_total_is_the_sum_of_the_parts(gravel):
    task = TextureNet.task(dataclasses.replace(SMALL, diversity=2.0), [gravel], CPU)
    losses = task.loss(task.module, Batch(0, 2))
    assert losses["total"].item() == pytest.approx(
        losses["style"].item() + losses["diversity"].item()
    )


def test_one_style_loss_for_the_sample_itself(gravel):
    """Targets are the sample's: shown in the network's place, it has no loss."""
    task = TextureNet.task(SMALL, [gravel], CPU)
    losses = task.loss(lambda noise: gravel.expand(len(noise[0]), -1, -1, -1), Batch(0, 2))
    assert losses["total"].item() < 1e-8


def test_noise_of_a_step_is_that_of_torchs_generator(gravel):
    task = TextureNet.task(SMALL, [gravel], CPU)
    heard = []

    def listen(noise):
        heard.append(noise)
        return task.module(noise)

    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        task.loss(listen, Batch(0, 2))
    assert [one.shape[0] for one in heard[0]] == [2, 2, 2, 2]
    assert torch.equal(heard[0][-1], heard[1][-1])
    assert not torch.equal(heard[0][-1], heard[2][-1])


def test_sources():
    def sources(config):
        return TextureNetTask(config, torch.rand(1, 3, 64, 64), CPU).sources

    assert sources(SMALL) == ()
    assert sources(PAINTER) == ("content",)


def test_sample_of_a_texture_is_two_and_always_the_same(gravel):
    task = TextureNet.task(SMALL, [gravel], CPU)
    module = task.module.eval()
    with torch.no_grad():
        before = torch.get_rng_state()
        shown = task.sample(module)
        assert torch.equal(before, torch.get_rng_state())
        assert torch.equal(shown, task.sample(module))
    assert shown.shape == (1, 3, 64, 128)
    assert not torch.equal(shown[..., :64], shown[..., 64:])


def test_stylization_task_pads_its_photos(gravel, photo):
    task = TextureNet.task(PAINTER, [gravel], CPU)
    assert task.sample(task.module) is None
    losses = task.loss(task.module, Batch(0, 1, {"content": photo(50, 49)}))
    assert set(losses) == {"total", "content", "style"}
    losses["total"].backward()
    with torch.no_grad():
        assert task.sample(task.module).shape == (1, 3, 52, 104)


@pytest.mark.slow
def test_learns_to_stylize(gravel, photo):
    torch.manual_seed(0)
    task = TextureNet.task(PAINTER, [gravel], CPU)
    batch = Batch(0, 1, {"content": photo(64, 64)})
    adam = torch.optim.Adam(task.module.parameters(), lr=5e-3)
    totals = []
    for _ in range(12):
        losses = task.loss(task.module, batch)
        totals.append(losses["total"].item())
        adam.zero_grad()
        losses["total"].backward()
        adam.step()
    assert min(totals[-3:]) < 0.6 * totals[0]


def test_one_style_only():
    with pytest.raises(InputError, match="learns one style, not 2: give one `style`"):
        TextureNet.task(SMALL, [torch.rand(1, 3, 64, 64)] * 2, CPU)


def test_diversity_wants_company(gravel):
    task = TextureNet.task(dataclasses.replace(SMALL, diversity=1.0), [gravel], CPU)
    with pytest.raises(InputError, match="set batch to 2 or more"):
        task.loss(task.module, Batch(0, 1))


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_saved_and_opened(tmp_path, norm):
    net = fresh(dataclasses.replace(SMALL, norm=norm))
    if norm == "batch":
        net.module.branches[0][1].running_mean.uniform_()
    file = tmp_path / "gravel.safetensors"
    model_files.save(net.model(net.module, ["gravel"], {"steps": 0}), file, bits=32)
    opened = TextureNet.open(model_files.load(file), CPU)
    assert opened.config == net.config
    assert opened.styles == ("gravel",)
    style = net.own_style()
    assert torch.equal(opened.synthesize(style, 32, 32), net.synthesize(style, 32, 32))


def test_saved_as_half(tmp_path):
    net = fresh()
    model_files.save(net.model(net.module, ["gravel"], {}), tmp_path / "half.safetensors")
    opened = TextureNet.open(model_files.load(tmp_path / "half.safetensors"), CPU)
    gap = opened.synthesize(net.own_style(), 32, 32) - net.synthesize(net.own_style(), 32, 32)
    assert gap.abs().max() < 0.01


def test_models_that_do_not_fit():
    net = fresh()
    whole = net.model(net.module, [], {})
    with pytest.raises(WeightsError, match="does not fit"):
        TextureNet.open(dataclasses.replace(whole, config={**whole.config, "scales": 3}), CPU)
    with pytest.raises(WeightsError, match="a model of johnson"):
        TextureNet.open(dataclasses.replace(whole, method="johnson"), CPU)


def test_each_kind_says_what_it_is_not():
    texture, painter = fresh(), fresh(PAINTER)
    with pytest.raises(InputError, match="makes textures: train one with kind=stylize"):
        texture.stylize(torch.rand(1, 3, 32, 32), texture.own_style())
    with pytest.raises(InputError, match="stylizes photos: train one with kind=texture"):
        painter.synthesize(painter.own_style(), 32, 32)
    with pytest.raises(InputError, match="encoded by gatys"):
        texture.synthesize(Style("gatys", (Part({}),)), 32, 32)
    with pytest.raises(InputError, match="0x32"):
        texture.synthesize(texture.own_style(), 32, 0)
