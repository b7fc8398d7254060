"""WCT: five decoders that learn to invert, and what is done with a style between them."""

import dataclasses

import pytest
import torch

import impasto
from helpers import FLOAT32, photos_in, training_sources
from helpers import smooth as smooth_of
from impasto.alignment.whitening import gaussian
from impasto.api import stylize
from impasto.api import train as learning
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.arbitrary.adain import AdaIn, AdaInConfig
from impasto.methods.arbitrary.wct import Wct, WctConfig
from impasto.methods.style import Part, Style
from impasto.models import checkpoint
from impasto.models.checkpoint import Model
from impasto.nn.decoder import LAYERS
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch
from rounding import rounding

ONE = {"levels": ("relu3_1",), "alpha": 1.0}
PLAN = Plan(steps=12, batch=2, learning_rate=1e-3, warmup=4, clip=2.0, report_every=4, workers=0)


def smooth(height, width, seed=0):
    """With more in it than others need: covariances want many directions."""
    return smooth_of(height, width, seed, coarse=9)


@pytest.fixture(scope="module")
def unlearned():
    """A network that has learned nothing, but has units."""
    torch.manual_seed(0)
    method = Wct(WctConfig(), FLOAT32)
    method.module.measure(method.config, FLOAT32)
    return method


@pytest.fixture
def wct(unlearned):
    """wct(alpha=0.5): the same network with other numbers."""

    def make(**options):
        method = Wct(dataclasses.replace(unlearned.config, **options), FLOAT32)
        method.module = unlearned.module
        method.__dict__["encoder"] = unlearned.encoder
        return method

    return make


@pytest.fixture
def decoded(monkeypatch):
    """What a method hands to its decoders, level by level."""

    def watch(method):
        seen, decode = [], method.decode

        def see(features, layer):
            seen.append((layer, features.clone()))
            return decode(features, layer)

        monkeypatch.setattr(method, "decode", see)
        return seen

    return watch


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"), 80, 72)


def learn(photos, plan=PLAN, **options):
    torch.manual_seed(plan.seed)
    task = Wct.task(WctConfig(**options), [], FLOAT32)
    return train(task, plan, sources=training_sources({"content": photos}), runtime=FLOAT32)


