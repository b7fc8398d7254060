"""Banks of filters: two branches in turn and their balance, blends, regions, starts, elements."""

import dataclasses
from itertools import pairwise

import pytest
import torch

from helpers import FLOAT32, photos_in
from helpers import smooth_picture as smooth
from impasto.api import stylize
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.image.dither import dithered
from impasto.methods import config
from impasto.methods.multi_style.cin import Cin
from impasto.methods.multi_style.stylebank import StyleBank, around
from impasto.methods.multi_style.stylebank_training import (
    Branches,
    StyleBankConfig,
    balanced_scale,
    is_autoencoder_step,
)
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.models import checkpoint
from impasto.nn.stylebank import NewBank, StyleBankNet
from impasto.training.data import Source
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch
from rounding import products, rounding

SMALL = StyleBankConfig(
    width=8,
    content_layer="relu2_1",
    style_layers=("relu1_1", "relu2_1", "relu3_1"),
    style_size=64,
)
PLAN = Plan(steps=45, batch=2, learning_rate=3e-3, report_every=9, workers=0)
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def paintings():
    return [samples.painting(name, 256).resized(72, 96).rgb for name in ("fjord", "gold")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = photos_in(tmp_path_factory.mktemp("photos"), 108, 80)
    return Source(tuple(sorted(map(str, folder.iterdir()))), crop=48)


def task_of(paintings, **numbers):
    torch.manual_seed(0)
    return StyleBank.task(dataclasses.replace(SMALL, **numbers), paintings, FLOAT32)


@pytest.fixture(scope="module")
def result(paintings, photos):
    """A short training of two styles."""
    return train(task_of(paintings), PLAN, sources={"content": photos}, runtime=FLOAT32)


def fresh(seed=0, **numbers):
    """A method of three styles that differ, and learned nothing."""
    torch.manual_seed(seed)
    method = StyleBank(dataclasses.replace(SMALL, styles=3, **numbers), FLOAT32)
    torch.nn.init.normal_(method.module.bank.kernels, 0.0, 0.2)
    torch.nn.init.normal_(method.module.bank.gamma, 1.0, 0.5)
    torch.nn.init.normal_(method.module.bank.beta, 0.0, 0.5)
    return method


@pytest.fixture
def path(tmp_path):
    method = fresh()
    made = method.model(method.module, NAMES, {"kind": "style"})
    checkpoint.save(made, tmp_path / "mine.safetensors", bits=32)
    return str(tmp_path / "mine.safetensors")


def test_the_losses_of_both_branches_fall(result):
    assert result.finished
    assert set(result.losses) == {"total", "style", "content", "smoothness", "palette", "pixel"}
    assert result.losses["style"][-1] < 0.6 * result.losses["style"][0]
    assert result.losses["pixel"][-1] < 0.9 * result.losses["pixel"][0]
    assert result.losses["total"][-1] < 0.6 * result.losses["total"][0]


def test_each_bank_learned_its_own_painting(result, paintings):
    """A photo in either style is nearer to its painting than the same photo in the other."""
    task = task_of(paintings)
    photo = samples.photo("coffee").resized(64, 64).rgb
    with torch.no_grad():
        painted = result.module(photo.expand(2, -1, -1, -1), torch.eye(2))
    off = torch.zeros(2, 2)
    for style, picture in ((s, p) for s in range(2) for p in range(2)):
        objective = task.styles.fork(torch.tensor([style]))
        off[style, picture] = objective(painted[picture, None])["style"]
    assert off[0, 0] < off[0, 1]
    assert off[1, 1] < off[1, 0]


def test_the_schedule():
    """T steps of painting and one of giving back, by the number of the step alone."""
    assert [is_autoencoder_step(step, 1) for step in range(4)] == [False, True, False, True]
    for turns in (1, 2, 5):
        found = [is_autoencoder_step(step, turns) for step in range(6 * (turns + 1))]
        assert sum(found) == 6
        assert not any(found[:turns])
        assert found == [is_autoencoder_step(step + turns + 1, turns) for step in range(len(found))]


@pytest.mark.parametrize("turns", [1, 3])
def test_the_task_follows_the_schedule(paintings, turns):
    task = task_of(paintings, stylizing=turns)
    photos = {"content": torch.rand(2, 3, 32, 32)}
    for step in range(2 * (turns + 1)):
        losses = task.loss(task.module, Batch(step, 2, photos))
        losses["total"].backward()
        painted = {"total", "style", "content", "smoothness", "palette"}
        assert set(losses) == ({"total", "pixel"} if is_autoencoder_step(step, turns) else painted)


def test_balance():
    """λ ‖∇K‖ / ‖∇I‖, from the squares of both."""
    assert float(balanced_scale(1.0, torch.tensor(9.0), torch.tensor(4.0))) == pytest.approx(1.5)
    assert float(balanced_scale(0.2, torch.tensor(9.0), torch.tensor(4.0))) == pytest.approx(0.3)
    assert float(balanced_scale(0.0, torch.tensor(9.0), torch.tensor(4.0))) == 0
    assert torch.isfinite(balanced_scale(1.0, torch.tensor(1.0), torch.tensor(0.0)))


def norm(weights):
    return torch.stack([weight.grad.square().sum() for weight in weights]).sum().sqrt()


@pytest.mark.parametrize("balance", [1.0, 0.3])
def test_the_branches_pull_as_strongly_as_the_balance_says(paintings, balance):
    """Norms over all weights of encoder and decoder, against those of the last painting step."""
    task = task_of(paintings, stylizing=2, balance=balance)
    photos, norms = {"content": torch.rand(2, 3, 32, 32)}, []
    for step in range(6):
        task.module.zero_grad()
        task.loss(task.module, Batch(step, 2, photos))["total"].backward()
        norms.append(norm(task.module.shared()))
        if is_autoencoder_step(step, 2):
            torch.testing.assert_close(norms[-1], balance * norms[-2], rtol=1e-4, atol=0)
            assert all(weight.grad is None for weight in task.module.network.bank.parameters())
        else:
            torch.testing.assert_close(task.module.strength.sqrt(), norms[-1], rtol=1e-4, atol=0)
            assert norms[-1] > 0


def test_the_direction_is_the_pixels_own(paintings):
    task, photos = task_of(paintings), torch.rand(2, 3, 32, 32)
    task.loss(task.module, Batch(0, 2, {"content": photos}))["total"].backward()
    task.module.zero_grad()
    task.loss(task.module, Batch(2, 2, {"content": photos}))["total"].backward()
    found = [weight.grad.clone() for weight in task.module.shared()]
    pixel = (task.module(photos) - photos).square().mean()
    plain = torch.autograd.grad(pixel, task.module.shared())
    factor = (
        norm(task.module.shared()) / torch.stack([g.square().sum() for g in plain]).sum().sqrt()
    )
    for one, other in zip(found, plain, strict=True):
        near = 1e-3 * float(one.abs().max())  # of what is added up, not of where it cancels
        torch.testing.assert_close(one, factor * other, rtol=1e-3, atol=near)


def test_looking_on_does_not_disturb_the_balance(paintings):
    """Sample pictures are drawn between the steps."""
    task, photos = task_of(paintings), torch.rand(2, 3, 32, 32)
    task.loss(task.module, Batch(0, 2, {"content": photos}))["total"].backward()
    before = task.module.strength.clone()
    with torch.no_grad():
        assert task.sample(task.module).shape == (1, 3, 32, 3 * 32)
    assert torch.equal(task.module.strength, before)
    assert before > 0


@pytest.mark.slow
def test_a_run_that_was_broken_off_goes_on_to_the_bit(paintings, photos, tmp_path):
    """Also between a painting step and the step that is measured against it."""
    plan = dataclasses.replace(PLAN, steps=7, ema=0.9, clip=1.0)
    options = {"sources": {"content": photos}, "runtime": FLOAT32}
    whole = train(task_of(paintings), plan, **options)

    def cancel(progress):
        if progress.step == 2:
            progress.cancel()

    train(task_of(paintings), plan, folder=tmp_path, callback=cancel, **options)
    torch.manual_seed(99)
    task = StyleBank.task(SMALL, paintings, FLOAT32)  # other weights, as in another process
    rest = train(task, plan, folder=tmp_path, **options)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, rest.module.state_dict()[name]), name
    assert whole.losses == rest.losses


