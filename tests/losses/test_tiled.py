"""Losses and gradients gathered over tiles: those of the whole picture."""

import pytest
import torch

from impasto.losses.objective import Objective
from impasto.losses.terms import parse
from impasto.losses.tiled import TiledObjective
from impasto.nn.tiling import reach
from impasto.nn.vgg import Encoder

pytestmark = pytest.mark.slow  # large images are encoded

LAYERS = {"relu1_1": 1.0, "pool1": 0.5, "relu2_1": 0.25, "conv3_1": 0.1}


@pytest.fixture
def picture(photo):
    return photo(59, 83)  # no multiple of a tile, nor of a pooling


def asked(kind, content, style, losses, region=None, reduction="mean", **options):
    mask = torch.zeros(1, 1, *content.shape[-2:])
    mask[..., 20:80] = torch.linspace(0.2, 1, 60)
    return (
        kind(options.pop("encoder"), [mask], **options)
        .add_style(style, parse(losses), LAYERS, weight=7.0, region=region)
        .balance(content * 0.5)
        .add_content(content, {"relu2_2": 2.0, "conv1_2": 0.5}, reduction=reduction, relative=True)
        .add_smoothness(1e-3, kind="anisotropic")
    )


def found(objective, image):
    image = image.clone().requires_grad_()
    losses = objective(image)
    (gradient,) = torch.autograd.grad(3 * losses["total"], image)
    return losses, gradient


@pytest.mark.parametrize(
    ("losses", "region", "reduction"),
    [
        ("gram", None, "mean"),
        ("gram", 0, "half_sum"),
        ("moments", 0, "mean"),
        ("linear", None, "sum"),
        ("polynomial(offset=1)", 0, "mean"),
        ("0.5 gram + 2 moments@relu1_2", None, "half_sum"),
    ],
)
def test_tiles_find_what_the_whole_finds(encoder, picture, photo, losses, region, reduction):
    style = photo(64, 48, "chelsea", 90, 120)
    arguments = (picture, style, losses, region, reduction)
    whole = asked(Objective, *arguments, encoder=encoder)
    tiled = asked(TiledObjective, *arguments, encoder=encoder, side=32)
    image = picture * 0.7 + 0.1
    one, gradient = found(whole, image)
    other, by_tiles = found(tiled, image)
    assert list(other) == list(one)
    for name, value in one.items():
        torch.testing.assert_close(other[name].to(value.dtype), value, rtol=1e-4, atol=0)
    assert float((by_tiles - gradient).norm() / gradient.norm()) < 1e-4
    assert tiled.tile == 32


@pytest.mark.parametrize(
    ("pooling", "padding"), [("max", "reflect"), ("average", "zeros"), ("l2", "replicate")]
)
def test_with_every_pooling_and_padding(picture, pooling, padding):
    encoder = Encoder(pooling=pooling, padding=padding, depth="conv3_1")
    (_, gradient), (_, by_tiles) = (
        found(asked(kind, picture, picture.flip(3), "gram", encoder=encoder, **options), picture)
        for kind, options in ((Objective, {}), (TiledObjective, {"side": 48}))
    )
    assert float((by_tiles - gradient).norm() / gradient.norm()) < 1e-4


def test_the_encoder_never_sees_more_than_a_tile_and_its_halo(encoder, picture):
    seen = []
    handle = encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-2:]))
    objective = asked(TiledObjective, picture, picture.flip(3), "gram", encoder=encoder, side=32)
    found(objective, picture)
    handle.remove()
    halo = -(-reach("conv3_1") // 4) * 4
    assert max(max(shape) for shape in seen) == 32 + 2 * halo
    assert len(seen) == 5 * 2 * 3  # six tiles: targets, balance, content, two of a step


def test_a_loss_that_is_no_sum_sees_the_picture_whole(encoder, picture):
    objective = asked(
        TiledObjective, picture, picture.flip(3), "gram + 0.1 gaussian", encoder=encoder, side=32
    )
    seen = []
    handle = encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-2:]))
    objective(picture)
    handle.remove()
    assert seen == [picture.shape[-2:]]
    assert objective.tile is None


def test_without_a_gradient_there_is_one_pass(encoder, picture):
    objective = asked(TiledObjective, picture, picture.flip(3), "gram", encoder=encoder, side=64)
    seen = []
    handle = encoder.register_forward_pre_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        objective(picture)
    handle.remove()
    assert len(seen) == 2  # tiles


def test_bfloat16_is_as_near_as_its_digits(picture):
    encoder = Encoder(depth="relu3_1").to(torch.bfloat16)
    (_, gradient), (_, by_tiles) = (
        found(asked(kind, picture, picture.flip(3), "gram", encoder=encoder, **options), picture)
        for kind, options in ((Objective, {}), (TiledObjective, {"side": 48}))
    )
    assert float((by_tiles - gradient).norm() / gradient.norm()) < 0.05