@pytest.mark.slow
def test_the_losses_fall_and_decoders_that_are_not_trained_stay(photos):
    """Three of the five decoders; below, all five are shown to learn."""
    result = learn(photos, trained=LAYERS[:3])
    untrained = learn(photos, dataclasses.replace(PLAN, steps=1), trained=LAYERS[:1])
    before = untrained.module.state_dict()
    for name, value in result.module.decoders.state_dict().items():
        same = torch.equal(value, before[f"decoders.{name}"])
        assert same == (name.split(".")[0] not in LAYERS[:3])
    assert set(result.losses) == {"total", *LAYERS[:3]}
    assert result.losses["total"][-1] < 0.8 * result.losses["total"][0]
    for layer in LAYERS[:2]:
        assert result.losses[layer][-1] < 0.8 * result.losses[layer][0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(photos):
    short = dataclasses.replace(PLAN, steps=2)
    first, again = (learn(photos, short, trained=LAYERS[:3]).module.state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@pytest.mark.slow
@pytest.mark.parametrize("squares", ["mean", "sum"])
def test_the_loss_is_the_papers(squares):
    """Equation 1, by hand."""
    task = Wct.task(WctConfig(squares=squares, pixel_weight=3.0), [], FLOAT32)
    x = smooth(32, 48)
    losses = task.loss(task.module, Batch(0, 1, {"content": x}))
    wanted = task.encoder(x, LAYERS)
    for layer in LAYERS:
        made = task.module(wanted[layer], layer)
        found = task.encoder(made, [layer])[layer]
        errors = [(made - x).square(), (found - wanted[layer]).square()]
        pixels, features = (e.mean() if squares == "mean" else e.sum() for e in errors)
        torch.testing.assert_close(losses[layer], 3 * pixels + features)
    torch.testing.assert_close(losses["total"], sum(losses[layer] for layer in LAYERS))


@pytest.mark.slow
def test_all_decoders_learn_and_nothing_else():
    task = Wct.task(WctConfig(), [], FLOAT32)
    task.loss(task.module, Batch(0, 1, {"content": smooth(32, 32)}))["total"].backward()
    assert all(weight.grad is not None for weight in task.module.parameters())
    assert not any(weight.requires_grad for weight in task.encoder.parameters())


def test_a_sample_shows_the_photo_and_what_each_decoder_makes_of_it():
    task = Wct.task(WctConfig(), [], FLOAT32)
    assert task.sample(task.module) is None
    task.loss(task.module, Batch(0, 1, {"content": smooth(32, 48)}))
    assert task.sample(task.module).shape == (1, 3, 32, 6 * 48)


def test_it_learns_from_photographs_alone(photos, tmp_path):
    with pytest.raises(InputError, match="wct learns from photographs alone: leave out `style`"):
        Wct.task(WctConfig(), [smooth(16, 16)], FLOAT32)
    with pytest.raises(InputError, match="wct learns from photographs alone: leave out `style`"):
        learning.train("wct", tmp_path / "x.safetensors", content=photos, style=str(photos))


def test_a_style_is_a_gaussian_for_each_level(wct):
    method, picture = wct(), smooth(40, 56)
    (part,) = method.encode(picture)
    found = method.encoder(picture, LAYERS)
    assert len(part.tensors) == 10
    for layer in LAYERS:
        mean, covariance = gaussian(found[layer].double() * method.units(layer)[:, None, None])
        near = {"rtol": 1e-5, "atol": 1e-5 * float(covariance.diagonal(0, 1, 2).max())}
        torch.testing.assert_close(part.tensors[f"{layer}.mean"], mean, **near)
        torch.testing.assert_close(part.tensors[f"{layer}.covariance"], covariance, **near)


@pytest.mark.parametrize("transport", ["wct", "monge"])
def test_the_decoders_get_the_style_statistics(wct, decoded, transport):
    """Where the photo has as many directions as the style: a part of the channels of noise."""
    method = wct(levels=("relu1_1",), alpha=1.0, transport=transport, floor=1e-8)
    seen = decoded(method)
    x, y = (torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    style = method.encode(y)
    method.stylize(x, style)
    ((layer, features),) = seen
    assert layer == "relu1_1"
    features = features * method.units(layer)[:, None, None]
    for ours, name in zip(gaussian(features), ("mean", "covariance"), strict=True):
        theirs = style.parts[0].tensors[f"relu1_1.{name}"]
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)


@pytest.mark.slow
def test_monge_moves_features_less(wct, decoded):
    x, y, moved = smooth(64, 64), smooth(64, 64, 1), {}
    for transport in ("wct", "monge"):
        method = wct(**ONE, transport=transport)
        seen = decoded(method)
        method.stylize(x, method.encode(y))
        features = method.encoder(x, ["relu3_1"])["relu3_1"]
        moved[transport] = (seen[0][1] - features).norm()
    assert moved["monge"] < moved["wct"]


@pytest.mark.slow
def test_levels_run_in_their_order_each_from_the_picture_before(wct, decoded):
    method, reports = wct(levels=tuple(reversed(LAYERS))), []
    seen = decoded(method)
    style = method.encode(smooth(40, 40, 1))
    method.stylize(smooth(48, 48), style, callback=reports.append)
    assert [layer for layer, _ in seen] == list(reversed(LAYERS))
    assert [(p.step, p.total, p.stage) for p in reports] == [
        (n, 5, layer) for n, layer in enumerate(reversed(LAYERS), start=1)
    ]
    assert reports[-1].preview().shape == (1, 3, 48, 48)
    few = wct(levels=("relu2_1", "relu1_1"))
    assert len(few.encode(smooth(40, 40)).parts[0].tensors) == 10  # for any levels later
    seen = decoded(few)
    few.stylize(smooth(48, 48), style)
    assert [layer for layer, _ in seen] == ["relu2_1", "relu1_1"]


def test_cancelling_keeps_what_the_last_level_made(wct):
    method, reports = wct(), []
    method.stylize(
        smooth(40, 40),
        method.encode(smooth(40, 40, 1)),
        callback=lambda p: (reports.append(p), p.cancel() if p.step == 2 else None),
    )
    assert len(reports) == 2


CHANNELS = 256  # of relu3_1, and so the products in a value that a transport makes


@pytest.mark.slow
def test_alpha_goes_from_the_photo_to_the_style(wct, decoded):
    x, seen = smooth(48, 48), []
    for alpha in (0.0, 0.5, 1.0):
        method = wct(levels=("relu3_1",), alpha=alpha)
        calls = decoded(method)
        method.stylize(x, method.encode(smooth(40, 40, 1)))
        seen.append(calls[0][1])
    near = rounding(seen[2], CHANNELS)
    torch.testing.assert_close(seen[0], method.encoder(x, ["relu3_1"])["relu3_1"], **near)
    torch.testing.assert_close(seen[1], (seen[0] + seen[2]) / 2, **near)


def test_blends_are_weighted_sums_of_features(wct, decoded):
    method, x = wct(**ONE), smooth(48, 48)
    seen = decoded(method)
    first, second = (method.encode(smooth(40, 40, seed)) for seed in (1, 2))
    for style in (first, second, 3 * first + second):
        method.stylize(x, style)
    features = [found for _, found in seen]
    near = rounding(features[2], CHANNELS)
    torch.testing.assert_close(features[2], 0.75 * features[0] + 0.25 * features[1], **near)


def test_masks_put_each_style_in_its_place(wct, decoded):
    method, x = wct(**ONE), smooth(32, 64)
    seen = decoded(method)
    first, second = (method.encode(smooth(40, 40, seed)) for seed in (1, 2))
    left = torch.zeros(1, 1, 32, 64)
    left[..., :32] = 1
    for style, regions in ((first + second, (left, 1 - left)), (first, ()), (second, ())):
        method.stylize(x, style, regions=regions)
    both, one, other = (found for _, found in seen)
    near = rounding(both, CHANNELS)
    torch.testing.assert_close(both[..., :8], one[..., :8], **near)
    torch.testing.assert_close(both[..., 8:], other[..., 8:], **near)


@pytest.mark.slow
@pytest.mark.parametrize(("statistics", "transport"), [("whole", "wct"), ("region", "monge")])
def test_masks_of_one_pixel_and_of_nothing(wct, statistics, transport):
    options = {"levels": ("relu4_1", "relu1_1"), "statistics": statistics}
    method, dot = wct(transport=transport, **options), torch.zeros(1, 1, 33, 47)
    dot[..., 5, 7] = 1
    style = method.encode(smooth(40, 40, 1)) + method.encode(smooth(40, 40, 2))
    for regions in ((dot, 1 - dot), (dot, torch.zeros_like(dot))):
        assert method.stylize(smooth(33, 47), style, regions=regions).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["wct", "monge"])
def test_plain_and_grey_pictures_are_no_trouble(wct, transport):
    method = wct(transport=transport, levels=("relu4_1", "relu1_1"))
    plain, grey = torch.full((1, 3, 32, 32), 0.5), smooth(32, 32)[:, :1].expand(-1, 3, -1, -1)
    for content, style in ((plain, smooth(32, 32)), (grey, plain), (plain, plain), (grey, grey)):
        assert method.stylize(content, method.encode(style)).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (17, 33)])
