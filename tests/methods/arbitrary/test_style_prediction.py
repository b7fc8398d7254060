"""Predicted styles: the loss, embeddings and their blends, alpha, masks, starts, files, verbs."""

import dataclasses

import pytest
import torch

from helpers import FLOAT32, encoded, smooth, training_folders, training_sources
from impasto import image
from impasto.api import load, stylize
from impasto.api import train as learning
from impasto.api.encode import encode
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.image.dither import dithered
from impasto.losses.gram import gram_matrix
from impasto.losses.moments import moments
from impasto.methods import style as style_file
from impasto.methods.arbitrary.style_prediction import StylePrediction, StylePredictionConfig
from impasto.methods.multi_style.cin import Cin, CinConfig
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.methods.per_style.superresolution import SuperResolution
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import checkpoint
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch
from rounding import products, rounding

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
INPUTS = 2 * (64 + 128 + 256)
SMALL = StylePredictionConfig(
    embedding=10, width=8, blocks=1, content_layer="relu2_1", style_layers=LAYERS
)
PLAN = Plan(steps=32, batch=2, learning_rate=1e-2, clip=1.0, report_every=8, workers=0)


def fresh(seed=0, **options):
    """A method that has learned nothing, but whose styles differ visibly."""
    torch.manual_seed(seed)
    method = StylePrediction(dataclasses.replace(SMALL, **options), FLOAT32)
    rows = (
        torch.rand(20, method.config.reader.numbers, generator=torch.Generator().manual_seed(1))
        * 100
    )
    method.module.predictor.measure(rows)
    torch.nn.init.normal_(method.module.predictor.head.weight, std=0.5)
    return method


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return training_folders(tmp_path_factory.mktemp, ("wave", "gold"))


@pytest.fixture(scope="module")
def sources(places):
    return training_sources(places)


def learn(sources, plan=PLAN, **options):
    torch.manual_seed(plan.seed)
    task = StylePrediction.task(dataclasses.replace(SMALL, **options), [], FLOAT32)
    return train(task, plan, sources=sources, runtime=FLOAT32)


@pytest.fixture(scope="module")
def result(sources):
    return learn(sources)


@pytest.mark.slow
def test_the_losses_fall(result):
    assert result.finished
    assert set(result.losses) == {"total", "content", "style", "palette", "identity"}
    for name in ("total", "style"):
        assert result.losses[name][-1] < 0.6 * result.losses[name][0]


