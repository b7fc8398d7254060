"""Texture synthesis by resampling pixels: Efros & Leung 1999 and Wei & Levoy 2000."""

import numpy as np
import pytest
import torch

from impasto.errors import InputError
from impasto.methods.optimization import resampling
from impasto.methods.optimization.efros_leung import (
    EfrosLeungConfig,
    efros_leung,
)
from impasto.methods.optimization.wei_levoy import (
    WeiLevoyConfig,
    parent_window,
    wei_levoy,
)
from textures import colors, rough

EL = EfrosLeungConfig(window=5)
WL = WeiLevoyConfig(windows=(5, 3))
BOTH = pytest.mark.parametrize(
    ("synthesize", "config"), [(efros_leung, EL), (wei_levoy, WL)], ids=["efros", "wei"]
)


@BOTH
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (9, 4), (20, 13), (17, 31)])
def test_output_has_the_asked_size_and_only_colors_of_the_sample(synthesize, config, size):
    sample = rough(12, 15)
    picture = synthesize(sample, *size, config, seed=1)
    assert picture.shape == (1, 3, *size)
    assert colors(picture) <= colors(sample)


@BOTH
def test_constant_sample_gives_a_constant_picture(synthesize, config):
    sample = torch.tensor([0.2, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 10, 11)
    assert torch.equal(synthesize(sample, 14, 9, config), sample[:, :, :1, :1].expand(1, 3, 14, 9))


@BOTH
def test_grey_stays_grey(synthesize, config):
    sample = rough(12, 12)[:, :1].expand(1, 3, 12, 12)
    picture = synthesize(sample, 15, 15, config)
    assert torch.equal(picture[:, 0], picture[:, 1])
    assert torch.equal(picture[:, 0], picture[:, 2])


@BOTH
def test_seed_decides_the_picture(synthesize, config):
    sample = rough(14, 14)
    one, again = (synthesize(sample, 16, 16, config, seed=5) for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, synthesize(sample, 16, 16, config, seed=6))


@BOTH
def test_global_random_state_and_threads_are_left_alone(synthesize, config):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    synthesize(rough(12, 12), 8, 8, config)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


@BOTH
def test_double_precision_sample_is_searched_alike(synthesize, config):
    sample = rough(12, 12)
    picture = synthesize(sample.double(), 14, 14, config)
    torch.testing.assert_close(picture.float(), synthesize(sample, 14, 14, config))


@BOTH
def test_progress_rises_to_the_total_and_previews_are_pictures(synthesize, config):
    reports = []
    picture = synthesize(
        rough(12, 12), 20, 18, config, callback=lambda p: reports.append((p, p.preview()))
    )
    steps = [p.step for p, _ in reports]
    assert steps == sorted(steps)
    assert steps[-1] == reports[-1][0].total
    assert 10 < len(steps) < 250
    assert all(preview.shape == (1, 3, 20, 18) for _, preview in reports)
    assert torch.equal(reports[-1][1], picture)


@BOTH
@pytest.mark.parametrize("after", [1, 15, 40])
def test_cancelling_returns_what_there_is(synthesize, config, after):
    reports, previews = [], []

    def stop(progress):
        reports.append(progress)
        previews.append(progress.preview())
        if len(reports) == after:
            progress.cancel()

    sample = rough(12, 12)
    picture = synthesize(sample, 24, 24, config, callback=stop)
    assert len(reports) == after
    assert torch.equal(picture, previews[-1])
    assert picture.shape == (1, 3, 24, 24)
    assert torch.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert not torch.equal(picture, synthesize(sample, 24, 24, config))


@BOTH
@pytest.mark.parametrize(
    ("sample", "size", "words"),
    [
        (torch.rand(1, 3, 4, 9), (8, 8), "at least 5x5 pixels"),
        (torch.rand(1, 1, 9, 9), (8, 8), r"\(1, 3, height, width\)"),
        (torch.rand(2, 3, 9, 9), (8, 8), r"\(1, 3, height, width\)"),
        (torch.rand(3, 9, 9), (8, 8), r"\(1, 3, height, width\)"),
        (torch.rand(1, 3, 9, 9) + 1, (8, 8), "outside 0 to 1"),
        (torch.full((1, 3, 9, 9), torch.nan), (8, 8), "outside 0 to 1"),
        (torch.rand(1, 3, 9, 9), (0, 8), "at least 1"),
        (torch.rand(1, 3, 9, 9), (1 << 20, 1 << 20), "at most"),
        (torch.rand(1, 3, 1, 1).expand(1, 3, 9000, 9000), (8, 8), "crop or shrink"),
    ],
)
def test_bad_input_is_refused_in_words(synthesize, config, sample, size, words):
    with pytest.raises(InputError, match=words):
        synthesize(sample, *size, config)


@BOTH
def test_sample_of_exactly_the_window_is_enough(synthesize, config):
    sample = rough(5, 5)
    assert colors(synthesize(sample, 9, 9, config)) <= colors(sample)


@BOTH
def test_small_blocks_give_the_same_picture(synthesize, config, monkeypatch):
    sample = rough(12, 12)
    expected = synthesize(sample, 16, 16, config)
    for module in ("efros_leung", "wei_levoy"):
        monkeypatch.setattr(f"impasto.methods.optimization.{module}.MAX_PRODUCT", 150)
    assert torch.equal(synthesize(sample, 16, 16, config), expected)


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (EfrosLeungConfig, {"window": 4}),
        (EfrosLeungConfig, {"window": 3}),
        (EfrosLeungConfig, {"window": 27}),
        (EfrosLeungConfig, {"max_error": 0}),
        (EfrosLeungConfig, {"growth": 1.0}),
        (EfrosLeungConfig, {"error_threshold": -0.1}),
        (EfrosLeungConfig, {"seed_size": 0}),
        (EfrosLeungConfig, {"batch": 0}),
        (EfrosLeungConfig, {"sigma_ratio": 0}),
        (WeiLevoyConfig, {"windows": ()}),
        (WeiLevoyConfig, {"windows": (9, 4)}),
        (WeiLevoyConfig, {"passes": 0}),
    ],
)
def test_configs_refuse_what_makes_no_sense(make, values):
    with pytest.raises(InputError):
        make(**values)


