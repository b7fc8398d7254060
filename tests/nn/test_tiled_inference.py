"""Networks in strips: the whole's numbers, and how many maps are stored."""

import pytest
import torch
import torch.nn.functional as F

from helpers import pictures
from impasto.alignment.adain import adain
from impasto.alignment.whitening import gaussian, monge, roots, transported
from impasto.losses.moments import moments
from impasto.nn import lazy_map, tiled_inference
from impasto.nn.cin import ConditionalNet
from impasto.nn.decoder import Decoder
from impasto.nn.generated import GeneratedNet
from impasto.nn.johnson import TransformNet
from impasto.nn.lazy_map import LazyMap, NotInStripsError
from impasto.nn.meta_network import MetaNet
from impasto.nn.style_prediction import PredictionNet
from impasto.nn.stylebank import StyleBankNet
from impasto.nn.vgg import Encoder
from rounding import products, rounding

BLEND = torch.tensor([[0.3, 0.7]])


NETWORKS = {
    "johnson": (lambda: TransformNet(4, 2), ()),
    "bilinear": (lambda: TransformNet(4, 1, upsampling="bilinear"), ()),
    "authors": (lambda: TransformNet(4, 1, output="tanh150"), ()),
    "zeros": (lambda: TransformNet(4, 1, padding="zeros"), ()),
    "batch norm": (lambda: TransformNet(4, 1, norm="batch"), ()),
    "unpadded": (lambda: TransformNet(4, 1, unpadded=True), ()),
    "cin": (lambda: ConditionalNet(2, 4, 2), (BLEND,)),
    "cin, bilinear": (lambda: ConditionalNet(2, 4, 1, upsampling="bilinear"), (BLEND,)),
    "cin, both": (lambda: ConditionalNet(2, 4, 1, upsampling="nearest-bilinear"), (BLEND,)),
    "narrow": (lambda: ConditionalNet(2, 4, 2, inner=12), (BLEND,)),
    "prediction": (lambda: PredictionNet(12, 5, 4, 1), (pictures(2, 12), BLEND)),
    "stylebank": (lambda: StyleBankNet(2, 4), (BLEND,)),
    "two layers": (lambda: StyleBankNet(2, 4, kernel=5, layers=2), (BLEND,)),
    "generated": (lambda: GeneratedNet(4, 2, upsampling="bilinear"), ()),
    "prototxt": (lambda: GeneratedNet(4, 1, shortcuts=False, affine=False), ()),
    "generated, unpadded": (lambda: GeneratedNet(4, 1, unpadded=True), ()),
    "meta": (lambda: MetaNet(GeneratedNet(4, 1), 6, slice_width=8), (pictures(2, 6), BLEND)),
}


def made(name):
    torch.manual_seed(0)
    build, more = NETWORKS[name]
    module = build().eval()
    for parameter in module.parameters():  # norms of a fresh network change nothing
        if parameter.ndim == 1:
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return module, more


@pytest.mark.parametrize(
    ("name", "rows"),
    [*((name, 1) for name in NETWORKS), ("cin, both", 1000), ("cin, both", 1 << 18)],
)
def test_strips_give_the_whole(monkeypatch, name, rows):
    """Of 16 rows each, of many, and all in one."""
    module, more = made(name)
    monkeypatch.setattr(lazy_map, "_POSITIONS", rows)
    photo = pictures(1, 3, 88, 52)
    with torch.no_grad():
        whole = module(photo, *more)
        found = tiled_inference.run(lambda x: module(x, *more), photo)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, whole, **rounding(whole, products(module)))


def test_in_sixteen_bits_they_are_as_near_as_rounding(monkeypatch):
    module, more = made("cin")
    monkeypatch.setattr(lazy_map, "_POSITIONS", 1)
    photo = pictures(1, 3, 64, 64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        whole = module(photo, *more)
    found = tiled_inference.run(lambda x: module(x, *more), photo, dtype=torch.bfloat16)
    assert (found - whole).abs().mean() < 1 / 255


def test_small_maps_take_the_memory_of_those_before_them(monkeypatch):
    """Of a block: its input, and one more map, which both convolutions are written to."""
    module, more = made("johnson")
    stored, store = [], tiled_inference._store

    def counted(one, *note):
        store(one, *note)
        stored.append({m.stored.data_ptr() for m in one.maps if m.stored is not None})

    monkeypatch.setattr(tiled_inference, "_store", counted)
    tiled_inference.run(lambda x: module(x, *more), pictures(1, 3, 128, 128))
    assert max(map(len, stored)) == 2


def test_a_strip_of_a_small_map_computes_no_more_of_the_large_ones(monkeypatch):
    monkeypatch.setattr(lazy_map, "_POSITIONS", 64 * 64)
    photo, asked = pictures(1, 3, 256, 64), []

    def rows(start, stop):
        asked.append(stop - start)
        return photo[..., start:stop, :]

    small = F.max_pool2d(F.max_pool2d(LazyMap(photo.to("meta"), rows, device=photo.device), 2), 2)
    found = torch.cat([small.rows(*strip) for strip in small.strips()], dim=-2)
    assert torch.equal(found, F.max_pool2d(photo, 4))
    assert asked == [64] * 4


@pytest.mark.parametrize(
    "module",
    [TransformNet(4, 1, upsampling="transposed"), TransformNet(4, 1, padding="circular")],
)
def test_what_has_no_form_for_strips_is_named(module):
    with pytest.raises(NotInStripsError, match=r"conv_transpose2d|circular"):
        tiled_inference.run(module.eval(), pictures(1, 3, 32, 32))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
def test_padding_wider_than_a_strip(monkeypatch, mode):
    monkeypatch.setattr(lazy_map, "_POSITIONS", 1)
    photo = pictures(1, 3, 41, 20)
    pad = (3, 2, 19, 37)
    found = tiled_inference.run(lambda x: F.pad(x * 2, pad, mode=mode), photo)
    assert torch.equal(found, F.pad(photo * 2, pad, mode=mode))


def test_an_encoder_and_a_decoder_with_statistics_between(monkeypatch):
    """AdaIN, and the transport of whole covariances."""
    monkeypatch.setattr(lazy_map, "_POSITIONS", 1)
    encoder, decoder = Encoder(padding="reflect", depth="relu2_1"), Decoder("relu2_1")
    photo, style = pictures(1, 3, 64, 48), pictures(1, 3, 40, 40, seed=1)
    target = encoder(style, ["relu2_1"])["relu2_1"]
    colors = roots(gaussian(target))

    def by_moments(x):
        x = encoder(x, ["relu2_1"])["relu2_1"]
        return decoder(torch.lerp(x, adain(x, *moments(target)), 0.7))

    def by_covariance(x):
        x = encoder(x, ["relu2_1"])["relu2_1"]
        return decoder(transported(x, lambda own: monge(roots(own), colors)))

    for function in (by_moments, by_covariance):
        with torch.no_grad():
            whole = function(photo)
        found = tiled_inference.run(function, photo)
        assert (found - whole).abs().max() < 1e-3 * whole.std()