def test_pictures_of_any_size_keep_it(wct, size):
    method = wct()
    found = method.stylize(smooth(*size), method.encode(smooth(*size[::-1], seed=1)))
    assert found.shape == (1, 3, *size)
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.slow
def test_it_is_deterministic_and_changes_nothing(wct):
    method, x = wct(), smooth(30, 41)
    style, kept = method.encode(smooth(40, 40, 1)), x.clone()
    assert torch.equal(method.stylize(x, style, seed=1), method.stylize(x, style, seed=2))
    assert torch.equal(x, kept)


@pytest.mark.slow
def test_textures_come_from_noise(wct, decoded):
    levels = ("relu3_1", "relu1_1")
    method, reports = wct(levels=levels, rounds=2, alpha=0.3), []
    seen = decoded(method)
    style = method.encode(smooth(48, 48, 1))
    found = method.synthesize(style, 40, 50, seed=1, callback=reports.append)
    assert found.shape == (1, 3, 40, 50)
    assert [(p.step, p.total) for p in reports] == [(n, 4) for n in range(1, 5)]
    assert len(seen) == 4
    other, same = (method.synthesize(style, 40, 50, seed=seed) for seed in (2, 1))
    assert torch.equal(same, found)
    assert not torch.equal(other, found)
    # nothing of the noise is kept: alpha is for photos
    moved = gaussian(seen[3][1]).mean * method.units("relu1_1")
    torch.testing.assert_close(moved, style.parts[0].tensors["relu1_1.mean"], rtol=1e-3, atol=1e-3)