@pytest.mark.slow
def test_each_painting_gets_its_own_style(result):
    """A photo in either style is nearer to its painting than the same photo in the other."""
    method = StylePrediction(SMALL, FLOAT32)
    method.module.load_state_dict(result.module.state_dict())
    task = StylePrediction.task(SMALL, [], FLOAT32)
    photo = samples.photo("coffee").resized(64, 64).rgb
    paintings = [samples.painting(name, 128).resized(64, 64).rgb for name in ("wave", "gold")]
    painted = [method.stylize(photo, method.encode(painting)) for painting in paintings]
    off = [
        [float(task.config.style_objective(task.encoder, s)(p)["style"]) for s in paintings]
        for p in painted
    ]
    assert off[0][0] < off[1][0]
    assert off[1][1] < off[0][1]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(sources):
    short = dataclasses.replace(PLAN, steps=3)
    first, again = (learn(sources, short).module.state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@pytest.mark.slow
def test_every_photo_is_held_against_the_painting_that_was_read():
    task = StylePrediction.task(dataclasses.replace(SMALL, identity=0), [], FLOAT32)
    photos, paintings = torch.rand(3, 3, 32, 32), torch.cat([smooth(32, 32, i) for i in range(3)])
    given = []

    def network(*all):
        given.append(all)
        return photos

    losses = task.loss(network, Batch(0, 3, {"content": photos, "style": paintings}))
    seen, each = given[0][1:]
    assert torch.equal(each, torch.eye(3))
    features = task.encoder(paintings, LAYERS)
    expected = [part for layer in LAYERS for part in moments(features[layer])]
    torch.testing.assert_close(seen, torch.cat(expected, 1))
    alone = []
    for photo, painting in zip(photos, paintings, strict=True):
        found, wanted = task.encoder(photo[None], LAYERS), task.encoder(painting[None], LAYERS)
        for layer in LAYERS:
            ours, theirs = (gram_matrix(f[layer], normalization="chw") for f in (found, wanted))
            alone.append((ours - theirs).square().mean() / theirs.square().mean())
    torch.testing.assert_close(losses["style"], 12 * torch.stack(alone).mean())
    assert losses["content"] == 0


@pytest.mark.parametrize(("identity", "steps"), [(0, []), (1, [0, 1, 2, 3, 4]), (3, [2])])
def test_in_some_steps_photos_are_their_own_style(identity, steps):
    task = StylePrediction.task(dataclasses.replace(SMALL, identity=identity), [], FLOAT32)
    batch, read = {"content": torch.rand(1, 3, 32, 32), "style": smooth(32, 32)}, []
    own, other = (
        task.config.reader.read(task.encoder, batch[name]) for name in ("content", "style")
    )
    for step in range(5):
        losses = task.loss(
            lambda photos, seen, _: (read.append(seen), photos)[1], Batch(step, 1, batch)
        )
        torch.testing.assert_close(read[-1], own if step in steps else other)
        if step in steps:
            assert set(losses) == {"total", "identity"}
            assert losses["total"] < 1e-4, "a photo given back is what is wanted"


def test_only_the_two_networks_learn():
    task = StylePrediction.task(SMALL, [], FLOAT32)
    batch = {"content": smooth(32, 32), "style": smooth(32, 32, 1)}
    task.loss(task.module, Batch(0, 1, batch))["total"].backward()
    assert not any(weight.requires_grad for weight in task.encoder.parameters())
    assert all(weight.grad is not None for weight in task.module.parameters())


def test_it_learns_from_places_of_pictures():
    with pytest.raises(InputError, match="give a folder as `style`"):
        StylePrediction.task(SMALL, [smooth(16, 16)], FLOAT32)


def test_a_sample_shows_the_photo_the_painting_and_the_result():
    task = StylePrediction.task(SMALL, [], FLOAT32)
    assert task.sample(task.module) is None
    content, style = smooth(32, 48), smooth(32, 48, 1)
    task.loss(task.module, Batch(0, 1, {"content": content, "style": style}))
    shown = task.sample(task.module)
    assert shown.shape == (1, 3, 32, 144)
    assert torch.equal(shown[..., :96], torch.cat([content, style], dim=-1))


def test_a_style_is_statistics_that_any_model_can_embed():
    one, other, picture = fresh(), fresh(seed=5), smooth(40, 56)
    (part,) = one.encode(picture).parts
    assert {name: tuple(value.shape) for name, value in part.tensors.items()} == {
        "statistics": (1, INPUTS)
    }
    assert torch.equal(other.encode(picture).parts[0].tensors["statistics"], *part.tensors.values())
    embedded = one.embeddings(one.encode(picture))
    assert embedded.shape == (1, 10)
    assert not torch.allclose(embedded, other.embeddings(one.encode(picture)))


def painted_with(method, x, embedded):
    """What the painter makes with the norms of an embedding (1, E)."""
    with torch.no_grad():
        tables = method.module.norms(embedded)
        return method.module.painter.paint(x, torch.ones(1, 1), *tables)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_alpha_goes_from_the_photos_own_embedding_to_the_styles(alpha):
    method, x = fresh(alpha=alpha), smooth(32, 48)
    style = method.encode(smooth(40, 40, 1))
    own, theirs = method.embeddings(method.encode(x)), method.embeddings(style)
    assert not torch.allclose(own, theirs, atol=0.1)
    expected = painted_with(method, x, torch.lerp(own, theirs, alpha))
    near = rounding(expected, products(method.module))
    torch.testing.assert_close(method.stylize(x, style), expected, **near)


def test_the_photo_is_read_only_where_it_takes_part(monkeypatch):
    method, x = fresh(), smooth(32, 48)
    style = method.encode(smooth(40, 40, 1))
    monkeypatch.setattr(method, "encode", lambda picture: pytest.fail("the photo was encoded"))
    method.stylize(x, style)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_blends_are_linear_in_the_embedding(alpha):
    method, x = fresh(alpha=alpha), smooth(32, 48)
    first, second = (method.encode(smooth(40, 40, seed)) for seed in (1, 2))
    blend = 0.3 * first + 0.7 * second
    embedded = method.embeddings(blend)
    assert embedded.shape == (2, 10)
    theirs = 0.3 * embedded[:1] + 0.7 * embedded[1:]
    own = method.embeddings(method.encode(x))
    expected = painted_with(method, x, torch.lerp(own, theirs, alpha))
    found, near = method.stylize(x, blend), rounding(expected, products(method.module))
    torch.testing.assert_close(found, expected, **near)
    torch.testing.assert_close(method.stylize(x, 3 * blend), found, **near)  # weights are shares
    whole = method.stylize(x, 1.0 * first + 0.0 * second)
    torch.testing.assert_close(whole, method.stylize(x, first), **near)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_masks_put_each_style_in_its_place(alpha):
    method, x = fresh(alpha=alpha), smooth(16, 256)
    first, second = (method.encode(smooth(40, 40, seed)) for seed in (1, 2))
    left = torch.zeros(1, 1, 16, 256)
    left[..., :128] = 1
    found = method.stylize(x, 0.2 * first + 0.8 * second, regions=(left, 1 - left))
    one, other = (method.stylize(x, style) for style in (first, second))
    torch.testing.assert_close(found[..., :64], one[..., :64], rtol=0, atol=1e-3)
    torch.testing.assert_close(found[..., 192:], other[..., 192:], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "alpha"), [((1, 1), 0.5), ((1, 50), 1.0), ((7, 5), 0.5), ((33, 47), 1.0)]
)
def test_pictures_of_any_size_keep_it(size, alpha):
    method, x = fresh(alpha=alpha), smooth(*size)
    style = method.encode(smooth(*size[::-1], seed=1))
    found = method.stylize(x, style)
    assert found.shape == (1, 3, *size)
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 1
    regions = [torch.ones(1, 1, *size), torch.zeros(1, 1, *size)]
    masked = method.stylize(x, style + method.encode(smooth(9, 9, 2)), regions=regions)
    if size != (1, 1):  # one colour has no variance: its norm divides rounding by sqrt(eps)
        torch.testing.assert_close(masked, found, rtol=0, atol=1e-3)