def test_no_painting_is_refused():
    with pytest.raises(InputError, match="stylebank learns paintings: give a `style` for each"):
        StyleBank.task(SMALL, [], FLOAT32)


def test_presets():
    paper = StyleBankConfig.paper()
    assert paper.style_layers == ("relu1_2", "relu2_2", "relu3_2", "relu4_2")
    assert (paper.encoder, paper.content_layer, paper.layers) == ("vgg16", "relu4_2", 1)
    assert (paper.style_size, paper.style_side) == (600, "long")
    for wrong, said in (
        ({"styles": 0}, "must be 1 or more"),
        ({"stylizing": 0}, "stylizing is 0: it must be 1 or more"),
        ({"balance": -1.0}, "balance is -1.0: it must be 0 or more"),
        ({"tv_kind": "round"}, "unknown tv_kind 'round'"),
        ({"style_size": -1}, "style_size is -1"),
        ({"style_side": "wide"}, "unknown style_side 'wide'"),
    ):
        with pytest.raises(InputError, match=said):
            StyleBankConfig(**wrong)


def test_the_papers_total_variation_is_the_ports_sum_of_absolute_differences(paintings):
    paper = StyleBankConfig.paper()
    numbers = dataclasses.replace(SMALL, tv_weight=paper.tv_weight, tv_kind=paper.tv_kind)
    task = StyleBank.task(dataclasses.replace(numbers, relative=False), paintings, FLOAT32)
    image = torch.rand(2, 3, 32, 32)
    found = float(task.styles.fork(torch.tensor([0, 1]))(image)["smoothness"])
    values = image.double()
    differences = values.diff(dim=2).abs().sum() + values.diff(dim=3).abs().sum()
    assert found == pytest.approx(1e-5 * float(differences), rel=1e-5)


