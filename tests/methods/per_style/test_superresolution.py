"""Super-resolution: how small pictures are made, what is learned of them, what comes out."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from helpers import FLOAT32, photos_in, pictures
from impasto.core.progress import Progress
from impasto.errors import InputError, WeightsError
from impasto.image import samples
from impasto.image.color_transfer import match_histogram
from impasto.methods import config
from impasto.methods.per_style import superresolution
from impasto.methods.per_style.johnson import Johnson
from impasto.methods.per_style.superresolution import (
    LOSSES,
    SuperResolution,
    SuperResolutionConfig,
    shrink,
)
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.models import checkpoint, zoo
from impasto.nn.superresolution import SMALLEST, enlarge
from impasto.training.data import Source
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch
from rounding import products, rounding

SMALL = SuperResolutionConfig(factor=2, width=8, blocks=1)
PLAN = Plan(steps=15, batch=2, learning_rate=2e-3, report_every=5, workers=0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = photos_in(tmp_path_factory.mktemp("photos"), 112, 96)
    return Source(tuple(sorted(map(str, folder.iterdir()))), crop=64)


@pytest.fixture(scope="module")
def held_out():
    """Two photographs that no training of these tests sees, (2, 3, 64, 64)."""
    names = ("rocket", "motorcycle")
    return torch.cat([samples.photo(name).resized(64, 64).rgb for name in names])


def lively(numbers=SMALL, **options):
    """A network whose correction is not 0, as a trained one's."""
    torch.manual_seed(0)
    method = SuperResolution(dataclasses.replace(numbers, **options), FLOAT32)
    nn.init.normal_(method.module.last.weight, std=0.3)
    return method


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "residual"), list(zip(LOSSES, (True, False), strict=True)))
def test_the_loss_falls(photos, held_out, loss, residual):
    features = {"layers": ("relu2_2",), "pooling": "max"}  # the falls below were measured on these
    numbers = dataclasses.replace(SMALL, loss=loss, residual=residual, **features)
    torch.manual_seed(PLAN.seed)
    task = SuperResolution.task(numbers, [], FLOAT32)
    batch = Batch(0, 2, {"content": held_out})
    with torch.no_grad():
        before = task.loss(task.module.train(), batch)["total"]
    result = train(task, PLAN, sources={"content": photos}, runtime=FLOAT32)
    with torch.no_grad():  # in training mode: running means need longer than this
        after = task.loss(result.module.train(), batch)["total"]
    assert result.finished
    # from bicubic there is less to gain in so few steps than from grey
    assert after < (0.99 if residual else 0.93) * before


def test_the_same_seed_gives_the_same_network(photos):
    def learned():
        torch.manual_seed(3)
        task = SuperResolution.task(dataclasses.replace(SMALL, loss="pixel"), [], FLOAT32)
        plan = dataclasses.replace(PLAN, steps=3)
        return train(task, plan, sources={"content": photos}, runtime=FLOAT32).module.state_dict()

    first, again = learned(), learned()
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_the_pixel_loss_of_a_fresh_network_is_that_of_bicubic(held_out):
    task = SuperResolution.task(dataclasses.replace(SMALL, loss="pixel"), [], FLOAT32)
    found = task.loss(task.module, Batch(0, 2, {"content": held_out}))
    expected = (enlarge(shrink(held_out, 2), 2) - held_out).square().mean()
    assert list(found) == ["total"]
    torch.testing.assert_close(found["total"], expected)


@pytest.mark.parametrize("relative", [True, False])
def test_the_feature_loss_is_the_mean_square_between_features(held_out, encoder, relative):
    numbers = dataclasses.replace(SMALL, pooling="max", layers=("relu2_2",), relative=relative)
    task = SuperResolution.task(numbers, [], FLOAT32)
    with torch.no_grad():
        found = task.loss(task.module, Batch(0, 2, {"content": held_out}))["total"]
        wanted = encoder(held_out, ["relu2_2"])["relu2_2"]
        ours = encoder(enlarge(shrink(held_out, 2), 2), ["relu2_2"])["relu2_2"]
    unit = wanted.square().mean() if relative else 1.0
    torch.testing.assert_close(found, (ours - wanted).square().mean() / unit, rtol=1e-4, atol=0)


