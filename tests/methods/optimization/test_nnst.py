"""NNST at a size that a test can afford: pairs, phases, shares, regions, colours."""

import dataclasses
from itertools import pairwise

import pytest
import torch

from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import samples
from impasto.image.color_transfer import match_chroma
from impasto.losses.neighbors import sample_positions
from impasto.methods.base import Frame
from impasto.methods.optimization.laplacian import join_bands, split_bands
from impasto.methods.optimization.levels import Level, StyleImage
from impasto.methods.optimization.nnst import NNST, NNSTConfig
from impasto.methods.optimization.optimizer import SolverConfig, minimize
from impasto.methods.optimization.pool import Matching, Pool
from impasto.methods.optimization.pool_losses import MatchedLoss, structure_loss
from impasto.nn.norm_statistics import StatisticsStore

FLOAT32 = choose("cpu", "float32")
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
PLAIN = Matching(tone_weight=0.0, directions=0, samples=8, lengths=False, fast=False)
SHORT = NNSTConfig(steps=2, coarse_steps=2, levels=1, layers=LAYERS)


def photo(height=48, width=64):
    return samples.photo("coffee").resized(height, width).rgb


def painting(height=48, width=64, name="fjord"):
    return samples.painting(name, 256).resized(height, width).rgb


def method(**numbers):
    return NNST(dataclasses.replace(SHORT, **numbers), FLOAT32)


def no_more(_):
    return {}


def pool(*paintings, encoder=None, matching=PLAIN):
    encoder = encoder or method().encoder
    shares = torch.full((len(paintings),), 1 / len(paintings))
    return Pool(encoder, LAYERS, paintings, shares, matching)


def test_an_image_matched_to_itself_has_no_loss():
    image = photo(52, 70)  # odd sizes at relu4_1
    itself = pool([image])
    height, width = itself.grids[0]
    places = torch.arange(height * width).view(height, width)
    assert float(MatchedLoss(itself, places, no_more)(image)["total"]) < 1e-4


def test_vectors_are_paired_at_the_same_place_of_every_layer():
    """A painting of two views, one of them the image moved by whole positions of relu4."""
    torch.manual_seed(0)
    image = painting(48, 64)
    both = pool([painting(32, 40, "swirls"), image])
    count = both.grids[0][0] * both.grids[0][1]
    places = count + torch.arange(12 * 16).view(12, 16)
    loss = MatchedLoss(both, places, no_more)
    features = both.encoder(image, LAYERS)
    for layer, offset in (("relu1_1", (1, 0)), ("relu2_1", (0, 1)), ("relu4_1", (1, 0))):
        rows, targets = loss.pairs(layer, features[layer], offset)
        assert torch.allclose(rows, targets.float(), rtol=2**-8, atol=1e-3)  # bfloat16
        assert float(rows.std()) > 0


def test_every_vector_is_paired_at_some_offset():
    image = photo(48, 64)
    itself = pool([image])
    loss = MatchedLoss(itself, torch.zeros(12, 16, dtype=torch.int64), no_more)
    numbered = torch.arange(48.0 * 64).view(1, 1, 48, 64)
    offsets = [(y, x) for y in range(2) for x in range(2)]
    seen = torch.cat([loss.pairs("relu1_1", numbered, one)[0] for one in offsets])
    assert torch.equal(seen.flatten().sort().values, numbered.flatten())


@pytest.mark.parametrize("matching", [PLAIN, dataclasses.replace(PLAIN, directions=64)])
def test_the_photo_finds_itself_in_a_painting(matching):
    torch.manual_seed(0)
    image = photo()
    two = pool([painting(), image], matching=matching)
    tones = two.tones[1]
    found = two.match(two.encoder(image, LAYERS), tones, None)
    first = two.grids[0][0] * two.grids[0][1]
    wanted = first + torch.arange(found.numel()).view_as(found)
    assert float((found == wanted).float().mean()) > 0.98


def test_scattered_takes_the_same_places_of_all_maps():
    torch.manual_seed(0)
    rows = torch.arange(32.0).view(1, 1, 32, 1).expand(1, 1, 32, 48)
    features, coarse = sample_positions(
        rows, 8, torch.arange(8.0).view(1, 1, 8, 1).expand(1, 1, 8, 12)
    )
    assert max(features.shape[2:]) <= 8
    assert torch.equal(coarse[..., 0], features[..., 0].div(4, rounding_mode="floor"))


@pytest.mark.slow
def test_nnst_lowers_both_losses():
    losses = {}

    def listen(progress):
        losses.setdefault(progress.stage.split(",")[0], []).append(progress.losses["style"])

    nnst = method(steps=12, learning_rate=5e-3, structure_weight=0.5)
    nnst.stylize(photo(), nnst.encode(painting()), callback=listen)
    assert list(losses) == ["scale 1 of 1", "layers apart"]
    assert all(one[-1] < 0.8 * one[0] for one in losses.values())