@pytest.mark.parametrize("preset", [name for name in config.PRESETS if name != "authors"])
def test_every_preset_builds_and_paints(preset):
    numbers = dataclasses.replace(config.preset(StyleBankConfig, preset), width=4, styles=2)
    method = StyleBank(numbers, FLOAT32)
    found = method.stylize(torch.rand(1, 3, 30, 21), method.own_style(1))
    assert found.shape == (1, 3, 30, 21)


@pytest.mark.parametrize(
    ("size", "shape"),
    [((1, 1), {}), ((1, 50), {"kernel": 7}), ((7, 5), {"layers": 2}), ((33, 47), {})],
)
def test_pictures_of_odd_sizes_keep_them(size, shape):
    method, photo = fresh(**shape), torch.rand(1, 3, *size)
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


def test_regions_through_the_pipeline(path):
    """Far from the border each side is its style alone."""
    photo, left = smooth(24, 256), torch.zeros(1, 3, 24, 256)
    left[..., :128] = 1
    styles = [f"{path}#one", f"{path}#two"]
    found = stylize.stylize(photo, styles, masks=[Image(left)], precision="float32").rgb
    alone = [stylize.stylize(photo, style, precision="float32").rgb for style in styles]
    torch.testing.assert_close(found[..., :64], alone[0][..., :64], rtol=0, atol=1e-4)
    torch.testing.assert_close(found[..., 192:], alone[1][..., 192:], rtol=0, atol=1e-4)


def test_a_trained_model_paints_the_identical_pictures_from_its_file(result, tmp_path):
    method = StyleBank(dataclasses.replace(SMALL, styles=2), FLOAT32)
    made = method.model(result.module, ["fjord", "gold"], {})
    assert set(made.state) == set(method.module.state_dict()), "nothing that only training needs"
    checkpoint.save(made, tmp_path / "two.safetensors", bits=32)
    opened = StyleBank.open(checkpoint.load(tmp_path / "two.safetensors"), FLOAT32)
    method.module.load_state_dict(made.state)
    photo = smooth(45, 51).rgb
    pictures = []
    for index in range(2):
        pair = [one.stylize(photo, one.own_style(index)) for one in (method, opened)]
        assert torch.equal(*pair)
        pictures.append(pair[0])
    assert not torch.allclose(*pictures, atol=0.02)
    assert opened.styles == ("fjord", "gold")
    assert opened.config == dataclasses.replace(SMALL, styles=2)


