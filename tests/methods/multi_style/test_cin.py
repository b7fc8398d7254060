"""Many styles in one network: training, blends, regions, starts, model files."""

import dataclasses

import pytest
import torch

from helpers import FLOAT32, photos_in
from helpers import smooth_picture as smooth
from impasto.api import stylize
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.image.dither import dithered
from impasto.methods import config
from impasto.methods.multi_style.cin import Cin, CinConfig
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.methods.per_style.superresolution import SuperResolution
from impasto.models import checkpoint
from impasto.nn.cin import ConditionalNet
from impasto.training.data import Source
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch
from rounding import products, rounding

SMALL = CinConfig(
    width=8,
    blocks=1,
    content_layer="relu2_1",
    style_layers=("relu1_1", "relu2_1", "relu3_1"),
    style_size=64,
)
PLAN = Plan(steps=36, batch=2, learning_rate=1e-2, report_every=6, workers=0)
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def paintings():
    return [samples.painting(name, 256).resized(72, 96).rgb for name in ("fjord", "gold")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = photos_in(tmp_path_factory.mktemp("photos"), 108, 80)
    return Source(tuple(sorted(map(str, folder.iterdir()))), crop=48)


@pytest.fixture(scope="module")
def result(paintings, photos):
    """A short training of two styles."""
    torch.manual_seed(0)
    task = Cin.task(SMALL, paintings, FLOAT32)
    return train(task, PLAN, sources={"content": photos}, runtime=FLOAT32)


def fresh(seed=0):
    """A method of three styles that differ, and learned nothing."""
    torch.manual_seed(seed)
    method = Cin(dataclasses.replace(SMALL, styles=3), FLOAT32)
    torch.nn.init.normal_(method.module.gamma, 1.0, 0.5)
    torch.nn.init.normal_(method.module.beta, 0.0, 0.5)
    return method


@pytest.fixture
def path(tmp_path):
    method = fresh()
    made = method.model(method.module, NAMES, {"kind": "style"})
    checkpoint.save(made, tmp_path / "mine.safetensors", bits=32)
    return str(tmp_path / "mine.safetensors")


def test_the_loss_falls(result):
    assert result.finished
    for name in ("total", "style"):
        assert result.losses[name][-1] < 0.6 * result.losses[name][0]
    assert set(result.losses) == {"total", "style", "content", "palette"}


def test_each_style_learned_its_own_painting(result, paintings):
    """A photo in either style is nearer to its painting than the same photo in the other."""
    task = Cin.task(SMALL, paintings, FLOAT32)
    photo = samples.photo("coffee").resized(64, 64).rgb
    with torch.no_grad():
        painted = result.module(photo.expand(2, -1, -1, -1), torch.eye(2))
    off = torch.zeros(2, 2)
    for style, picture in ((s, p) for s in range(2) for p in range(2)):
        objective = task.styles.fork(torch.tensor([style]))
        off[style, picture] = objective(painted[picture, None])["style"]
    assert off[0, 0] < off[0, 1]
    assert off[1, 1] < off[1, 0]


@pytest.mark.slow
def test_the_same_seed_draws_the_same_styles(paintings, photos):
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        task = Cin.task(SMALL, paintings, FLOAT32)
        plan = dataclasses.replace(PLAN, steps=3)
        done = train(task, plan, sources={"content": photos}, runtime=FLOAT32)
        states.append(done.module.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_every_picture_is_held_against_the_style_that_it_drew(paintings):
    task = Cin.task(dataclasses.replace(SMALL, content_weight=0.0), paintings, FLOAT32)
    batch, drawn = Batch(0, 4, {"content": torch.rand(4, 3, 32, 32)}), []

    def network(photos, weights):
        drawn.append(weights)
        return photos

    torch.manual_seed(0)
    found = task.loss(network, batch)["style"]
    assert set(drawn[0].argmax(1).tolist()) == {0, 1}
    each = []
    for photo, row in zip(batch["content"], drawn[0], strict=True):
        each.append(task.styles.fork(row.argmax()[None])(photo[None])["style"])
    torch.testing.assert_close(found, torch.stack(each).mean(), rtol=1e-4, atol=0)


def test_a_faint_style_counts_as_much_as_a_strong_one():
    """Its gradient would vanish beside the other's if both were measured in one unit."""
    strong = torch.rand(1, 3, 64, 64)
    faint = 0.5 + 0.05 * (torch.rand(1, 3, 64, 64) - 0.5)
    task = Cin.task(SMALL, [strong, faint], FLOAT32)
    photo = samples.photo("coffee").resized(64, 64).rgb
    values = [task.styles.fork(torch.tensor([style]))(photo)["style"] for style in range(2)]
    both = task.styles(photo.expand(2, -1, -1, -1))["style"]
    torch.testing.assert_close(both, (values[0] + values[1]) / 2, rtol=1e-3, atol=0)


def test_a_sample_shows_a_photo_in_the_first_styles(paintings):
    task = Cin.task(SMALL, paintings * 3, FLOAT32)
    assert task.module.gamma.shape[0] == 6
    assert task.sample(task.module) is None
    batch = torch.rand(2, 3, 32, 48)
    task.loss(task.module, Batch(0, 2, {"content": batch}))
    shown = task.sample(task.module.eval())
    assert shown.shape == (1, 3, 32, 5 * 48)
    assert torch.equal(shown[..., :48], batch[:1])


def test_no_painting_is_refused():
    with pytest.raises(InputError, match="give a `style` for each"):
        Cin.task(SMALL, [], FLOAT32)


def test_presets():
    authors = CinConfig.authors()
    assert CinConfig.paper() == authors
    assert (authors.width, authors.blocks, authors.encoder) == (32, 5, "vgg16")
    assert (authors.pooling, authors.losses) == ("average", "gram")
    assert authors.content_layer == "relu3_3"
    assert authors.style_layers == ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    assert authors.style_weight == pytest.approx(4e-4)
    assert not authors.relative
    assert authors.style_size == 0  # the image as it is
    with pytest.raises(InputError, match="styles is 0: it must be 1 or more"):
        CinConfig(styles=0)


@pytest.mark.parametrize("preset", config.PRESETS)
def test_every_preset_builds_and_paints(preset):
    numbers = dataclasses.replace(config.preset(CinConfig, preset), width=4, styles=2)
    method = Cin(numbers, FLOAT32)
    found = method.stylize(torch.rand(1, 3, 30, 21), method.own_style(1))
    assert found.shape == (1, 3, 30, 21)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 5), (33, 47)])
