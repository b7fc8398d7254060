"""The meta network: training, styles, blends, any size, the model of one painting, files."""

import dataclasses
from functools import partial

import pytest
import torch

from helpers import FLOAT32, encoded, smooth, training_folders, training_sources
from impasto.api import stylize
from impasto.api import train as learning
from impasto.errors import InputError, WeightsError
from impasto.image import Image, samples
from impasto.image.dither import dithered
from impasto.losses.moments import moments
from impasto.methods import config
from impasto.methods import style as style_file
from impasto.methods.arbitrary.meta_network import MetaNetwork, MetaNetworkConfig
from impasto.methods.arbitrary.statistics import StatsReader, sample_stats
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.methods.per_style.superresolution import SuperResolution
from impasto.methods.style import Part, Style
from impasto.models import checkpoint
from impasto.nn.vgg import Encoder
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.shift import paired
from impasto.training.task import Batch
from rounding import products, rounding

LAYERS = ("relu1_1", "relu2_1")
SMALL = MetaNetworkConfig(
    width=4, blocks=1, slice_width=16, style_layers=LAYERS, content_layer="relu2_1", paintings=2
)
PLAN = Plan(steps=40, batch=4, learning_rate=3e-3, report_every=8, workers=0)


def fresh(seed=0, **options):
    """A network that has learned nothing, but has units; its styles differ."""
    torch.manual_seed(seed)
    method = MetaNetwork(dataclasses.replace(SMALL, **options), FLOAT32)
    reader = method.config.reader
    method.module.standardize(sample_stats(reader, FLOAT32.device), reader.groups)
    torch.nn.init.normal_(method.module.base.last.weight, std=0.1)
    return method


def saved(method, path, **card):
    made = method.model(method.module, ["mine"], {"kind": method.kind, **card})
    checkpoint.save(made, path, bits=32)
    return str(path)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return training_folders(tmp_path_factory.mktemp, ("wave", "mosaic", "gold"), 80)


@pytest.fixture(scope="module")
def sources(places):
    return training_sources(places)


def learn(sources, plan=PLAN, **options):
    torch.manual_seed(plan.seed)
    task = MetaNetwork.task(dataclasses.replace(SMALL, **options), [], FLOAT32)
    return train(task, plan, sources=sources, runtime=FLOAT32)


@pytest.fixture(scope="module")
def result(sources):
    return learn(sources)


@pytest.mark.slow
def test_the_loss_falls(result):
    assert result.finished
    assert set(result.losses) == {"total", "content", "style", "palette"}
    assert result.losses["total"][-1] < 0.6 * result.losses["total"][0]
    assert result.losses["style"][-1] < 0.6 * result.losses["style"][0]


@pytest.mark.slow
def test_each_painting_gets_its_own_style(result):
    """A photo with either painting is nearer to that painting than with the other."""
    method = fresh()
    method.module.load_state_dict(result.module.state_dict())
    style_of = partial(SMALL.style_objective, method.encoder)
    photo = samples.photo("coffee").resized(64, 64).rgb
    paintings = [samples.painting(name, 128).resized(80, 80).rgb for name in ("wave", "gold")]
    painted = [method.stylize(photo, method.encode(painting)) for painting in paintings]
    off = torch.tensor(
        [[style_of(painting)(p)["style"] for p in painted] for painting in paintings]
    )
    assert off[0, 0] < off[0, 1]
    assert off[1, 1] < off[1, 0]


