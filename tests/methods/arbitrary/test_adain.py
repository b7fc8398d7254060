"""AdaIN: what its losses are, what a style of it holds, masks, blends, any size, model files."""

import dataclasses

import pytest
import torch

from helpers import FLOAT32, encoded, smooth, training_folders, training_sources
from impasto.alignment.adain import adain
from impasto.api import load, stylize
from impasto.api import train as learning
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.image.dither import dithered
from impasto.losses.moments import moments
from impasto.methods import style as style_file
from impasto.methods.arbitrary.adain import AdaIn, AdaInConfig
from impasto.methods.arbitrary.units import up_to
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import checkpoint
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch
from rounding import rounding

SMALL = AdaInConfig(layer="relu3_1")
PLAN = Plan(steps=24, batch=2, learning_rate=1e-3, warmup=4, clip=2.0, report_every=6, workers=0)


def fresh(seed=0, **options):
    """A network that has learned nothing, but has units."""
    torch.manual_seed(seed)
    method = AdaIn(dataclasses.replace(SMALL, **options), FLOAT32)
    method.module.measure(method.config, FLOAT32)
    return method


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return training_folders(tmp_path_factory.mktemp, ("wave", "mosaic"))


@pytest.fixture(scope="module")
def sources(places):
    return training_sources(places)


def learn(sources, plan=PLAN, **options):
    torch.manual_seed(plan.seed)
    task = AdaIn.task(dataclasses.replace(SMALL, **options), [], FLOAT32)
    return train(task, plan, sources=sources, runtime=FLOAT32)


@pytest.mark.slow
def test_the_losses_fall(sources):
    """First pictures are given back, then they are painted."""
    result = learn(sources, dataclasses.replace(PLAN, steps=60, report_every=12), layer="relu2_1")
    losses = result.losses
    assert result.finished
    assert set(losses) == {"total", "pixel", "features", "content", "style"}
    assert losses["features"][1] < losses["features"][0]
    assert losses["pixel"][-1] < 0.7 * losses["pixel"][0]
    assert losses["style"][-1] < 0.7 * losses["style"][0]


@pytest.mark.slow
@pytest.mark.parametrize("losses", ["moments", "gram"])
def test_painting_alone_can_be_learned(sources, losses):
    plan = dataclasses.replace(PLAN, learning_rate=3e-4)  # faster, Gram matrices leap about
    options = {"layer": "relu2_1", "losses": losses}
    result = learn(sources, plan, reconstruct=0.0, rehearse=0, **options)
    assert set(result.losses) == {"total", "content", "style"}
    assert result.losses["total"][-1] < 0.7 * result.losses["total"][0]