def test_pictures_of_odd_sizes_keep_them(size):
    method, photo = fresh(), torch.rand(1, 3, *size)
    regions = [torch.ones(1, 1, *size), torch.zeros(1, 1, *size)]
    both = method.own_style(0) + method.own_style(2)
    plain = method.stylize(photo, method.own_style(0))
    masked = method.stylize(photo, both, regions=regions)
    assert plain.shape == masked.shape == (1, 3, *size)
    if size != (1, 1):  # one colour has no variance: its norm divides rounding by sqrt(eps)
        torch.testing.assert_close(masked, plain, **rounding(plain, products(method.module)))


def test_through_the_pipeline_by_name(path):
    photo, method = smooth(), fresh()
    for index, name in enumerate(NAMES):
        found = stylize.stylize(photo, f"{path}#{name}", precision="float32", shifts=1).rgb
        assert torch.equal(found, method.stylize(dithered(photo.rgb, 0), method.own_style(index)))
    unnamed = stylize.stylize(photo, path, precision="float32", shifts=1).rgb
    assert torch.equal(unnamed, method.stylize(dithered(photo.rgb, 0), method.own_style(0)))


def test_names_of_one_model_blend_in_one_pass(path, monkeypatch):
    photo, method, passes = smooth(), fresh(), []
    run = Cin.run
    monkeypatch.setattr(Cin, "run", lambda *all, **more: (passes.append(all), run(*all, **more))[1])
    styles = [f"{path}#three", f"{path}#one"]
    found = stylize.stylize(photo, styles, weights=[0.6, 0.2], precision="float32", shifts=1).rgb
    assert len(passes) == 1
    blend = 0.75 * method.own_style(2) + 0.25 * method.own_style(0)
    expected = method.stylize(dithered(photo.rgb, 0), blend)
    near = rounding(expected, products(method.module))
    torch.testing.assert_close(found, expected, **near)