@pytest.mark.slow
def test_moments_can_be_the_loss(sources):
    plan = dataclasses.replace(PLAN, steps=24, report_every=6)
    options = {"losses": "moments", "tv_weight": 1e-3, "hidden_relu": True, "affine": False}
    result = learn(sources, plan, **options)
    assert set(result.losses) == {"total", "content", "style", "smoothness", "palette"}
    assert result.losses["total"][-1] < 0.8 * result.losses["total"][0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(sources):
    short = dataclasses.replace(PLAN, steps=2)
    first, again = (learn(sources, short).module.state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@pytest.mark.slow
def test_every_photo_is_held_against_the_painting_it_was_painted_with():
    task = MetaNetwork.task(dataclasses.replace(SMALL, content_weight=0.0), [], FLOAT32)
    photos = torch.cat([smooth(32, 32, seed) for seed in range(5)])
    paintings = torch.cat([smooth(32, 32, seed) for seed in range(5, 10)])
    handed = []

    def network(given, seen):
        handed.append((given, seen))
        return given

    found = task.loss(network, Batch(0, 5, {"content": photos, "style": paintings}))["style"]
    given, seen = handed[0]
    assert torch.equal(given, photos[:4]), "two photos for each of the first two paintings"
    features = [task.encoder(painting, LAYERS) for painting in paintings[:2, None]]
    rows = [torch.cat([m for n in LAYERS for m in moments(f[n])], 1) for f in features]
    near = rounding(seen, products(task.encoder))
    torch.testing.assert_close(seen, torch.cat(rows), **near)
    each = [
        SMALL.style_objective(task.encoder, paintings[i // 2, None])(photos[i, None])["style"]
        for i in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(each).mean(), rtol=1e-4, atol=0)


def test_only_the_networks_learn():
    task = MetaNetwork.task(SMALL, [], FLOAT32)
    pictures = {"content": smooth(32, 32), "style": smooth(32, 32, 1)}
    task.loss(task.module, Batch(0, 1, pictures))["total"].backward()
    assert not any(weight.requires_grad for weight in task.encoder.parameters())
    assert all(weight.grad is not None for weight in task.module.parameters())


def test_a_sample_shows_the_photo_the_painting_and_the_result():
    task = MetaNetwork.task(SMALL, [], FLOAT32)
    assert task.sample(task.module) is None
    content, style = smooth(32, 48), smooth(32, 48, 1)
    task.loss(task.module, Batch(0, 1, {"content": content, "style": style}))
    shown = task.sample(task.module)
    assert shown.shape == (1, 3, 32, 144)
    assert torch.equal(shown[..., :96], torch.cat([content, style], dim=-1))


def test_what_it_cannot_learn_from():
    with pytest.raises(InputError, match="give a folder as `style`"):
        MetaNetwork.task(SMALL, [smooth()], FLOAT32)
    with pytest.raises(InputError, match="does not learn: train the one that writes it"):
        MetaNetwork.task(dataclasses.replace(SMALL, generated=True), [], FLOAT32)


def test_a_style_is_the_moments_of_its_features():
    method, picture = fresh(), smooth(40, 56)
    (part,) = method.encode(picture).parts
    features = method.encoder(picture, LAYERS)
    expected = [one for name in LAYERS for one in moments(features[name])]
    torch.testing.assert_close(part.tensors["moments"], torch.cat(expected, 1))
    assert part.tensors["moments"].shape == (1, 2 * (64 + 128))
    assert MetaNetworkConfig().reader.numbers == 1920


def test_styles_belong_to_no_training():
    """Another model of the same layers paints with a style of this one."""
    first, second, x = fresh(), fresh(seed=1), smooth()
    style = first.encode(smooth(40, 40, 1))
    assert torch.equal(
        second.stylize(x, style), second.stylize(x, second.encode(smooth(40, 40, 1)))
    )
    other = Style("meta-network", (Part({"moments": torch.ones(1, 128)}),))
    with pytest.raises(InputError, match="is of other layers of the encoder: encode it anew"):
        first.stylize(x, other)


@pytest.mark.parametrize(
    ("size", "unpadded"),
    [((1, 1), False), ((1, 50), True), ((17, 33), False), ((45, 51), True)],
)
def test_pictures_of_any_size_keep_it(size, unpadded):
    method = fresh(unpadded=unpadded)
    found = method.stylize(smooth(*size), method.encode(smooth(*size[::-1], seed=1)))
    assert found.shape == (1, 3, *size)
    assert 0 <= found.min() <= found.max() <= 1


def test_blends_are_sums_of_generated_weights():
    method, x = fresh(), smooth()
    first, second = (method.encode(smooth(40, 40, seed)) for seed in (1, 2))
    numbers = [
        method.specialize(style, "x", {}).state
        for style in (first, second, 3 * first + second, 0.75 * first + 0.25 * second)
    ]
    for name, value in numbers[2].items():
        expected = 0.75 * numbers[0][name] + 0.25 * numbers[1][name]
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(value, numbers[3][name], rtol=1e-4, atol=1e-5)
    found = method.stylize(x, 3 * first + second)
    torch.testing.assert_close(found, method.stylize(x, 0.75 * first + 0.25 * second))
    torch.testing.assert_close(method.stylize(x, 0.2 * first), method.stylize(x, first))
    assert not torch.allclose(found, method.stylize(x, first), atol=1e-4)


def test_styles_that_are_refused():
    method, x = fresh(), smooth()
    style = method.encode(smooth(16, 16))
    for wrong, said in (
        (Style("gatys", (Part({}),)), "encoded by gatys, not by meta-network"),
        (0.0 * style, "must not be negative, nor all 0"),
        (-1.0 * style, "must not be negative, nor all 0"),
        (Style("meta-network", (Part({}),)), "encode it anew"),
    ):
        with pytest.raises(InputError, match=said):
            method.stylize(x, wrong)
        with pytest.raises(InputError, match=said):
            method.specialize(wrong, "x", {})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"width": 0}, "must be 1 or more"),
        ({"paintings": 0}, "must be 1 or more"),
        ({"blocks": -1}, "blocks is -1: it must be 0 or more"),
        ({"style_layers": ()}, "style_layers is empty"),
        ({"style_layers": ("relu9",)}, "unknown layer 'relu9'"),
        ({"style_layers": ("relu3_4",), "encoder": "vgg16"}, "unknown layer 'relu3_4'"),
        ({"encoder": "vgg11"}, "unknown encoder 'vgg11': choose vgg16, vgg19"),
        ({"upsampling": "cubic"}, "unknown upsampling"),
    ],
)
def test_numbers_that_make_no_sense(wrong, said):
    with pytest.raises(InputError, match=said):
        MetaNetwork(MetaNetworkConfig(**wrong), FLOAT32)