def test_styles_that_are_not_its_own():
    method, x = fresh(), smooth(16, 16)
    style = method.encode(smooth(40, 40, 1))
    for wrong, said in (
        (Style("gatys", (Part({}),)), "encoded by gatys, not by style-prediction"),
        (fresh(style_layers=LAYERS[:2]).encode(x), "of other layers of the encoder"),
        (Style(method.name, (Part({}),)), "of other layers of the encoder"),
        (-1.0 * style, "must not be negative"),
        (0.0 * style, "nor all 0"),
    ):
        with pytest.raises(InputError, match=said):
            method.stylize(x, wrong)


def test_the_smoothness_is_part_of_the_loss():
    task = StylePrediction.task(dataclasses.replace(SMALL, tv_weight=2.0), [], FLOAT32)
    batch = {"content": smooth(32, 32), "style": smooth(32, 32, 1)}
    assert task.loss(task.module, Batch(0, 1, batch))["smoothness"] > 0


def test_start_from_johnson_from_cin_and_from_its_own_kind():
    donor = Johnson(JohnsonConfig(width=8, blocks=1), FLOAT32)
    torch.nn.init.normal_(donor.module.encoder[0][1].weight, 1.0, 0.5)
    module = fresh().module
    StylePrediction.start(module, donor.model(donor.module, ["wave"], {}))
    assert torch.equal(module.painter.convolutions[-1].weight, donor.module.last.weight)
    assert torch.equal(module.painter.gamma[0, :8], donor.module.encoder[0][1].weight)
    many = Cin(CinConfig(width=8, blocks=1, styles=2), FLOAT32)
    torch.nn.init.normal_(many.module.beta)
    StylePrediction.start(module, many.model(many.module, ["a", "b"], {}))
    torch.testing.assert_close(module.painter.beta, many.module.beta.mean(0, keepdim=True))
    method, again = fresh(seed=7), fresh().module
    StylePrediction.start(again, method.model(method.module, ["any"], {}))
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in method.module.state_dict().items())


def test_what_it_cannot_start_from():
    module, wide = fresh().module, Johnson(JohnsonConfig(width=16, blocks=1), FLOAT32)
    with pytest.raises(InputError, match="another shape"):
        StylePrediction.start(module, wide.model(wide.module, ["wave"], {}))
    other = SuperResolution(SuperResolution.Config(), FLOAT32)
    with pytest.raises(InputError, match="of superres, not of style-prediction, johnson or cin"):
        StylePrediction.start(module, other.model(other.module, ["x4"], {}))


# from here on: files, the pipeline, training by name


@pytest.fixture
def saved(tmp_path):
    method = fresh()
    path = tmp_path / "mine.safetensors"
    checkpoint.save(method.model(method.module, ["mine"], {"kind": method.kind}), path, bits=32)
    return method, path


def test_a_model_paints_the_identical_picture_from_its_file(saved):
    method, path = saved
    opened = StylePrediction.open(checkpoint.load(path), FLOAT32)
    x, y = smooth(45, 51), smooth(30, 30, 1)
    assert torch.equal(*(m.stylize(x, m.encode(y)) for m in (method, opened)))
    assert opened.config == method.config