def test_the_feature_loss_pools_as_told(held_out):
    losses = []
    for pooling in ("average", "max", "l2"):
        numbers = dataclasses.replace(SMALL, pooling=pooling)
        task = SuperResolution.task(numbers, [], FLOAT32)
        with torch.no_grad():
            losses.append(
                float(task.loss(task.module, Batch(0, 2, {"content": held_out}))["total"])
            )
    assert len(set(losses)) == 3


def test_what_a_side_has_beyond_a_multiple_is_cut_off(held_out):
    numbers = dataclasses.replace(SMALL, factor=8, loss="pixel")
    task = SuperResolution.task(numbers, [], FLOAT32)
    cut = task.loss(task.module, Batch(0, 2, {"content": held_out[..., :56, :56]}))
    whole = task.loss(task.module, Batch(0, 2, {"content": held_out[..., :61, :61]}))
    assert torch.equal(cut["total"], whole["total"])


def test_a_crop_too_small_for_the_network_is_refused():
    task = SuperResolution.task(dataclasses.replace(SMALL, factor=8, loss="pixel"), [], FLOAT32)
    with pytest.raises(InputError, match=r"crops of 39 pixels are too small for factor 8: .* 40"):
        task.loss(task.module, Batch(0, 1, {"content": torch.rand(1, 3, 39, 39)}))
    least = SMALLEST * 8
    assert task.loss(task.module, Batch(0, 1, {"content": torch.rand(1, 3, least, least)}))