def test_presets():
    paper, authors = MetaNetworkConfig.paper(), MetaNetworkConfig.authors()
    assert (paper.shortcuts, authors.shortcuts) == (True, False)
    assert dataclasses.replace(paper, shortcuts=False) == authors
    assert (authors.encoder, authors.losses, authors.relative) == ("vgg16", "0.5 moments", False)
    assert authors.style_layers == ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    assert authors.style_weight == 4 * 250
    assert authors.tv_weight == pytest.approx(0.41342, rel=1e-4)
    assert (authors.hidden_relu, authors.affine) == (False, False)
    assert authors.reader.numbers == 1920


@pytest.mark.slow
def test_the_authors_total_variation_is_ten_times_a_mean():
    """Their layer: squared differences of values of 0 to 255, over the number of values."""
    authors = MetaNetworkConfig.authors()
    numbers = dataclasses.replace(authors, encoder="vgg19", style_layers=("relu1_1",))
    batch = torch.rand(8, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    values = 255 * batch.double()
    squares = values.diff(dim=2).square().sum() + values.diff(dim=3).square().sum()
    objective = numbers.style_objective(Encoder(depth="relu1_1"), batch[:1])
    ours = objective(batch)["smoothness"]
    # a float32 sum of 3 million terms, pairwise: a few rounding errors of 6e-8 each
    assert float(ours) == pytest.approx(float(10 * squares / values.numel()), rel=1e-5)


@pytest.mark.parametrize("preset", config.PRESETS)
def test_every_preset_generates_the_papers_network(preset):
    """With fresh weights, and VGG-19 for the VGG-16 that is to be downloaded."""
    numbers = dataclasses.replace(config.preset(MetaNetworkConfig, preset), encoder="vgg19")
    method = MetaNetwork(numbers, FLOAT32)
    small = method.module.network(torch.rand(1, 1920), torch.ones(1, 1))
    assert small.weights == 112_048
    found = method.stylize(smooth(30, 21), method.encode(smooth(16, 16)))
    assert found.shape == (1, 3, 30, 21)


def test_it_starts_from_its_own_kind_and_from_johnson():
    module = MetaNetwork.network(SMALL)
    other = fresh(seed=1)
    MetaNetwork.start(module, other.model(other.module, ["a"], {}))
    assert torch.equal(module.hidden.weight, other.module.hidden.weight)
    small = other.specialize(other.encode(smooth()), "b", {})
    MetaNetwork.start(module, small)
    assert torch.equal(
        module.base.layers[0].convolution.weight, small.state["layers.0.convolution.weight"]
    )
    donor = Johnson(JohnsonConfig(width=4, blocks=1), FLOAT32)
    MetaNetwork.start(module, donor.model(donor.module, ["wave"], {}))
    assert torch.equal(module.base.last.weight, donor.module.last.weight)
    wide, flat = Johnson(JohnsonConfig(width=8, blocks=1), FLOAT32), fresh(slice_width=8)
    for other in (wide, flat):
        with pytest.raises(InputError, match="another shape"):
            MetaNetwork.start(module, other.model(other.module, ["a"], {}))
    upscale = SuperResolution(SuperResolution.Config(), FLOAT32)
    with pytest.raises(InputError, match="a model of superres, not of meta-network or johnson"):
        MetaNetwork.start(module, upscale.model(upscale.module, ["x4"], {}))


# from here on: the model of one painting, files, the pipeline, training by name


def test_the_small_network_paints_the_identical_picture():
    method, x = fresh(), smooth(45, 51)
    style = method.encode(smooth(30, 30, 1))
    small = MetaNetwork.open(method.specialize(style, "wave", {}), FLOAT32)
    assert small.kind == "style"
    assert torch.equal(small.stylize(x, small.own_style()), method.stylize(x, style))
    with pytest.raises(InputError, match="the model of one painting: name it as the style"):
        small.encode(x)
    with pytest.raises(InputError, match="writes no networks"):
        small.specialize(style, "again", {})


def test_a_model_paints_the_identical_picture_from_its_file(tmp_path):
    method = fresh()
    opened = MetaNetwork.open(checkpoint.load(saved(method, tmp_path / "m.safetensors")), FLOAT32)
    x, y = smooth(45, 51), smooth(30, 30, 1)
    assert torch.equal(*(m.stylize(x, m.encode(y)) for m in (method, opened)))
    assert opened.config == method.config


def test_a_model_of_another_shape_is_refused():
    method = fresh()
    made = method.model(method.module, ["mine"], {})
    with pytest.raises(WeightsError, match="does not fit"):
        MetaNetwork.open(dataclasses.replace(made, config={**made.config, "width": 8}), FLOAT32)


def test_a_model_stands_where_a_method_may_stand(tmp_path):
    method = fresh()
    path = saved(method, tmp_path / "mine.safetensors")
    x, y = Image(smooth(40, 40)), Image(smooth(40, 40, 1))
    options = {"precision": "float32", "device": "cpu", "method": path, "shifts": 1}
    found = stylize.stylize(x, y, **options).rgb
    seen = dithered(x.rgb, 0)  # as the pipeline does
    torch.testing.assert_close(found, method.stylize(seen, encoded(method, y, x)))
    left = torch.zeros(1, 3, 40, 40)
    left[..., :20] = 1
    masked = stylize.stylize(x, [y, x], masks=[Image(left)], **options).rgb
    torch.testing.assert_close(masked[..., :20], found[..., :20])
    with pytest.raises(InputError, match="width cannot be changed after training meta-network"):
        stylize.stylize(x, y, settings={"width": "32"}, **options)


def test_a_style_in_a_file(tmp_path):
    method = fresh()
    path = saved(method, tmp_path / "mine.safetensors")
    x, y = Image(smooth(40, 40)), smooth(40, 40, 1)
    (0.5 * method.encode(y)).save(tmp_path / "y.style")
    kept = style_file.load(tmp_path / "y.style")
    assert kept.parts[0].weight == 0.5
    found = stylize.stylize(x, kept, method=path, precision="float32", shifts=1).rgb
    torch.testing.assert_close(found, method.stylize(dithered(x.rgb, 0), method.encode(y)))
    with pytest.raises(InputError, match="encoded by meta-network: leave `method` out"):
        stylize.stylize(x, kept, method="gatys")


@pytest.mark.slow
def test_training_by_name(places, tmp_path):
    tiny = {"steps": "2", "batch": "2", "crop": "32", "workers": "0", "slice_width": "4"}
    tiny |= {"width": "4", "blocks": "0", "style_layers": "relu1_1", "content_layer": "relu2_1"}
    target = tmp_path / "any.safetensors"
    options = {"content": places["content"], "style": str(places["style"]), "settings": tiny}
    trained = learning.train("meta-network", target, precision="float32", **options)
    assert trained.model.card["kind"] == "any"
    assert trained.model.card["data"] == {"content": {"pictures": 3}, "style": {"pictures": 3}}
    assert stylize.stylize(Image(smooth(20, 31)), Image(smooth(9, 9)), method=str(target))
    again = learning.train("meta-network", tmp_path / "b.safetensors", start=target, **options)
    assert again.result.finished


def test_the_reader_refuses_to_read_nothing():
    with pytest.raises(InputError, match="style_layers is empty"):
        StatsReader("vgg19", "caffe", "max", None, ())


@pytest.mark.parametrize("count", [2, 4, 6])
def test_both_photos_of_a_pair_get_the_same_painting(count, monkeypatch):
    numbers = dataclasses.replace(SMALL, paintings=4)
    task = MetaNetwork.task(numbers, [], FLOAT32)
    sources = {name: torch.rand(count, 3, 32, 32) for name in ("content", "style")}
    seen = {}

    def objective(self, style, photos, index):
        seen.update(photos=photos, index=index)
        return plain(self, style, photos, index)

    plain = MetaNetworkConfig.objective
    monkeypatch.setattr(MetaNetworkConfig, "objective", objective)
    task.loss(task.module, paired(Batch(0, count, sources), 1.0))
    assert len(seen["photos"]) == count
    assert torch.equal(seen["index"][0::2], seen["index"][1::2])