def test_configs_of_the_papers():
    assert EfrosLeungConfig.paper() == EfrosLeungConfig()
    assert WeiLevoyConfig.paper() == WeiLevoyConfig(windows=(7, 5, 3, 1), passes=1)
    assert [parent_window(w) for w in (1, 3, 5, 7, 9)] == [1, 1, 3, 3, 5]


def test_threads_come_back_after_an_error():
    before = torch.get_num_threads()
    seen = []

    def fail():
        with resampling.threads_for(torch.zeros(1, 3, 4, 4), 10):
            seen.append(torch.get_num_threads())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen == [1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("copies", [1, 5, 40])
def test_nearest_is_exact_where_the_product_is_not(copies):
    # Large common offset, tiny differences: |b|^2 - 2ab alone would be all rounding.
    random = np.random.default_rng(0)
    table = torch.tensor(100 + 0.01 * random.random((50, 30)), dtype=torch.float32)
    table = table.repeat(copies, 1)
    query = table[:50] + torch.tensor(1e-3 * random.random((50, 30)), dtype=torch.float32)
    table[:copies] = table[:copies].flip(0)
    small = (table - 100, query - 100, (table - 100).square().sum(dim=1))
    distance = torch.cdist(small[1].double(), small[0].double())
    found = resampling.nearest(small[1], small[0], small[2])
    assert torch.equal(found, distance.argmin(dim=1))
    if copies == 1:  # no more rivals than are compared: right in spite of the offset
        few = table[: resampling.MAX_RIVALS]
        found = resampling.nearest(query, few, few.square().sum(dim=1))
        expected = (query[:, None].double() - few.double()).square().sum(dim=2).argmin(dim=1)
        assert torch.equal(found, expected)


def test_causal_window_is_what_the_raster_order_has_passed():
    offsets = resampling.causal(5, torch.device("cpu")).tolist()
    whole = resampling.square(5, torch.device("cpu")).tolist()
    assert offsets == [o for o in whole if o < [0, 0]]