def test_a_sample_shows_bicubic_the_network_and_the_photo(held_out):
    task = SuperResolution.task(dataclasses.replace(SMALL, loss="pixel"), [], FLOAT32)
    assert task.sample(task.module) is None
    task.loss(task.module, Batch(0, 2, {"content": held_out}))
    shown = task.sample(task.module.eval())
    assert shown.shape == (1, 3, 64, 3 * 64)
    bicubic, made, photo = shown.split(64, dim=-1)
    assert torch.equal(photo, held_out[:1])
    assert torch.equal(made, bicubic.clamp(0, 1))


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
def test_the_blur_is_scipys(sigma):
    x = pictures(2, 3, 12, 17).double()
    expected = gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    np.testing.assert_allclose(superresolution._gaussian(x, sigma), expected, atol=1e-12)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_small_pictures_are_read_between_the_blurred_pixels(factor):
    """Without antialiasing, bicubic at an even factor weighs the 4 pixels about each place."""
    x = pictures(1, 3, 16, 32).double()
    blurred = gaussian_filter(x.numpy(), (0, 0, 1, 1), mode="nearest")
    taps = np.array([-0.09375, 0.59375, 0.59375, -0.09375])  # Keys at 1.5 and 0.5, a = -0.75
    padded = np.pad(blurred, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    high, wide, first = 16 // factor, 32 // factor, factor // 2
    down = [padded[:, :, first + i :: factor][:, :, :high] for i in range(4)]
    rows = sum(tap * part for tap, part in zip(taps, down, strict=True))
    right = [rows[..., first + i :: factor][..., :wide] for i in range(4)]
    expected = sum(tap * part for tap, part in zip(taps, right, strict=True)).clip(0, 1)
    np.testing.assert_allclose(shrink(x, factor).numpy(), expected, atol=1e-12)


def test_the_blur_and_the_filter_can_be_left_out_or_put_in():
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[..., ::2] = 1
    spread = {
        (blur, antialias): shrink(stripes, 4, blur=blur, antialias=antialias)[..., 2:-2].std()
        for blur in (0.0, 1.0)
        for antialias in (False, True)
    }
    assert max(spread.values()) < 1e-3  # even stripes are grey to any even filter
    wide = torch.zeros(1, 3, 32, 36)
    wide[..., ::3] = 1  # these come back as broad bands, unless something averages them away
    sharp, soft = (shrink(wide, 4, blur=0, antialias=aa)[..., 2:-2].std() for aa in (False, True))
    blurred = shrink(wide, 4, blur=1.0)[..., 2:-2].std()
    assert soft < 0.1 * sharp
    assert blurred < 0.3 * sharp


@pytest.mark.parametrize(
    ("size", "factor"), [((1, 1), 2), ((1, 40), 4), ((7, 5), 8), ((17, 23), 2)]
)
def test_pictures_of_any_size_become_exactly_so_many_times_as_large(size, factor):
    found = lively(factor=factor).upscale(pictures(1, 3, *size))
    assert found.shape == (1, 3, factor * size[0], factor * size[1])
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize(
    ("norm", "upsampling"),
    [("batch", "nearest"), ("none", "transposed"), ("instance", "nearest")],
)
def test_tiles_show_nowhere(monkeypatch, norm, upsampling):
    method = lively(norm=norm, upsampling=upsampling, match_histogram=False)
    x = pictures(1, 3, 61, 47)
    whole = method.upscale(x)
    monkeypatch.setattr(superresolution, "_TILE", 40)
    reports = []
    tiled = method.upscale(x, callback=reports.append)
    assert len(reports) == (1 if norm == "instance" else 4 * 3)
    torch.testing.assert_close(tiled, whole, **rounding(whole, products(method.module)))
    assert [(r.step, r.total) for r in reports] == [
        (i + 1, len(reports)) for i in range(len(reports))
    ]


def test_cancelling_leaves_the_rest_bicubic(monkeypatch):
    monkeypatch.setattr(superresolution, "_TILE", 40)
    method, x = lively(match_histogram=False), pictures(1, 3, 20, 60)
    found = method.upscale(x, callback=Progress.cancel)
    bicubic = enlarge(x, 2).clamp(0, 1)
    assert torch.equal(found[..., 40:], bicubic[..., 40:])
    assert (found[..., :40] - bicubic[..., :40]).abs().max() > 0.01


def test_a_preview_is_the_picture_so_far():
    reports = []
    method, x = lively(match_histogram=False), pictures(1, 3, 8, 9)
    found = method.upscale(x, callback=reports.append)
    assert torch.equal(reports[-1].preview(), found)


def test_the_large_picture_gets_the_histogram_of_the_small_one(photo):
    x = photo(24, 30)
    plain = lively(match_histogram=False).upscale(x)
    matched = lively().upscale(x)
    torch.testing.assert_close(matched, match_histogram(plain, x))
    for far, near, wanted in zip(plain[0], matched[0], x[0], strict=True):
        before, after = (wasserstein_distance(p.ravel(), wanted.ravel()) for p in (far, near))
        assert before > 0.02
        assert after < 0.005


def test_presets():
    default, paper = SuperResolutionConfig(), SuperResolutionConfig.paper()
    for numbers in (default, paper):
        assert (numbers.factor, numbers.width, numbers.blocks) == (4, 64, 4)
        assert (numbers.loss, numbers.blur, numbers.match_histogram) == ("feature", 1.0, True)
    assert (default.layers, paper.layers) == (("relu2_2", "relu3_3"), ("relu2_2",))
    assert (paper.norm, paper.upsampling, paper.residual) == ("batch", "transposed", False)
    assert (paper.encoder, paper.flavor, paper.relative) == ("vgg16", "caffe", False)
    assert default.residual
    assert (default.pooling, paper.pooling) == ("average", "max")
    assert default.upsampling == "bilinear"
    assert default.encoder == "vgg19"  # whose weights come with the package
    assert not hasattr(SuperResolutionConfig, "authors")  # their code has no numbers for it


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_every_preset_builds_and_enlarges(preset):
    numbers = dataclasses.replace(config.preset(SuperResolutionConfig, preset), width=4)
    assert SuperResolution(numbers, FLOAT32).upscale(pictures(1, 3, 9, 7)).shape == (1, 3, 36, 28)


@pytest.mark.parametrize(("norm", "bits"), [("batch", 32), ("none", 16)])
def test_a_model_enlarges_the_same_from_its_file(tmp_path, norm, bits):
    method = lively(norm=norm)
    made = method.model(method.module, ["x2"], {"losses": {"total": [1.0]}})
    checkpoint.save(made, tmp_path / "x2.safetensors", bits=bits)
    opened = SuperResolution.open(checkpoint.load(tmp_path / "x2.safetensors"), FLOAT32)
    assert opened.config == method.config
    assert opened.styles == ("x2",)
    x = pictures(1, 3, 14, 11)
    torch.testing.assert_close(
        opened.upscale(x), method.upscale(x), atol=1e-2 if bits == 16 else 0, rtol=0
    )


@pytest.mark.parametrize("name", ["upscale-x4", "upscale-x4-pixel"])
@pytest.mark.parametrize("photo", ["chelsea", "coffee"])
def test_shipped_networks_draw_no_grid_of_two_pixels(name, photo):
    """Neighbours differ as much at even columns and rows as at odd ones; 1.9 times before."""
    method = SuperResolution.open(checkpoint.load(zoo.model_of(name)), FLOAT32)
    large = method.upscale(shrink(samples.photo(photo).rgb[..., :256, :384], 4))
    for axis in (-1, -2):
        change = large.diff(dim=axis).abs().movedim(axis, -1)[..., 8:-9].flatten(0, -2).mean(0)
        assert change[::2].mean() == pytest.approx(float(change[1::2].mean()), rel=0.05)


def test_a_model_of_another_shape_or_method_is_refused():
    method = lively()
    made = method.model(method.module, [], {})
    with pytest.raises(WeightsError, match="does not fit"):
        SuperResolution.open(dataclasses.replace(made, config={**made.config, "width": 16}))
    with pytest.raises(WeightsError, match="a model of superres, not of johnson"):
        Johnson.open(made, FLOAT32)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"factor": 3}, "factor is 3: it must be 2, 4, 8"),
        ({"width": 0}, "width is 0: it must be 1 or more"),
        ({"blocks": -1}, "blocks is -1: it must be 0 or more"),
        ({"loss": "style"}, "unknown loss 'style': choose feature, pixel"),
        ({"blur": -1.0}, "blur is -1.0: it must be 0 or more"),
    ],
)
def test_wrong_numbers_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        SuperResolutionConfig(**wrong)