def test_cancelling_a_texture_stops_all_rounds(wct):
    method, reports = wct(), []
    style = method.encode(smooth(48, 48, 1))
    method.synthesize(style, 32, 32, callback=lambda p: (reports.append(p), p.cancel()))
    assert len(reports) == 1


def test_a_style_of_another_method_is_refused(wct):
    with pytest.raises(InputError, match="encoded by adain, not by wct"):
        wct().stylize(smooth(32, 32), Style("adain", (Part({}),)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"alpha": -0.1}, "alpha is -0.1"),
        ({"levels": ()}, "levels are some of relu1_1"),
        ({"levels": ("relu4_2",)}, "levels are some of relu1_1"),
        ({"transport": "bus"}, "unknown transport 'bus': choose wct, monge"),
        ({"statistics": "other"}, "unknown statistics"),
        ({"squares": "other"}, "unknown squares"),
        ({"floor": -1.0}, "floor is -1.0: it must be 0 or more"),
        ({"rounds": 0}, "rounds is 0: it must be 1 or more"),
    ],
)
def test_numbers_that_make_no_sense(wrong, said):
    with pytest.raises(InputError, match=said):
        WctConfig(**wrong)


def test_presets():
    paper = WctConfig.paper()
    assert (paper.flavor, paper.units, paper.padding) == ("normalised", "none", "reflect")
    assert (paper.alpha, paper.floor, paper.squares) == (0.6, 1e-5, "sum")
    assert paper.levels == ("relu5_1", "relu4_1", "relu3_1", "relu2_1", "relu1_1")


@pytest.mark.slow
def test_a_model_paints_the_identical_picture_from_its_file(unlearned, tmp_path):
    path = tmp_path / "mine.safetensors"
    made = unlearned.model(unlearned.module, ["mine"], {"kind": unlearned.kind})
    checkpoint.save(made, path, bits=32)
    opened = Wct.open(checkpoint.load(path), FLOAT32)
    x, y = smooth(45, 51), smooth(40, 40, 1)
    assert torch.equal(*(m.stylize(x, m.encode(y)) for m in (unlearned, opened)))
    assert opened.config == unlearned.config
    options = {"method": str(path), "precision": "float32"}
    settings = {"levels": "relu2_1,relu1_1", "transport": "monge", "floor": "1e-4"}
    found = stylize.stylize(Image(x), Image(y), settings=settings, **options)
    assert (found.height, found.width) == (45, 51)
    more = impasto.synthesize(Image(y), size=40, settings={"rounds": "1"}, **options)
    assert (more.height, more.width) == (40, 40)


@pytest.mark.slow
def test_training_by_name(photos, tmp_path):
    settings = {"steps": "2", "batch": "2", "crop": "32", "workers": "0"}
    path = tmp_path / "w.safetensors"
    trained = learning.train("wct", path, content=photos, settings=settings, precision="float32")
    assert trained.model.card["kind"] == "any"
    assert trained.model.card["data"] == {"content": {"pictures": 3}}
    assert stylize.stylize(Image(smooth(20, 31)), Image(smooth(40, 40)), method=str(path))


def test_it_starts_from_adain_as_far_back_as_both_go():
    donor = AdaIn(AdaInConfig(), FLOAT32)
    told = donor.model(donor.module, ["adain"], {})
    made = Wct.network(WctConfig())
    fresh = {name: value.clone() for name, value in made.state_dict().items()}
    Wct.start(made, told)
    theirs = list(donor.module.decoders["relu4_1"].body.parameters())
    for layer, decoder in made.decoders.items():
        own = list(decoder.body.parameters())
        both = min(len(own), len(theirs))
        for mine, given in zip(own[-both:], theirs[-both:], strict=True):
            assert torch.equal(mine, given)
        assert len(own) - both == (8 if layer == "relu5_1" else 0)  # four convolutions are new
    first = "decoders.relu5_1.body.0.weight"
    assert torch.equal(made.state_dict()[first], fresh[first])
    Wct.start(made, Model("wct", {}, fresh, ("wct",), {}))
    assert all(torch.equal(value, fresh[name]) for name, value in made.state_dict().items())
    with pytest.raises(InputError, match="not of wct or adain"):
        Wct.start(made, Model("gatys", {}, {}, ("x",), {}))