def test_regions_through_the_pipeline(path, monkeypatch):
    """One run; far from the border each side is its style alone."""
    photo, passes = smooth(24, 256), []
    run = Cin.run
    monkeypatch.setattr(Cin, "run", lambda *all, **more: (passes.append(all), run(*all, **more))[1])
    left = torch.zeros(1, 3, 24, 256)
    left[..., :128] = 1
    styles = [f"{path}#one", f"{path}#two"]
    found = stylize.stylize(photo, styles, masks=[Image(left)], precision="float32", shifts=1).rgb
    assert len(passes) == 1
    alone = [stylize.stylize(photo, style, precision="float32", shifts=1).rgb for style in styles]
    torch.testing.assert_close(found[..., :64], alone[0][..., :64], rtol=0, atol=1e-4)
    torch.testing.assert_close(found[..., 192:], alone[1][..., 192:], rtol=0, atol=1e-4)
    kept = stylize.stylize(photo, styles[0], masks=[Image(left)], precision="float32", shifts=1).rgb
    assert torch.equal(kept[..., 128:], photo.rgb[..., 128:])


def test_regions_follow_a_photo_that_was_scaled(path):
    left = torch.zeros(1, 3, 40, 80)
    left[..., :40] = 1
    styles = [f"{path}#one", f"{path}#two"]
    found = stylize.stylize(smooth(40, 80), styles, masks=[Image(left)], style_scale=0.5)
    assert found.rgb.shape == (1, 3, 40, 80)


def test_a_trained_model_paints_the_identical_pictures_from_its_file(result, tmp_path):
    method = Cin(dataclasses.replace(SMALL, styles=2), FLOAT32)
    made = method.model(result.module, ["fjord", "gold"], {})
    checkpoint.save(made, tmp_path / "two.safetensors", bits=32)
    opened = Cin.open(checkpoint.load(tmp_path / "two.safetensors"), FLOAT32)
    method.module.load_state_dict(result.module.state_dict())
    photo = smooth(45, 51).rgb
    pictures = []
    for index in range(2):
        pair = [one.stylize(photo, one.own_style(index)) for one in (method, opened)]
        assert torch.equal(*pair)
        pictures.append(pair[0])
    assert not torch.allclose(*pictures, atol=0.02)
    assert opened.styles == ("fjord", "gold")
    assert opened.config.styles == 2


def test_a_model_counts_its_styles():
    """Training builds its method before it knows how many paintings there are."""
    made = Cin(SMALL, FLOAT32).model(ConditionalNet(3, 8, 1), NAMES, {})
    assert made.config["styles"] == 3
    assert Cin.open(made, FLOAT32).styles == NAMES


def test_start_from_johnson_and_from_its_own_kind():
    numbers = JohnsonConfig(width=8, blocks=1)
    donor = Johnson(numbers, FLOAT32)
    torch.nn.init.normal_(donor.module.encoder[0][1].weight, 1.0, 0.5)
    module = ConditionalNet(2, 8, 1)
    Cin.start(module, donor.model(donor.module, ["wave"], {}))
    assert torch.equal(module.decoder[-1].convolution.weight, donor.module.last.weight)
    for row in module.gamma[:, :8]:
        assert torch.equal(row, donor.module.encoder[0][1].weight)
    again = ConditionalNet(2, 8, 1)
    Cin.start(again, Cin(dataclasses.replace(SMALL, styles=2), FLOAT32).model(module, "ab", {}))
    assert torch.equal(again.gamma, module.gamma)
    with pytest.raises(InputError, match="another shape"):
        Cin.start(ConditionalNet(3, 8, 1), Cin(SMALL, FLOAT32).model(module, "ab", {}))
    other = SuperResolution(SuperResolution.Config(), FLOAT32)
    with pytest.raises(InputError, match="a model of superres, not of cin or johnson"):
        Cin.start(module, other.model(other.module, ["x4"], {}))
