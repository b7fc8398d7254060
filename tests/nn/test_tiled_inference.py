"""Networks over strips of a picture: the whole's numbers, kept maps, chains of every network."""

import pytest
import torch

from helpers import pictures
from impasto.nn import tiled_inference
from impasto.nn.cin import ConditionalNet
from impasto.nn.generated import GeneratedNet
from impasto.nn.johnson import TransformNet
from impasto.nn.links import Linked
from impasto.nn.meta_network import MetaNet
from impasto.nn.style_prediction import PredictionNet
from impasto.nn.stylebank import StyleBankNet
from rounding import products, rounding

BLEND = torch.tensor([[0.3, 0.7]])


NETWORKS = {
    "johnson": (lambda: TransformNet(4, 2), ()),
    "bilinear": (lambda: TransformNet(4, 1, upsampling="bilinear"), ()),
    "authors": (lambda: TransformNet(4, 1, output="tanh150"), ()),
    "cin": (lambda: ConditionalNet(2, 4, 2), (BLEND,)),
    "cin, bilinear": (lambda: ConditionalNet(2, 4, 1, upsampling="bilinear"), (BLEND,)),
    "cin, both": (lambda: ConditionalNet(2, 4, 1, upsampling="nearest-bilinear"), (BLEND,)),
    "narrow": (lambda: ConditionalNet(2, 4, 2, inner=12), (BLEND,)),
    "prediction": (lambda: PredictionNet(12, 5, 4, 1), (pictures(2, 12), BLEND)),
    "stylebank": (lambda: StyleBankNet(2, 4), (BLEND,)),
    "two layers": (lambda: StyleBankNet(2, 4, kernel=5, layers=2), (BLEND,)),
    "generated": (lambda: GeneratedNet(4, 2, upsampling="bilinear"), ()),
    "prototxt": (lambda: GeneratedNet(4, 1, shortcuts=False, affine=False), ()),
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
    monkeypatch.setattr(tiled_inference, "_ROWS", rows)
    photo = pictures(1, 3, 88, 52)
    assert isinstance(module, Linked)
    with torch.no_grad():
        whole = module(photo, *more)
        found = tiled_inference.paint(photo, module.chain(*more), dtype=torch.float32)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, whole, **rounding(whole, products(module)))


def test_in_sixteen_bits_they_are_as_near_as_rounding(monkeypatch):
    module, more = made("cin")
    monkeypatch.setattr(tiled_inference, "_ROWS", 1)
    photo = pictures(1, 3, 64, 64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        whole = module(photo, *more)
    found = tiled_inference.paint(photo, module.chain(*more), dtype=torch.bfloat16)
    assert (found - whole).abs().mean() < 1 / 255


def test_only_two_small_maps_are_kept_at_a_time(monkeypatch):
    """The second convolution of a block is written where its input lies."""
    module, more = made("johnson")
    kept = []
    forget = tiled_inference._Strips._forget
    monkeypatch.setattr(
        tiled_inference._Strips,
        "_forget",
        lambda self, i: (kept.append(len(self.kept)), forget(self, i)),
    )
    tiled_inference.paint(pictures(1, 3, 32, 32), module.chain(*more), dtype=torch.float32)
    assert kept == [0, 0, 1, 2, 2, 2, 2, 1, 1]


@pytest.mark.parametrize(
    "module",
    [
        TransformNet(4, 1, norm="batch"),
        TransformNet(4, 1, padding="zeros"),
        TransformNet(4, 1, upsampling="transposed"),
        TransformNet(4, 1, unpadded=True),
        GeneratedNet(4, 1, upsampling="transposed"),
        GeneratedNet(4, 1, unpadded=True),
    ],
)
def test_what_is_no_chain(module):
    assert module.chain() is None


def test_regions_are_no_chain():
    regions = torch.ones(1, 2, 8, 8) / 2
    assert ConditionalNet(2, 4, 1).chain(BLEND, regions) is None
    assert StyleBankNet(2, 4).chain(BLEND, regions) is None
    assert StyleBankNet(2, 4).chain() is None
    assert PredictionNet(12, 5, 4, 1).chain(pictures(2, 12), BLEND, regions) is None