def test_a_model_of_half_the_digits_paints_nearly_the_same(saved, tmp_path):
    method, _ = saved
    checkpoint.save(
        method.model(method.module, ["mine"], {"kind": "any"}), tmp_path / "h.safetensors"
    )
    opened = StylePrediction.open(checkpoint.load(tmp_path / "h.safetensors"), FLOAT32)
    x, y = smooth(45, 51), smooth(30, 30, 1)
    one, other = (m.stylize(x, m.encode(y)) for m in (method, opened))
    assert (one - other).abs().mean() < 0.01


def test_a_model_stands_where_a_method_may_stand(saved):
    method, path = saved
    x, y = Image(smooth(40, 40)), Image(smooth(40, 40, 1))
    options = {"precision": "float32", "device": "cpu"}
    found = stylize.stylize(x, y, method=str(path), shifts=1, **options).rgb
    seen = dithered(x.rgb, 0)  # as the pipeline does
    torch.testing.assert_close(found, method.stylize(seen, encoded(method, y, x)))
    half = stylize.stylize(x, y, method=str(path), settings={"alpha": "0.5"}, **options).rgb
    assert not torch.allclose(half, found, atol=1e-4)
    with pytest.raises(InputError, match=r"style_weight cannot be changed.*change alpha"):
        load.get_method(str(path), Ability.STYLIZE, settings={"style_weight": "3"})


def test_masks_through_the_pipeline(saved, monkeypatch):
    """One run of the network, with a region for each painting."""
    path, passes = saved[1], []
    run = StylePrediction.run
    monkeypatch.setattr(StylePrediction, "run", lambda *a, **k: (passes.append(a), run(*a, **k))[1])
    left = torch.zeros(1, 3, 24, 48)
    left[..., :24] = 1
    styles = [Image(smooth(40, 40, seed)) for seed in (1, 2)]
    photo = Image(smooth(24, 48))
    found = stylize.stylize(photo, styles, masks=[Image(left)], method=str(path), shifts=1)
    assert found.rgb.shape == (1, 3, 24, 48)
    assert len(passes) == 1


def test_a_style_in_a_file(saved, tmp_path):
    method, path = saved
    x, y = Image(smooth(40, 40)), Image(smooth(40, 40, 1))
    kept = encode([y, Image(smooth(30, 30, 2))], method=str(path), precision="float32")
    kept.save(tmp_path / "y.style")
    loaded = style_file.load(tmp_path / "y.style")
    assert torch.equal(method.stylize(x.rgb, loaded), method.stylize(x.rgb, kept))
    found = stylize.stylize(x, loaded, method=str(path), precision="float32", shifts=1).rgb
    torch.testing.assert_close(found, method.stylize(dithered(x.rgb, 0), kept))


def test_the_verbs_on_the_command_line(saved, impasto, tmp_path):
    image.save(Image(smooth(40, 30)), tmp_path / "photo.png")
    image.save(Image(smooth(30, 40, 1)), tmp_path / "painting.png")
    model_file = tmp_path / "mine.safetensors"
    done = impasto("encode", "painting.png", "-m", model_file, "-o", "y.style")
    assert done.code == 0, done.err
    for style in ("painting.png", "y.style"):
        done = impasto("stylize", "photo.png", "-s", style, "-m", model_file, "-o", "out.png")
        assert done.code == 0, done.err
        assert image.load("out.png").size == (30, 40)


@pytest.mark.slow
def test_training_by_name(places, tmp_path):
    target = tmp_path / "any.safetensors"
    settings = {"steps": "3", "batch": "2", "crop": "32", "workers": "0", "width": "4"}
    settings |= {"blocks": "1", "style_layers": "relu1_1,relu2_1", "content_layer": "relu2_1"}
    options = {"content": places["content"], "style": str(places["style"]), "settings": settings}
    trained = learning.train("style-prediction", target, precision="float32", **options)
    card = trained.model.card
    assert card["data"] == {"content": {"pictures": 3}, "style": {"pictures": 2}}
    assert card["kind"] == "any"
    assert trained.model.styles == ("any",)
    assert stylize.stylize(Image(smooth(20, 31)), Image(smooth(9, 9)), method=str(target))
    again = learning.train("style-prediction", tmp_path / "b.safetensors", start=target, **options)
    assert again.result.finished


def test_models_from_before_the_choice_read_statistics():
    made = fresh().model(fresh().module, ["any"], {"kind": "any"})
    older = {name: value for name, value in made.config.items() if name != "predictor"}
    opened = StylePrediction.open(dataclasses.replace(made, config=older), FLOAT32)
    assert opened.config.predictor == "statistics"