def test_start_from_johnson_and_from_its_own_kind():
    donor = Johnson(JohnsonConfig(width=8, blocks=1), FLOAT32)
    module = Branches(StyleBankNet(2, 8))
    StyleBank.start(module, donor.model(donor.module, ["wave"], {}))
    assert torch.equal(module.network.last.weight, donor.module.last.weight)
    first = module.network.encoder[0].layer.convolution.weight
    assert torch.equal(first, donor.module.encoder[0][0].weight)
    method = StyleBank(dataclasses.replace(SMALL, styles=2), FLOAT32)
    again = Branches(StyleBankNet(2, 8))
    StyleBank.start(again, method.model(module, "ab", {}))
    assert torch.equal(again.network.bank.kernels, module.network.bank.kernels)
    with pytest.raises(InputError, match="another shape"):
        StyleBank.start(Branches(StyleBankNet(3, 8)), method.model(module, "ab", {}))
    other = Cin(Cin.Config(width=4, blocks=1), FLOAT32)
    with pytest.raises(InputError, match="a model of cin, not of stylebank or johnson"):
        StyleBank.start(module, other.model(other.module, ["x"], {}))


def test_a_style_that_is_added_learns_alone(paintings):
    method = fresh()
    task = method.addition_task(SMALL, paintings[0])
    assert isinstance(task.module, NewBank)
    photos = {"content": torch.rand(2, 3, 32, 32)}
    for step in range(3):  # nothing is given back: encoder and decoder stay
        assert "style" in task.loss(task.module, Batch(step, 2, photos))
    grown = method.with_added_style(task.module)
    assert grown.bank.kernels.shape[0] == 4
    with pytest.raises(InputError, match="belongs to another model"):
        fresh(seed=1).with_added_style(task.module)


@pytest.mark.slow
def test_the_bank_of_a_style_that_is_added_learns(result, photos):
    method = StyleBank(dataclasses.replace(SMALL, styles=2), FLOAT32)
    method.module.load_state_dict(result.module.network.state_dict())
    wave = samples.painting("wave", 256).resized(72, 96).rgb
    plan = dataclasses.replace(PLAN, steps=36, report_every=6)
    torch.manual_seed(0)
    task = method.addition_task(SMALL, wave)
    losses = train(task, plan, sources={"content": photos}, runtime=FLOAT32).losses
    assert losses["total"][-1] < 0.9 * losses["total"][0]
    assert losses["style"][-1] < 0.9 * losses["style"][0]


def test_elements_come_strongest_first():
    method, photo, steps = fresh(), smooth(70, 90).rgb, []
    found = method.inspect(method.own_style(1), photo, callback=steps.append)
    assert len(found) == len(steps) == 32
    numbers, gains = zip(*(name.split("  x") for name, _ in found), strict=True)
    assert sorted(map(int, numbers)) == list(range(1, 33))
    assert list(map(float, gains)) == sorted(map(float, gains))
    for _, element in found:
        assert element.shape == (1, 3, 64, 64)
        assert float((element - 0.5).abs().max()) <= 0.5 + 1e-5
    again = method.inspect(method.own_style(1), photo)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(found, again, strict=True))
    assert any(not torch.equal(a[1], b[1]) for a, b in pairwise(found))


def test_elements_of_a_small_photo_and_of_a_job_that_was_cancelled():
    method = fresh()
    found = method.inspect(method.own_style(), smooth(9, 40).rgb)
    assert found[0][1].shape == (1, 3, 16, 40)
    few = method.inspect(
        method.own_style(), smooth().rgb, callback=lambda p: p.step == 3 and p.cancel()
    )
    assert len(few) == 3


def test_where_a_response_is_strongest():
    picture = torch.arange(40.0).view(1, 1, 1, 40).expand(1, 3, 8, 40)
    response = torch.zeros(2, 10)
    response[1, 5] = 1  # pixels 20 to 23
    assert around(picture, response, 8)[0, 0, 0].tolist() == list(range(18, 26))
    response[0, 0] = 2
    assert around(picture, response, 8)[0, 0, 0].tolist() == list(range(8))
    response[1, 9] = 3
    assert around(picture, response, 8)[0, 0, 0].tolist() == list(range(32, 40))
