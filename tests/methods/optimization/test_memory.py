"""Pictures above the memory that is given: the same picture, made strip by strip."""

import pytest
import torch

from impasto.api import load, stylize
from impasto.methods.optimization import base
from impasto.methods.optimization import memory as room
from impasto.methods.spec import Ability
from impasto.nn import lazy_map, tiled_inference, tiling

pytestmark = pytest.mark.slow  # large images are painted twice

SIZE = 96


def _counting(true, taken):
    def wrapped(*args, **options):
        made = true(*args, **options)
        taken.append(true)
        return made

    return wrapped


@pytest.fixture
def counted(monkeypatch):
    """How often the strips were taken, which are narrow ones here."""
    taken = []
    for module, name, rows in ((lazy_map, "_POSITIONS", 1),):
        monkeypatch.setattr(module, name, rows)
    for module, name in ((tiled_inference, "run"),):
        monkeypatch.setattr(module, name, _counting(getattr(module, name), taken))
    return taken


def painted(style, method=None, precision="float32", **options):
    made = stylize.stylize(
        "sample:astronaut",
        style,
        method=method,
        size=SIZE,
        precision=precision,
        shifts=1,
        **options,
    )
    return made.rgb


@pytest.mark.parametrize(
    ("style", "method", "times", "precision"),
    [
        ("starry-night", None, 1, "float32"),
        (["adele", "gray-tree"], None, 1, "bfloat16"),
        (["sample:wave", "sample:ink"], "adain", 1, "float32"),
        ("sample:wave", "wct", 4, "float32"),
    ],
)
def test_the_picture_is_the_same(counted, style, method, times, precision):
    whole = painted(style, method, precision)
    assert not counted
    found = painted(style, method, precision, memory=1)
    assert len(counted) == times
    apart = (found - whole).abs().max() * 255
    assert apart < (0.05 if precision == "float32" else 12)
    assert (found - whole).abs().mean() * 255 < (0.01 if precision == "float32" else 0.5)


def test_with_regions_a_picture_goes_as_a_whole(counted):
    mask = torch.zeros(1, 3, 64, 64)
    mask[..., :32] = 1
    for style, method in ((["adele", "gray-tree"], None), (["sample:wave", "sample:ink"], "adain")):
        painted(style, method, masks=[stylize.Image(mask)], memory=1)
    assert not counted


@pytest.mark.parametrize("method", ["gatys", "mmd"])
def test_an_optimised_picture_is_the_same_in_tiles(monkeypatch, method):
    """So near that three steps of a quasi-Newton descent do not tell."""
    plans = iter([room.MemoryPlan(None, 4), room.MemoryPlan(64, 4)])
    monkeypatch.setattr(base, "plan_memory", lambda *_: next(plans))
    settings = {"steps": 3, "levels": 1, "history": 4, "content_layers": ("relu2_1",)}
    settings |= {"style_layers": ("relu1_1", "relu2_1")}
    settings |= {"style_weights": (1.0, 1.0)} if method == "gatys" else {}
    reports = []
    whole, tiled = (
        painted("sample:wave", method, settings=settings, callback=reports.append) for _ in "12"
    )
    stages = [report.stage for report in reports]
    assert stages == ["level 1 of 1, 96x96"] * 3 + ["level 1 of 1, 96x96 in tiles of 64"] * 3
    assert float((tiled - whole).abs().max()) * 255 < 0.5
    photo = stylize.read_image("sample:astronaut").rgb
    small = torch.nn.functional.interpolate(photo, (SIZE, SIZE), mode="area")
    assert float((tiled - small).abs().max()) * 255 > 10  # it moved


@pytest.mark.parametrize("layer", ["relu2_1", "relu4_1", "relu5_1"])
def test_no_feature_sees_further_than_its_reach(layer):
    """A changed pixel changes features within the reach, and none beyond."""
    method = load.get_method("wct", Ability.STYLIZE, precision="float32")
    photo = torch.rand(1, 3, 384, 32, generator=torch.Generator().manual_seed(0))
    other = photo.clone()
    other[..., 192, :] = 0
    one, two = (method.encoder(image, [layer])[layer].detach() for image in (photo, other))
    stride = 384 // one.shape[-2]
    rows = (one != two).any(-1).any(1).squeeze(0).nonzero().squeeze(1) * stride  # first pixels
    reach = tiling.reach(layer)
    assert rows.min() + stride - 1 >= 192 - reach
    assert rows.max() <= 192 + reach


def test_borders_of_strips_are_multiples_and_leave_nothing_out():
    found = list(tiling.spans(80, 24, 5, 16))
    assert [(s.start, s.stop) for s in found] == [(0, 32), (32, 64), (64, 80)]
    assert [(s.low, s.high) for s in found] == [(0, 48), (16, 80), (48, 80)]
    rows = torch.arange(80.0).view(1, 1, 80, 1)
    for span in found:
        inner = rows[..., span.low : span.high, :][..., span.within(), :]
        assert inner.flatten().tolist() == list(range(span.start, span.stop))
        small = rows[..., span.low : span.high : 8, :]
        assert small[..., span.within(8), :][..., 0, 0] == span.start
