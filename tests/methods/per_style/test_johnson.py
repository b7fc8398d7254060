"""Johnson's method: its losses fall in a short training, its presets, its pictures."""

import dataclasses

import pytest
import torch

from helpers import FLOAT32, photos_in
from impasto.core.device import Runtime
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.losses.content import content_loss
from impasto.methods import config
from impasto.methods.per_style.johnson import LOSSES, Johnson, JohnsonConfig, JohnsonTask
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import checkpoint
from impasto.training.data import Source
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.shift import paired
from impasto.training.task import Batch

SMALL = JohnsonConfig(
    width=8,
    blocks=1,
    content_layer="relu2_1",
    style_layers=("relu1_1", "relu2_1", "relu3_1"),
    style_size=64,
)
PLAN = Plan(steps=30, batch=2, learning_rate=5e-3, report_every=5, workers=0)


@pytest.fixture(scope="module")
def painting():
    return samples.painting("fjord", 256).resized(96, 128).rgb


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = photos_in(tmp_path_factory.mktemp("photos"), 108, 80)
    return Source(tuple(sorted(map(str, folder.iterdir()))), crop=48)


def learn(painting, photos, plan=PLAN, **options):
    """A short training from a fixed seed."""
    torch.manual_seed(plan.seed)
    numbers = dataclasses.replace(SMALL, **options)
    task = Johnson.task(numbers, [painting], FLOAT32)
    return train(task, plan, sources={"content": photos}, runtime=FLOAT32)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "norm"), list(zip(LOSSES, ("instance", "batch"), strict=True)))
def test_the_loss_falls(painting, photos, norm, loss):
    result = learn(painting, photos, norm=norm, loss=loss)
    assert result.finished
    assert result.steps == PLAN.steps
    total = result.losses["total"]  # means of five steps each
    assert total[-1] < 0.5 * total[0]
    assert result.losses["style"][-1] < 0.5 * result.losses["style"][0]
    assert set(result.losses) == {"total", "style", "pixel" if loss == "pixel" else "content"}


def test_the_same_seed_gives_the_same_network(painting, photos):
    short = dataclasses.replace(PLAN, steps=3)
    first, again = (learn(painting, photos, short).module.state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@pytest.mark.slow
def test_content_alone_leads_back_to_the_photo(painting, photos):
    """Compared on pixels with no style, the network learns to give the photo back."""
    plan = dataclasses.replace(PLAN, steps=45)
    result = learn(painting, photos, plan, loss="pixel", style_weight=0.0)
    assert result.losses["pixel"][-1] < 0.25 * result.losses["pixel"][0]
    x = samples.photo("coffee").resized(64, 64).rgb
    with torch.no_grad():
        made = result.module(x)
    together = torch.stack([made.flatten(), x.flatten()])
    assert torch.corrcoef(together)[0, 1] > 0.8


def test_the_pixel_loss_is_the_mean_square_between_painting_and_photo(painting):
    x = samples.photo("coffee").resized(64, 64).rgb
    for relative, unit in ((False, 1.0), (True, x.square().mean())):
        numbers = dataclasses.replace(SMALL, loss="pixel", content_weight=3.0, relative=relative)
        task = Johnson.task(numbers, [painting], FLOAT32)
        losses = task.loss(task.module, Batch(0, 1, {"content": x}))
        expected = 3 * content_loss(task.module(x), x) / unit
        torch.testing.assert_close(losses["pixel"], expected)
        torch.testing.assert_close(losses["total"], losses["pixel"] + losses["style"])


def test_unknown_losses_and_sizes_are_refused():
    with pytest.raises(InputError, match="unknown loss 'other': choose perceptual, pixel"):
        JohnsonConfig(loss="other")
    for wrong, said in (
        ({"width": 0}, "width is 0: it must be 1 or more"),
        ({"blocks": -1}, "blocks is -1: it must be 0 or more"),
        ({"style_size": -1}, "style_size is -1: it must be 0 or more"),
        ({"style_side": "wide"}, "unknown style_side 'wide': choose short, long"),
    ):
        with pytest.raises(InputError, match=said):
            JohnsonConfig(**wrong)
    with pytest.raises(InputError, match="unknown norm"):
        Johnson(JohnsonConfig(norm="other"), FLOAT32)


def test_the_loss_may_be_set_as_text():
    changed = config.change(JohnsonConfig(), {"loss": "pixel", "style_layers": "relu1_1"})
    assert (changed.loss, changed.style_layers) == ("pixel", ("relu1_1",))


def test_layers_may_come_in_any_order_and_be_of_any_kind(painting):
    """Their names do not sort as they run: conv4_2 comes after relu3_1."""
    x = samples.photo("coffee").resized(64, 64).rgb
    for content, style in (("conv4_2", ("relu3_1",)), ("pool1", ("relu4_1", "conv2_1"))):
        numbers = dataclasses.replace(SMALL, content_layer=content, style_layers=style)
        task = Johnson.task(numbers, [painting], FLOAT32)
        losses = task.loss(task.module, Batch(0, 1, {"content": x}))
        assert losses["total"].isfinite()
        assert [statistic.layer for statistic in task.style.targets] == list(style)


def test_no_style_layers_train_on_content_alone(painting):
    task = Johnson.task(dataclasses.replace(SMALL, style_layers=()), [painting], FLOAT32)
    losses = task.loss(task.module, Batch(0, 1, {"content": torch.rand(1, 3, 32, 32)}))
    assert set(losses) == {"total", "content"}


def test_the_style_is_compared_at_its_size(painting):
    """A picture enlarged before it is given is the same style."""
    small = JohnsonTask(SMALL, painting, FLOAT32).style.targets
    large = torch.nn.functional.interpolate(painting, scale_factor=3, mode="bicubic")
    enlarged = JohnsonTask(SMALL, large.clamp(0, 1), FLOAT32).style.targets
    finer = JohnsonTask(dataclasses.replace(SMALL, style_size=96), painting, FLOAT32).style.targets
    for layer, wanted in small.items():
        distances = [
            ((other[layer] - wanted).square().sum() / wanted.square().sum()).sqrt().item()
            for other in (enlarged, finer)
        ]
        assert distances[0] < 0.05
        assert distances[0] < distances[1]


@pytest.mark.parametrize("count", [0, 2])
def test_it_learns_one_style(painting, count):
    with pytest.raises(InputError, match=f"one style, not {count}"):
        Johnson.task(SMALL, [painting] * count, FLOAT32)


def test_a_sample_shows_the_photo_and_what_becomes_of_it(painting):
    task = Johnson.task(SMALL, [painting], FLOAT32)
    assert task.sample(task.module) is None
    batch = torch.rand(2, 3, 32, 48)
    task.loss(task.module, Batch(0, 2, {"content": batch}))
    shown = task.sample(task.module.eval())
    assert shown.shape == (1, 3, 32, 96)
    assert torch.equal(shown[..., :48], batch[:1])


def test_presets():
    paper, authors = JohnsonConfig.paper(), JohnsonConfig.authors()
    assert (paper.width, paper.norm, paper.encoder) == (32, "batch", "vgg16")
    assert paper.content_layer == "relu2_2"
    assert (authors.width, authors.norm, authors.output) == (32, "instance", "tanh150")
    assert authors.content_layer == "relu3_3"
    for numbers in (paper, authors):
        assert numbers.style_layers == ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
        assert numbers.upsampling == "transposed"
        assert not numbers.relative
        assert numbers.unpadded
        assert (numbers.style_size, numbers.style_side) == (256, "long")
    # both weigh squares of differences of pixels from 0 to 255
    assert paper.tv_weight == pytest.approx(1e-6 * 255**2)
    assert authors.tv_weight == pytest.approx(1e-6 * 255**2 / 2)


@pytest.mark.parametrize(
    ("size", "side", "seen"), [(24, "short", (24, 48)), (24, "long", (12, 24))]
)
def test_the_style_image_is_learned_at_its_size(size, side, seen):
    style = torch.rand(1, 3, 60, 120)
    task = Johnson.task(
        dataclasses.replace(SMALL, style_size=size, style_side=side), [style], FLOAT32
    )
    encoder = task.style.encoder
    expected = task.config.style_objective(encoder, Image(style).resized(*seen).rgb).targets
    for statistic, gram in task.style.targets.items():
        assert torch.equal(gram, expected[statistic])
    whole = Johnson.task(dataclasses.replace(SMALL, style_size=0), [style], FLOAT32)
    for statistic, gram in task.config.style_objective(encoder, style).targets.items():
        assert torch.equal(whole.style.targets[statistic], gram)


@pytest.mark.parametrize("preset", config.PRESETS)
def test_every_preset_builds_and_paints(preset):
    numbers = dataclasses.replace(config.preset(JohnsonConfig, preset), width=4)
    method = Johnson(numbers, FLOAT32)
    found = method.stylize(torch.rand(1, 3, 30, 21), method.own_style())
    assert found.shape == (1, 3, 30, 21)
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 5), (33, 47), (64, 65)])
def test_pictures_of_odd_sizes_keep_them(size):
    method = Johnson(SMALL, FLOAT32)
    found = method.stylize(torch.rand(1, 3, *size), method.own_style())
    assert found.shape == (1, 3, *size)
    assert found.isfinite().all()