@pytest.mark.slow
def test_giving_back_alone_leads_to_the_photo(sources):
    result = learn(sources, dataclasses.replace(PLAN, steps=40), reconstruct=1.0, layer="relu2_1")
    assert set(result.losses) == {"total", "pixel", "features"}
    assert result.losses["pixel"][-1] < 0.5 * result.losses["pixel"][0]
    method = AdaIn(dataclasses.replace(SMALL, layer="relu2_1", alpha=0.0), FLOAT32)
    method.module.load_state_dict(result.module.state_dict())
    x = samples.photo("coffee").resized(48, 64).rgb
    back = method.stylize(x, method.encode(smooth(48, 48)))
    assert torch.corrcoef(torch.stack([back.flatten(), x.flatten()]))[0, 1] > 0.8


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(sources):
    short = dataclasses.replace(PLAN, steps=3)
    first, again = (learn(sources, short).module.state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_which_steps_give_back():
    task = AdaIn.task(dataclasses.replace(SMALL, reconstruct=0.35, rehearse=4), [], FLOAT32)
    batch = {"content": smooth(32, 32), "style": smooth(32, 32, 1)}
    batch = {name: torch.cat([x, x]) for name, x in batch.items()}

    def gives_back(step, steps):
        return "pixel" in task.loss(task.module, Batch(step, 2, batch, steps))

    assert [gives_back(step, 20) for step in (0, 6, 7, 8, 11, 12, 15)] == [
        *(True, True, True, False, True, False, True)
    ]
    assert not gives_back(0, 0)  # nobody said how many there are


def test_the_losses_are_the_papers():
    """Equations 11 to 13, computed by hand from the picture that the network makes."""
    content, style = smooth(32, 48), smooth(32, 48, 1)
    batch = Batch(0, 1, {"content": content, "style": style}, 10)
    numbers = dataclasses.replace(SMALL, reconstruct=0.0, rehearse=0, style_weight=3.0)
    layers = up_to("relu3_1")
    for losses, summed in (("moments", False), ("moments(reduction=sum)", True)):
        task = AdaIn.task(dataclasses.replace(numbers, losses=losses), [], FLOAT32)
        found = task.loss(task.module, batch)
        c, s = task.encoder(content, layers), task.encoder(style, layers)
        target = adain(c["relu3_1"], *moments(s["relu3_1"]))
        made = task.encoder(task.module(target, "relu3_1"), layers)
        expected = 0.0
        for layer in layers:
            for position in (0, 1):  # the mean, the deviation
                apart = moments(made[layer])[position] - moments(s[layer])[position]
                expected += apart.square().sum() if summed else apart.square().mean()
        torch.testing.assert_close(found["style"], 3 * expected)
        torch.testing.assert_close(found["content"], (made["relu3_1"] - target).square().mean())
        torch.testing.assert_close(found["total"], found["content"] + found["style"])


def test_only_the_decoder_learns():
    task = AdaIn.task(SMALL, [], FLOAT32)
    batch = {"content": smooth(32, 32), "style": smooth(32, 32, 1)}
    task.loss(task.module, Batch(9, 1, batch, 10))["total"].backward()
    assert not any(weight.requires_grad for weight in task.encoder.parameters())
    assert all(weight.grad is not None for weight in task.module.parameters())


def test_it_learns_from_places_of_pictures():
    with pytest.raises(InputError, match="give a folder as `style`"):
        AdaIn.task(SMALL, [smooth(16, 16)], FLOAT32)


def test_a_sample_shows_the_photo_the_painting_and_the_result():
    task = AdaIn.task(SMALL, [], FLOAT32)
    assert task.sample(task.module) is None
    content, style = smooth(32, 48), smooth(32, 48, 1)
    task.loss(task.module, Batch(0, 1, {"content": content, "style": style}, 0))
    shown = task.sample(task.module)
    assert shown.shape == (1, 3, 32, 144)
    assert torch.equal(shown[..., :96], torch.cat([content, style], dim=-1))


def test_a_style_is_the_means_and_deviations_of_its_features(encoder):
    method, picture = fresh(), smooth(40, 56)
    (part,) = method.encode(picture)
    assert {name: tuple(value.shape) for name, value in part.tensors.items()} == {
        "mean": (1, 256),
        "std": (1, 256),
    }
    features = method.encoder(picture, ["relu3_1"])["relu3_1"]
    expected, unit = moments(features), method.units("relu3_1")
    torch.testing.assert_close(part.tensors["mean"], expected.mean * unit)
    torch.testing.assert_close(part.tensors["std"], expected.std * unit)


def features_decoded(method):
    """What the method hands to its decoder, call by call."""
    seen = []
    method.module.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    return seen


def test_the_decoder_gets_the_style_statistics():
    method, x = fresh(), smooth(32, 48)
    style, seen = method.encode(smooth(40, 40, 1)), []
    seen = features_decoded(method)
    method.stylize(x, style)
    found = moments(seen[0])
    tensors = style.parts[0].tensors
    alive = method.encoder(x, ["relu3_1"])["relu3_1"].var((0, 2, 3)) > 1e-4
    assert alive.float().mean() > 0.9
    for ours, theirs in zip(found, (tensors["mean"], tensors["std"]), strict=True):
        wanted = theirs / method.units("relu3_1")
        torch.testing.assert_close(ours[:, alive], wanted[:, alive], rtol=1e-4, atol=1e-4)


def test_alpha_goes_from_the_photo_to_the_style():
    x, seen = smooth(32, 48), []
    for alpha in (0.0, 0.5, 1.0):
        method = fresh(alpha=alpha)
        steps = features_decoded(method)
        method.stylize(x, method.encode(smooth(40, 40, 1)))
        seen += steps
    near = rounding(seen[2], 8)  # operations on a value: a norm, a scale, a shift, a blend
    torch.testing.assert_close(seen[0], method.encoder(x, ["relu3_1"])["relu3_1"], **near)
    torch.testing.assert_close(seen[1], (seen[0] + seen[2]) / 2, **near)


def test_blends_are_weighted_sums_of_features():
    method, x = fresh(), smooth(32, 48)
    first, second = (method.encode(smooth(40, 40, seed)) for seed in (1, 2))
    seen = features_decoded(method)
    for style in (first, second, 3 * first + second, 0.75 * first + 0.25 * second):
        method.stylize(x, style)
    torch.testing.assert_close(seen[2], 0.75 * seen[0] + 0.25 * seen[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(seen[3], seen[2], **rounding(seen[2], 8))


def test_weights_that_make_no_blend_are_refused():
    method = fresh()
    style = method.encode(smooth(16, 16))
    for weight in (0.0, -1.0):
        with pytest.raises(InputError, match="must not be negative, nor all 0"):
            method.stylize(smooth(16, 16), weight * style)


@pytest.mark.parametrize("statistics", ["whole", "region"])
def test_masks_put_each_style_in_its_place(statistics):
    method, x = fresh(statistics=statistics), smooth(32, 64)
    first, second = (method.encode(smooth(40, 40, seed)) for seed in (1, 2))
    left = torch.zeros(1, 1, 32, 64)
    left[..., :32] = 1
    seen = features_decoded(method)
    method.stylize(x, 0.2 * first + 0.8 * second, regions=(left, 1 - left))
    if statistics == "whole":
        for style in (first, second):
            method.stylize(x, style)
        torch.testing.assert_close(seen[0][..., :8], seen[1][..., :8], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(seen[0][..., 8:], seen[2][..., 8:], rtol=1e-4, atol=1e-5)
    else:
        features = method.encoder(x, ["relu3_1"])["relu3_1"]
        tensors, unit = first.parts[0].tensors, method.units("relu3_1")
        expected = adain(features[..., :8], tensors["mean"] / unit, tensors["std"] / unit)
        torch.testing.assert_close(seen[0][..., :8], expected, rtol=1e-4, atol=1e-4)


def test_what_no_mask_covers_keeps_its_features():
    method, x, half = fresh(), smooth(32, 64), torch.zeros(1, 1, 32, 64)
    half[..., :32] = 1
    seen = features_decoded(method)
    method.stylize(x, method.encode(smooth(40, 40, 1)), regions=(half,))
    features = method.encoder(x, ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(seen[0][..., 8:], features[..., 8:])
    assert not torch.allclose(seen[0][..., :8], features[..., :8], atol=0.1)


@pytest.mark.parametrize("statistics", ["whole", "region"])
def test_masks_of_one_pixel_and_of_nothing(statistics):
    method, dot = fresh(statistics=statistics), torch.zeros(1, 1, 33, 47)
    dot[..., 5, 7] = 1
    style = method.encode(smooth(40, 40, 1)) + method.encode(smooth(40, 40, 2))
    for regions in ((dot, 1 - dot), (dot, torch.zeros_like(dot)), (1 - dot, dot)):
        assert method.stylize(smooth(33, 47), style, regions=regions).isfinite().all()


def test_a_style_of_another_method_is_refused():
    with pytest.raises(InputError, match="encoded by gatys, not by adain"):
        fresh().stylize(smooth(16, 16), Style("gatys", (Part({}),)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"reconstruct": -0.1}, "reconstruct is -0.1"),
        ({"rehearse": -1}, "rehearse is -1"),
        ({"style_weight": -1.0}, "style_weight is -1.0"),
        ({"losses": "other"}, "unknown loss 'other'"),
        ({"statistics": "other"}, "unknown statistics"),
        ({"layer": "relu5_1"}, "unknown layer 'relu5_1'"),
        ({"pooling": "l2"}, "unknown pooling"),
        ({"units": "metres"}, "unknown units"),
    ],
)
def test_numbers_that_make_no_sense(wrong, said):
    with pytest.raises(InputError, match=said):
        AdaInConfig(**wrong)


def test_presets():
    paper, authors = AdaInConfig.paper(), AdaInConfig.authors()
    for numbers in (paper, authors):
        assert (numbers.flavor, numbers.units, numbers.padding) == ("normalised", "none", "reflect")
        assert numbers.reconstruct == numbers.rehearse == 0
    assert (paper.style_weight, paper.losses) == (10.0, "moments")
    assert (authors.style_weight, authors.losses) == (0.01, "moments(reduction=sum)")


def test_without_units_features_are_the_flavours_own():
    task = AdaIn.task(dataclasses.replace(SMALL, units="none"), [], FLOAT32)
    assert all((value == 1).all() for value in task.module.scales.state_dict().values())


def test_the_encoder_is_not_in_the_model():
    names = fresh(layer="relu4_1").module.state_dict()
    assert sum(value.numel() for value in names.values()) == 3_505_219 + 64 + 128 + 256 + 512


# from here on: files, the pipeline, training by name


@pytest.fixture
def saved(tmp_path):
    method = fresh()
    path = tmp_path / "mine.safetensors"
    checkpoint.save(method.model(method.module, ["mine"], {"kind": method.kind}), path, bits=32)
    return method, path


def test_a_model_paints_the_identical_picture_from_its_file(saved):
    method, path = saved
    opened = AdaIn.open(checkpoint.load(path), FLOAT32)
    x, y = smooth(45, 51), smooth(30, 30, 1)
    assert torch.equal(*(m.stylize(x, m.encode(y)) for m in (method, opened)))
    assert opened.config == method.config


def test_a_model_stands_where_a_method_may_stand(saved):
    method, path = saved
    x, y = Image(smooth(40, 40)), Image(smooth(40, 40, 1))
    options = {"precision": "float32", "device": "cpu"}
    found = stylize.stylize(x, y, method=str(path), shifts=1, **options).rgb
    seen = dithered(x.rgb, 0)  # as the pipeline does
    torch.testing.assert_close(found, method.stylize(seen, encoded(method, y, x)))
    half = stylize.stylize(x, y, method=str(path), settings={"alpha": "0.5"}, **options).rgb
    assert not torch.allclose(half, found, atol=1e-4)
    built = load.get_method(str(path), Ability.STYLIZE, preset="paper", **options)
    assert (built.config.statistics, built.config.units) == ("region", "rms")


def test_what_a_model_cannot_be(saved):
    path = str(saved[1])
    with pytest.raises(InputError, match="is a model for 'stylize' as `method`, not for 'stylize'"):
        stylize.stylize(Image(smooth(20, 20)), path)
    with pytest.raises(
        InputError, match=r"style_weight cannot be changed.*change alpha, statistics"
    ):
        load.get_method(path, Ability.STYLIZE, settings={"style_weight": "3"})
    with pytest.raises(InputError, match="unknown setting 'beta'"):
        load.get_method(path, Ability.STYLIZE, settings={"beta": "3"})
    with pytest.raises(InputError, match="adain cannot synthesize"):
        load.get_method(path, Ability.SYNTHESIZE)


def test_a_style_in_a_file_wants_a_model_of_the_method(saved, tmp_path):
    method, path = saved
    x, y = Image(smooth(40, 40)), smooth(40, 40, 1)
    method.encode(y).save(tmp_path / "y.style")
    kept = style_file.load(tmp_path / "y.style")
    found = stylize.stylize(x, kept, method=str(path), precision="float32", shifts=1).rgb
    torch.testing.assert_close(found, method.stylize(dithered(x.rgb, 0), method.encode(y)))
    with pytest.raises(InputError, match="encoded by adain: leave `method` out"):
        stylize.stylize(x, kept, method="gatys")


TINY = {"steps": "3", "batch": "2", "crop": "32", "workers": "0", "layer": "relu2_1"}


@pytest.mark.slow
def test_training_by_name(places, tmp_path):
    target = tmp_path / "any.safetensors"
    options = {"content": places["content"], "style": str(places["style"]), "precision": "float32"}
    trained = learning.train("adain", target, settings=TINY, **options)
    card = trained.model.card
    assert card["data"] == {"content": {"pictures": 3}, "style": {"pictures": 2}}
    assert card["kind"] == "any"
    assert trained.model.styles == ("any",)
    assert stylize.stylize(Image(smooth(20, 31)), Image(smooth(9, 9)), method=str(target))
    again = learning.train(
        "adain", tmp_path / "b.safetensors", settings=TINY, start=target, **options
    )
    assert again.result.finished


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "adain learns from paintings: give a folder as `style`"),
        ({"style": ["a", "b"]}, "learns no single style: give one folder"),
        ({"style": "nowhere"}, "nowhere: there is no such folder"),
    ],
)
def test_paintings_that_are_missing(given, said, places, tmp_path):
    target, photos = tmp_path / "x.safetensors", places["content"]
    with pytest.raises(InputError, match=said):
        learning.train("adain", target, content=photos, settings=TINY, **given)