@pytest.mark.slow
def test_an_image_is_optimised_at_a_smaller_size_and_enlarged():
    seen = []
    nnst = method(steps=1, split_steps=1, reduction=2)
    image = nnst.stylize(photo(40, 600), nnst.encode(painting()), callback=seen.append)
    assert image.shape == (1, 3, 40, 600)
    assert {one.stage for one in seen} == {"scale 1 of 1, 300x20", "layers apart, 300x20"}
    seen.clear()
    nnst = method(steps=1, split_steps=1, largest_level=40)
    nnst.stylize(photo(), nnst.encode(painting()), callback=seen.append)
    assert seen[0].stage.endswith("40x30")


def test_the_memory_budget_bounds_the_size_that_is_optimised():
    """After the pictures at full size: eight images of 12 bytes a pixel, with the painting."""
    image, granted = torch.zeros(1, 3, 768, 1024), 600 * 800 * 3 // 2 * 800 * 4
    level = Level(768, 1024, image, (StyleImage(image, 1.0, None),))
    pictures = 8 * 12 * 768 * 1024
    for memory, width in ((granted + pictures, 800), (2 * granted + pictures, 1024), (1, 256)):
        nnst = NNST(NNSTConfig(), dataclasses.replace(FLOAT32, memory=memory))
        largest = nnst._largest(level)
        assert (largest.width, largest.content.shape[-1]) == (width, width)


@pytest.mark.slow
def test_phases_go_from_small_to_large():
    seen = []
    nnst = method(levels=4, coarse_steps=2, steps=1, split_steps=2)
    nnst.stylize(photo(96, 128), nnst.encode(painting()), callback=seen.append)
    assert [one.stage for one in seen] == [
        *["scale 1 of 2, 64x48"] * 2,
        "scale 2 of 2, 128x96",
        *["layers apart, 128x96"] * 2,
    ]
    assert [(one.step, one.total) for one in seen] == [(i, 5) for i in range(1, 6)]


def test_a_frame_that_starts_from_the_one_before_is_matched_at_full_size_only():
    seen, matched = [], []
    nnst = method(levels=4, steps=1, layers=("relu3_1",), structure_weight=0.0)
    encode, style = nnst.encoder.forward, nnst.encode(painting())

    def watched(image, layers):
        matched.append(image.detach().clone())
        return encode(image, layers)

    nnst.encoder.forward = watched
    with nnst.within(Frame(StatisticsStore(), painting(96, 128, "swirls"))):
        nnst.stylize(photo(96, 128), style, callback=seen.append)
    assert {one.stage for one in seen} == {"scale 1 of 1, 128x96", "layers apart, 128x96"}
    query = matched[1]  # after the painting itself
    assert not torch.allclose(query, photo(96, 128), atol=0.02)


def test_cancelling_at_the_first_scale_keeps_the_picture():
    nnst = method(levels=4)
    image = nnst.stylize(
        photo(96, 128), nnst.encode(painting()), callback=lambda progress: progress.cancel()
    )
    assert image.shape == (1, 3, 96, 128)
    assert bool(image.isfinite().all())


def test_the_start_has_no_fine_detail():
    level = Level(48, 64, photo(), ())
    start = method(blank_bands=2)._first(level)
    bands = split_bands(photo(), 8)
    expected = join_bands([0 * bands[0], 0 * bands[1], *bands[2:]])
    assert torch.allclose(start, expected, atol=1e-6)
    assert torch.equal(method(blank_bands=0)._first(level), join_bands(bands))


@pytest.mark.slow
def test_a_painting_without_a_share_leaves_no_trace():
    nnst = method()
    one, two = nnst.encode(painting()), nnst.encode(painting(name="swirls"))
    alone = nnst.stylize(photo(), one)
    assert torch.equal(nnst.stylize(photo(), one + 0 * two), alone)
    assert not torch.allclose(nnst.stylize(photo(), one + two), alone, atol=1e-2)


def test_regions_take_their_own_paintings():
    """With masks of both halves each half gets the vectors of its painting."""
    nnst = method(tone_weight=0.0)
    halves = torch.zeros(2, 1, 1, 48, 64)
    halves[0, ..., :32], halves[1, ..., 32:] = 1, 1
    styles = (
        StyleImage(painting(), 1.0, 0),
        StyleImage(painting(name="swirls"), 1.0, 1),
    )
    level = Level(48, 64, photo(), styles, tuple(halves))
    phase = next(iter(nnst._phases(level)))
    loss = nnst._objective(phase, nnst._scale(level), photo(), fresh=True)
    assert bool((loss._view[:, :8] == 0).all())
    assert bool((loss._view[:, 8:] == 1).all())