def test_a_style_of_another_method_is_refused():
    with pytest.raises(InputError, match="encoded by gatys, not by johnson"):
        Johnson(SMALL, FLOAT32).stylize(torch.rand(1, 3, 8, 8), Style("gatys", (Part({}),)))


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_trained_model_paints_the_identical_picture_from_its_file(
    painting, photos, tmp_path, norm
):
    result = learn(painting, photos, dataclasses.replace(PLAN, steps=2), norm=norm)
    method = Johnson(dataclasses.replace(SMALL, norm=norm), FLOAT32)
    made = method.model(result.module, ["fjord"], {"losses": result.losses})
    checkpoint.save(made, tmp_path / "fjord.safetensors", bits=32)
    opened = Johnson.open(checkpoint.load(tmp_path / "fjord.safetensors"), FLOAT32)
    method.module.load_state_dict(result.module.state_dict())
    x = samples.photo("coffee").resized(45, 51).rgb
    pictures = [m.stylize(x, m.own_style()) for m in (method, opened)]
    assert torch.equal(*pictures)
    assert opened.config == method.config
    assert opened.styles == ("fjord",)


def test_it_is_in_the_table():
    entry = get("johnson", Ability.STYLIZE | Ability.TRAIN)
    assert entry.build is Johnson
    assert entry.family == "per_style"


def test_a_task_adds_the_shift_consistency_of_pairs():
    config = JohnsonConfig(width=2, blocks=0, style_size=32)
    runtime = Runtime(torch.device("cpu"), torch.float32)
    task = Johnson.task(config, [torch.rand(1, 3, 32, 32)], runtime)
    batch = Batch(0, 2, {"content": torch.rand(2, 3, 48, 48)})
    pairs = paired(batch, 100.0)
    losses = task.loss(task.module, pairs)
    parts = sum(float(loss.detach()) for name, loss in losses.items() if name != "total")
    assert float(losses["shift"].detach()) > 0
    assert float(losses["total"].detach()) == pytest.approx(parts, rel=1e-5)
    assert "shift" not in task.loss(task.module, batch)
