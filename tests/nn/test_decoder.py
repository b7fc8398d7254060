"""The decoder: the mirror of the encoder, for each layer; and the units of what it reads."""

import pytest
import torch
from torch import nn

from impasto.errors import InputError
from impasto.nn.decoder import LAYERS, Decoder
from impasto.nn.fast import Convolution
from impasto.nn.scales import Scales
from impasto.nn.upsampling import Upsample2x
from impasto.nn.vgg import Encoder
from impasto.nn.vgg_layers import layer_names

FACTORS = dict(zip(LAYERS, (1, 2, 4, 8, 16), strict=True))


def convolutions(decoder):
    found = [part for part in decoder.modules() if isinstance(part, nn.Conv2d)]
    return [(part.in_channels, part.out_channels) for part in found]


def test_it_has_the_size_of_the_papers():
    count = sum(weight.numel() for weight in Decoder("relu4_1").parameters())
    assert count == 3_505_219  # 3.51 million
    assert convolutions(Decoder("relu4_1")) == [
        (512, 256),
        *[(256, 256)] * 3,
        (256, 128),
        (128, 128),
        (128, 64),
        (64, 64),
        (64, 3),
    ]


@pytest.mark.parametrize("layer", LAYERS)
def test_it_mirrors_the_encoder(layer):
    encoder = Encoder(depth=layer)
    mirrored = [(part.out_channels, part.in_channels) for part in encoder.convolutions.values()]
    decoder = Decoder(layer)
    assert convolutions(decoder) == mirrored[::-1]
    names = layer_names("vgg19")
    pools = sum("pool" in name for name in names[: names.index(layer)])
    assert sum(isinstance(part, Upsample2x) for part in decoder.modules()) == pools


@pytest.mark.parametrize("layer", LAYERS)
def test_pictures_come_out_at_full_size(layer):
    size = (2, 2) if layer == "relu5_1" else (3, 5)  # the least that can be mirrored, and more
    decoder = Decoder(layer)
    channels = convolutions(decoder)[0][0]
    with torch.no_grad():
        found = decoder(torch.rand(2, channels, *size))
    assert found.shape == (2, 3, *(side * FACTORS[layer] for side in size))
    assert found.dtype is torch.float32


def test_it_has_no_norms_and_ends_without_a_relu():
    parts = list(Decoder("relu2_1").body)
    assert {type(part) for part in parts} == {Convolution, nn.ReLU, Upsample2x}
    assert isinstance(parts[-1], nn.Conv2d)
    assert all(part.padding_mode == "reflect" for part in parts if isinstance(part, nn.Conv2d))


def test_it_is_initialised_for_relu():
    torch.manual_seed(0)
    decoder = Decoder("relu4_1")
    first = decoder.body[0]
    assert first.weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)
    assert not any(part.bias.any() for part in decoder.body if isinstance(part, nn.Conv2d))
    x = decoder(torch.randn(1, 512, 8, 8).relu())
    assert x.mean().item() == pytest.approx(0.5, abs=0.2)  # it begins near grey
    assert x.std() < 0.5


def test_unknown_layers_are_refused():
    with pytest.raises(InputError, match="no decoder from 'relu4_2': choose relu1_1"):
        Decoder("relu4_2")


@pytest.fixture(scope="module")
def pictures():
    random = torch.Generator().manual_seed(0)
    small = [torch.rand(1, 3, 6, 8, generator=random) for _ in range(3)]
    return [nn.functional.interpolate(x, (48, 64), mode="bicubic").clamp(0, 1) for x in small]


def test_in_its_units_the_mean_square_of_a_channel_is_one(pictures):
    layers = LAYERS[:3]
    scales = Scales(layers)
    scales.measure(Encoder(depth="relu3_1"), pictures)
    encoder = scales.applied_to(Encoder(depth="relu3_1"))
    found = [encoder(picture, layers) for picture in pictures]
    for layer in layers:
        squares = torch.stack([f[layer].square().mean((0, 2, 3)) for f in found]).mean(0)
        assert squares.max() < 1 + 1e-3
        # the others hardly ever fire, and keep to a quarter of the layer's mean
        assert (squares > 1 - 1e-3).float().mean() > 0.6
        scale = scales.get_buffer(layer)
        assert scale.min() > 0.2 * scale.mean()


def test_layers_between_stay_as_they_were(pictures):
    plain = Encoder(depth="relu3_2")
    scales = Scales(LAYERS[:3])
    scales.measure(plain, pictures)
    scaled = scales.applied_to(Encoder(depth="relu3_2"))
    layers = ["relu1_2", "relu2_2", "relu3_2"]
    for layer, found in scaled(pictures[0], layers).items():
        torch.testing.assert_close(found, plain(pictures[0], [layer])[layer], rtol=1e-3, atol=1e-2)


def test_the_weights_of_other_encoders_are_left_alone(pictures):
    before = Encoder(depth="relu2_1").convolutions["conv1_1"].weight.clone()
    scales = Scales(LAYERS[:1])
    scales.get_buffer("relu1_1").fill_(7.0)
    scales.applied_to(Encoder(depth="relu2_1"))
    assert torch.equal(Encoder(depth="relu2_1").convolutions["conv1_1"].weight, before)


def test_units_that_were_not_measured_change_nothing(pictures):
    plain, scaled = (
        Encoder(depth="relu2_1"),
        Scales(LAYERS[:2]).applied_to(Encoder(depth="relu2_1")),
    )
    assert torch.equal(*(e(pictures[0], ["relu2_1"])["relu2_1"] for e in (plain, scaled)))


def test_units_travel_with_the_weights():
    scales = Scales(LAYERS[:2])
    assert {name: tuple(value.shape) for name, value in scales.state_dict().items()} == {
        "relu1_1": (64,),
        "relu2_1": (128,),
    }