def test_the_content_loss_compares_self_similarity():
    nnst = method()
    guard = structure_loss(nnst.encoder, photo(), "relu3_1", 1.0)
    with torch.no_grad():
        assert float(guard(nnst.encoder(photo(), LAYERS))["content"]) < 1e-4
        other = nnst.encoder(painting(), LAYERS)
        assert 0.05 < float(guard(other)["content"]) <= 2
    assert structure_loss(nnst.encoder, photo(), "relu3_1", 0.0)({}) == {}


@pytest.mark.slow
def test_more_structure_weight_stays_nearer_to_the_photo():
    def apart(weight):
        nnst = method(structure_weight=weight, steps=8)
        image = nnst.stylize(photo(), nnst.encode(painting()))
        x, y = (nnst.encoder(one, ["relu4_1"])["relu4_1"] for one in (image, photo()))
        return float(1 - torch.cosine_similarity(x, y).mean())

    assert apart(1.0) < apart(0.0)


def test_turned_copies_are_matched_too():
    nnst = method(rotations=True)
    made = nnst._pool(Level(48, 64, photo(), (StyleImage(painting(), 1.0, None),)))
    assert made.grids == [(12, 16), (16, 12), (12, 16), (16, 12)]
    turned = torch.rot90(painting(), 3, (2, 3))
    torch.manual_seed(0)
    found = made.match(made.encoder(turned, LAYERS), made.tones[3], None)
    last = 3 * 12 * 16
    assert float((found >= last).float().mean()) > 0.95


@pytest.mark.slow
def test_the_chroma_step_matches_the_colours():
    nnst = method(chroma=True)
    plain = method(chroma=False)
    style = nnst.encode(painting())
    expected = match_chroma(plain.stylize(photo(), style), painting())
    assert torch.allclose(nnst.stylize(photo(), style), expected, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"content_weight": 1.5},
        {"tone_weight": -1.0},
        {"split_steps": 0},
        {"samples": 1},
        {"layers": ()},
        {"layers": ("relu1_1",)},
        {"bands": 0},
        {"final_rate": 2.0},
        {"averaging": 1.0},
        {"reduction": 0.5},
        {"largest_level": -1},
    ],
)
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError):
        NNSTConfig(**wrong)


def test_bands_put_together_are_the_image():
    image = torch.rand(1, 3, 37, 50, generator=torch.Generator().manual_seed(0))
    for count in (1, 2, 8):
        bands = split_bands(image, count)
        assert len(bands) <= count
        assert torch.allclose(join_bands(bands), image, atol=1e-6)


def test_adam_on_bands_moves_a_whole_area_at_once():
    """An offset of the whole image is one coefficient of the coarsest band: fewer steps."""
    target = torch.full((1, 3, 32, 32), 0.9)

    def after(bands):
        config = SolverConfig(optimizer="adam", steps=30, learning_rate=2e-3, bands=bands)
        start = torch.full_like(target, 0.5)
        result = minimize(lambda x: {"total": (x - target).square().mean()}, start, config)
        return result.losses["total"]

    assert after(4) < 0.5 * after(1)


def test_a_falling_rate_ends_in_small_steps():
    """Adam moves a pixel by the learning rate while its gradient keeps its sign."""
    seen = []

    def slope(image):
        seen.append(float(image.detach()[0, 0, 0, 0]))
        return {"total": 100 + image.sum()}

    config = SolverConfig(optimizer="adam", steps=5, learning_rate=0.1, final_rate=0.2)
    minimize(slope, torch.zeros(1, 3, 2, 2), config)
    steps = [before - after for before, after in pairwise(seen)]
    assert steps == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02], rel=1e-3)


def test_averaging_returns_the_mean_of_the_last_images():
    """With a constant slope and rate the images lie on a line, and so does their average."""
    config = SolverConfig(optimizer="adam", steps=3, learning_rate=0.1, averaging=0.5)
    result = minimize(lambda x: {"total": 100 + x.sum()}, torch.zeros(1, 3, 2, 2), config)
    expected = -(0.25 * 0.1 + 0.5 * 0.2 + 1 * 0.3) / 1.75
    assert torch.allclose(result.image, torch.full((1, 3, 2, 2), expected), atol=1e-5)


def test_adam_on_bands_keeps_bounds():
    config = SolverConfig(optimizer="adam", steps=20, learning_rate=0.1, bands=4)
    low, high = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    start = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    result = minimize(lambda x: {"total": (2 - x).mean()}, start, config, bounds=(low, high))
    assert float(result.image.max()) <= 1 + 1e-5
