"""Upsampling, and the notch filter after it."""

from __future__ import annotations

import math

import pytest
import torch

from impasto.api.load import load_model
from impasto.nn import tiled_inference
from impasto.nn.blocks import convolution
from impasto.nn.cin import ConditionalNet
from impasto.nn.johnson import TransformNet
from impasto.nn.upsampling import INTERPOLATIONS, notch, upsample2x, upsampled_convolution


@pytest.mark.parametrize(("period", "left"), [(2, 0.0), (4, 7 / 8), (8, 0.9969)])
@pytest.mark.parametrize("axis", [-1, -2])
def test_the_notch_removes_a_period_of_two_pixels(period: int, left: float, axis: int) -> None:
    wave = torch.cos(2 * math.pi * torch.arange(32.0) / period)
    image = wave.expand(1, 3, 32, 32) if axis == -1 else wave[:, None].expand(1, 3, 32, 32)
    passed = notch(image, "bilinear")[..., 8:24, 8:24]
    assert passed.allclose(left * image[..., 8:24, 8:24], atol=1e-3)


def test_plain_areas_pass_the_notch() -> None:
    plain = torch.full((2, 3, 8, 12), 0.3)
    assert notch(plain, "bilinear").allclose(plain, atol=1e-6)


@pytest.mark.parametrize("upsampling", ["nearest", "nearest-bilinear", "transposed"])
def test_other_upsamplings_have_no_notch(upsampling: str) -> None:
    image = torch.rand(1, 3, 8, 8)
    assert notch(image, upsampling) is image


@pytest.mark.parametrize("kind", ["johnson", "cin"])
def test_networks_that_interpolate_bilinearly_end_with_the_notch(kind: str) -> None:
    torch.manual_seed(0)
    photo = torch.rand(1, 3, 48, 48)
    net: TransformNet | ConditionalNet
    if kind == "johnson":
        net, inputs = TransformNet(4, 1, upsampling="bilinear"), (photo,)
    else:
        net, inputs = ConditionalNet(1, 4, 1, upsampling="bilinear"), (photo, torch.ones(1, 1))
    with torch.no_grad():
        passed = net(*inputs)
        net.upsampling = "none"  # the layers keep their own
        plain = net(*inputs)
    assert not passed.allclose(plain, atol=1e-3)
    assert passed.allclose(notch(plain, "bilinear"), atol=1e-6)


def test_the_notch_keeps_float32_where_networks_compute_in_bfloat16() -> None:
    image = torch.rand(1, 3, 40, 16)
    exact = notch(image, "bilinear")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(notch(image, "bilinear"), exact)
    strips = tiled_inference.run(lambda x: notch(x, "bilinear"), image, dtype=torch.bfloat16)
    assert torch.allclose(strips, exact, atol=1e-6)


@pytest.mark.parametrize("upsampling", INTERPOLATIONS)
@pytest.mark.parametrize("training", [False, True])
def test_upsampling_within_a_convolution_equals_both(upsampling: str, training: bool) -> None:
    torch.manual_seed(0)
    layer = convolution(8, 6, 3)
    x = torch.randn(2, 8, 10, 12).bfloat16()
    with torch.no_grad():
        expected = layer(upsample2x(x.float(), upsampling, training=training))
        with torch.autocast("cpu", torch.bfloat16):
            found = upsampled_convolution(layer, x, upsampling, training=training)
        exact = upsampled_convolution(layer, x.float(), upsampling, training=training)
    assert found.shape == expected.shape
    assert found.dtype is torch.bfloat16
    assert torch.equal(exact, expected)
    unit = 2**-8  # of bfloat16: weights, interpolated weights and the sum are rounded to it
    size = float(expected.abs().max())
    assert float((found - expected).abs().max()) < 4 * unit * size


@pytest.mark.parametrize("upsampling", INTERPOLATIONS)
def test_a_constant_map_stays_constant_in_bfloat16(upsampling: str) -> None:
    torch.manual_seed(0)
    layer = convolution(32, 16, 3)
    x = torch.randn(1, 32, 1, 1).expand(1, 32, 12, 12)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = upsampled_convolution(layer, x.bfloat16(), upsampling)
    assert torch.equal(found, found[..., :1, :1].expand_as(found))


@pytest.mark.parametrize("level", [0.0, 0.5, 0.8])
def test_a_uniform_frame_stays_uniform_in_bfloat16(level: float) -> None:
    network = load_model("starry-night", device="cpu", precision="bfloat16")
    painted = network.run(torch.full((1, 3, 48, 64), level))
    assert float((painted - painted[..., :1, :1]).abs().max()) < 1 / 255