def test_wrong_names_are_refused():
    for wrong in ({"norm": "layer"}, {"upsampling": "bicubic"}):
        with pytest.raises(InputError, match=f"unknown {next(iter(wrong))}"):
            SuperResolution(dataclasses.replace(SMALL, **wrong), FLOAT32)
    for wrong in ({"pooling": "median"}, {"flavor": "vanilla"}):
        with pytest.raises(InputError, match="unknown"):
            SuperResolution.task(dataclasses.replace(SMALL, **wrong), [], FLOAT32)


def test_it_learns_no_style():
    with pytest.raises(InputError, match="learns from photos alone: leave out `style`"):
        SuperResolution.task(SMALL, [torch.rand(1, 3, 8, 8)], FLOAT32)


def test_pictures_that_would_become_too_large_are_refused():
    method = lively(factor=8)
    huge = torch.zeros(1).expand(1, 3, 2000, 2000)
    with pytest.raises(InputError, match="2000x2000 times 8 is more than 200 megapixels"):
        method.upscale(huge)


def test_it_is_in_the_table():
    entry = get("superres", Ability.UPSCALE | Ability.TRAIN)
    assert entry.build is SuperResolution
    assert entry.family == "per_style"
    assert Ability.STYLIZE not in entry.abilities


def test_scores_are_those_of_scikit_image(photo):
    """The benchmark's numbers, from colour to score, by scikit-image's own conversion."""
    benchmark = pytest.importorskip("benchmarks.superresolution")
    original, other = photo(48, 64), photo(48, 64, top=22)
    found = benchmark.score(other, original, 4)
    ours, theirs = (
        rgb2ycbcr(p[0].permute(1, 2, 0).double().numpy())[4:-4, 4:-4, 0] for p in (other, original)
    )
    noise = peak_signal_noise_ratio(theirs, ours, data_range=255)
    assert found.psnr == pytest.approx(noise, abs=1e-3)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    alike = structural_similarity(theirs, ours, data_range=255, **window)
    assert found.ssim == pytest.approx(alike, abs=1e-4)
    with np.errstate(divide="ignore"):  # no noise at all
        same = benchmark.score(original, original, 4)
    assert (same.ssim, same.sharpness) == (1, 1)
    flat = benchmark.score(torch.full_like(original, 0.5), original, 4)
    assert flat.sharpness == pytest.approx(0, abs=1e-9)
    pairs = original.clone()
    pairs[..., 1::2] = pairs[..., ::2]  # equal columns two by two: no change at all at even ones
    assert benchmark.score(pairs, original, 4).grid == 1


def test_scores_of_a_fresh_network_are_those_of_bicubic(photo):
    benchmark = pytest.importorskip("benchmarks.superresolution")
    fresh = SuperResolution(dataclasses.replace(SMALL, match_histogram=False), FLOAT32)
    rows = benchmark.run([photo(45, 51)], [("fresh", fresh)])
    assert list(rows) == ["bicubic", "fresh"]
    assert dataclasses.astuple(rows["fresh"]) == pytest.approx(dataclasses.astuple(rows["bicubic"]))
    assert rows["bicubic"].sharpness < 1
