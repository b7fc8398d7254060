"""Texture synthesis by resampling pixels: Efros & Leung 1999 and Wei & Levoy 2000."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from impasto.errors import InputError
from impasto.methods.optimization import resampling
from impasto.methods.optimization import wei_levoy as wl_module
from impasto.methods.optimization.efros_leung import (
    TIE,
    EfrosLeungConfig,
    efros_leung,
    independent_batches,
)
from impasto.methods.optimization.wei_levoy import (
    WeiLevoyConfig,
    build_pyramid,
    fronts,
    parent_window,
    wei_levoy,
)

EL = EfrosLeungConfig(window=5)
WL = WeiLevoyConfig(windows=(5, 3))
BOTH = pytest.mark.parametrize(
    ("synthesize", "config"), [(efros_leung, EL), (wei_levoy, WL)], ids=["efros", "wei"]
)


def rough(height, width, seed=0):
    """A smooth random colour picture in 8-bit steps: neighbours resemble each other."""
    random = np.random.default_rng(seed)
    coarse = random.random((3, height // 3 + 1, width // 3 + 1))
    fine = coarse.repeat(3, 1).repeat(3, 2)[:, :height, :width] * 0.8
    picture = np.round((fine + 0.2 * random.random((3, height, width))) * 255) / 255
    return torch.tensor(picture, dtype=torch.float32)[None]


def periodic(height, width, rows=4, columns=4, seed=3):
    """A random tile of distinct colours, repeated."""
    tile = np.random.default_rng(seed).permutation(rows * columns * 3).reshape(3, rows, columns)
    tiles = np.tile(tile / tile.size, (1, height // rows + 1, width // columns + 1))
    return torch.tensor(tiles[:, :height, :width], dtype=torch.float32)[None]


def colors(picture):
    return {tuple(c) for c in picture[0].flatten(1).T.tolist()}


def windows(picture, size=3):
    """All size x size windows of a picture, as a set of byte strings and as a list."""
    pixels = picture[0].permute(1, 2, 0).numpy()
    views = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(0, 1))
    return [v.tobytes() for v in np.ascontiguousarray(views).reshape(-1, 3 * size * size)]


# ------------------------------------------------------------------ what holds for both methods


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


# ------------------------------------------------------------------------------- Efros and Leung


def efros_leung_plainly(sample, height, width, config, seed):
    """The authors' pseudo-code, one pixel and one window after the other, in float64."""
    random = torch.Generator().manual_seed(seed)
    priority = torch.rand(height, width, generator=random).numpy()
    draw = torch.rand(height * width, generator=random).double().numpy().reshape(height, width)
    source = sample[0].double().permute(1, 2, 0).numpy()
    h, w, half = *source.shape[:2], config.window // 2
    image, known = np.zeros((height, width, 3)), np.zeros((height, width), bool)
    side = [min(config.seed_size, height), min(config.seed_size, width)]
    top = int(torch.randint(h - side[0] + 1, (), generator=random))
    left = int(torch.randint(w - side[1] + 1, (), generator=random))
    y0, x0 = (height - side[0]) // 2, (width - side[1]) // 2
    there = slice(y0, y0 + side[0]), slice(x0, x0 + side[1])
    image[there], known[there] = source[top : top + side[0], left : left + side[1]], True
    sigma, limit = config.window / config.sigma_ratio, config.max_error
    reach = range(-half, half + 1)

    def inside(y, x):
        return 0 <= y < height and 0 <= x < width

    def neighbours(y, x):
        around = [(dy, dx) for dy in reach for dx in reach if inside(y + dy, x + dx)]
        return [(dy, dx) for dy, dx in around if known[y + dy, x + dx]]

    def touches(y, x):
        around = [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if inside(y + i, x + j)]
        return any(known[p] for p in around)

    while not known.all():
        spots = [(y, x) for y, x in np.ndindex(height, width) if not known[y, x] and touches(y, x)]
        spots.sort(key=lambda p: (-len(neighbours(*p)), priority[p]))
        progress = False
        for y, x in spots:
            near = neighbours(y, x)
            gauss = [np.exp(-(dy * dy + dx * dx) / (2 * sigma**2)) for dy, dx in near]
            errors = {
                (cy, cx): sum(
                    g * ((image[y + dy, x + dx] - source[cy + dy, cx + dx]) ** 2).mean()
                    for g, (dy, dx) in zip(gauss, near, strict=True)
                )
                / sum(gauss)
                for cy in range(half, h - half)
                for cx in range(half, w - half)
            }
            best = min(errors.values()) * (1 + config.error_threshold) + TIE
            fits = [place for place, error in errors.items() if error <= best]
            choice = fits[int(draw[y, x] * len(fits))]
            if errors[choice] < limit:
                image[y, x], known[y, x], progress = source[choice], True, True
        if not progress:
            limit *= config.growth
    return torch.tensor(image).permute(2, 0, 1)[None].float()


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 1024])
@pytest.mark.parametrize("max_error", [0.3, 0.002])
def test_efros_leung_is_the_authors_pseudo_code(batch, max_error):
    sample = rough(9, 10, seed=4)
    config = dataclasses.replace(EL, batch=batch, max_error=max_error, error_threshold=0.3)
    picture = efros_leung(sample, 9, 8, config, seed=2)
    assert torch.equal(picture, efros_leung_plainly(sample, 9, 8, config, seed=2))


@pytest.mark.slow
def test_batches_do_not_change_the_picture():
    sample = rough(24, 24)
    strict = dataclasses.replace(EL, window=9, batch=1)
    fast = dataclasses.replace(EL, window=9)
    assert torch.equal(efros_leung(sample, 36, 36, strict), efros_leung(sample, 36, 36, fast))


def test_independent_batches_keep_the_order_of_pixels_that_see_each_other():
    points = np.random.default_rng(0).permutation(np.stack(np.mgrid[:20, :20], -1).reshape(-1, 2))
    points, reach = points[:150], 2
    turn = np.full(len(points), -1)
    for i, part in enumerate(independent_batches(points, reach, 13)):
        assert len(part) <= 13
        assert (turn[part] == -1).all()
        turn[part] = i
    assert (turn >= 0).all()
    sees = np.abs(points[:, None] - points).max(axis=2) <= reach
    earlier, later = np.nonzero(np.triu(sees, 1))
    assert (turn[earlier] < turn[later]).all()
    assert turn.max() < len(points) / 4  # it does go together


@pytest.mark.parametrize("period", [(4, 4), (2, 3), (1, 5), (5, 1)])
def test_efros_leung_continues_a_periodic_sample_exactly(period):
    sample = periodic(20, 20, *period)
    picture = efros_leung(sample, 33, 30, dataclasses.replace(EL, window=7), seed=1)
    assert torch.equal(picture[:, :, period[0] :], picture[:, :, : -period[0]])
    assert torch.equal(picture[..., period[1] :], picture[..., : -period[1]])
    assert set(windows(picture)) <= set(windows(sample))


def test_efros_leung_waits_and_grows_the_error_but_ends():
    sample = rough(12, 12)
    config = dataclasses.replace(EL, max_error=1e-9, error_threshold=0.0)
    assert colors(efros_leung(sample, 10, 10, config)) <= colors(sample)


def test_cancelled_growth_is_mean_colored_where_nothing_is_known():
    sample = rough(12, 12)
    picture = efros_leung(sample, 31, 31, EL, callback=lambda p: p.cancel())
    mean = sample.mean(dim=(2, 3))[0]
    torch.testing.assert_close(picture[0, :, 0, 0], mean)
    assert tuple(picture[0, :, 15, 15].tolist()) in colors(sample)


# --------------------------------------------------------------------------------- Wei and Levoy


def wei_levoy_plainly(sample, height, width, config, seed):
    """The scan in single steps on Python lists of neighbours, in float64."""
    random = torch.Generator().manual_seed(seed)
    pyramid = build_pyramid(sample, config.windows)
    coarse = None
    for depth in reversed(range(len(pyramid))):
        source = pyramid[depth][0].double().permute(1, 2, 0).numpy()
        h, w = source.shape[:2]
        H, W = -(-height // 2**depth), -(-width // 2**depth)
        window = config.windows[depth]
        half, reach = window // 2, parent_window(window) // 2
        rounds = -(-H * W // (h * w))
        noise = torch.cat([torch.randperm(h * w, generator=random) for _ in range(rounds)])
        noise = noise[: H * W][torch.randperm(H * W, generator=random)].numpy()
        out = source.reshape(-1, 3)[noise].reshape(H, W, 3)
        whole = [(i, j) for i in range(-half, half + 1) for j in range(-half, half + 1)]
        parents = [(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
        for turn in range(config.passes):
            near = [(i, j) for i, j in whole if (i, j) < (0, 0) or (turn and (i, j) != (0, 0))]
            places, rows = [], []
            for y, x in np.ndindex(h, w):
                fine = [(y + i, x + j) for i, j in near]
                up = [(y // 2 + i, x // 2 + j) for i, j in parents] if coarse else []
                below = half if turn else 0
                if not (half <= y < h - below and half <= x < w - half):
                    continue
                if up and not all(0 <= a < len(coarse[0]) for a, _ in up):
                    continue
                if up and not all(0 <= b < len(coarse[0][0]) for _, b in up):
                    continue
                row = [source[p] for p in fine] + [coarse[0][p] for p in up]
                places.append((y, x))
                rows.append(np.concatenate(row))
            rows = np.array(rows)
            for y in range(H):
                for x in [(half * y + step) % W for step in range(W)]:
                    seen = [out[(y + i) % H, (x + j) % W] for i, j in near]
                    if coarse:
                        h2, w2 = coarse[1].shape[:2]
                        seen += [
                            coarse[1][(y // 2 + i) % h2, (x // 2 + j) % w2] for i, j in parents
                        ]
                    distance = ((rows - np.concatenate(seen)) ** 2).sum(1)
                    first = np.flatnonzero(distance <= distance.min() + 1e-9)[0]
                    out[y, x] = source[places[first]]
        coarse = source, out
    return torch.tensor(out).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("size", [(16, 13), (7, 33), (30, 4), (3, 11), (1, 9)])
@pytest.mark.parametrize("passes", [1, 2])
def test_wei_levoy_fronts_are_the_scan_in_single_steps(size, passes):
    sample = rough(14, 17, seed=8)
    config = WeiLevoyConfig(windows=(5, 3, 3), passes=passes)
    assert len(build_pyramid(sample, config.windows)) == 3
    picture = wei_levoy(sample, *size, config, seed=3)
    assert torch.equal(picture, wei_levoy_plainly(sample, *size, config, seed=3))


@pytest.mark.parametrize("size", [(9, 9), (12, 40), (40, 12), (6, 30), (3, 7), (1, 5), (7, 1)])
@pytest.mark.parametrize("half", [0, 1, 2, 4])
def test_fronts_see_what_the_scan_sees(size, half):
    height, width = size
    rank, turn = np.full(size, -1), np.full(size, -1)
    for y in range(height):
        rank[y, (half * y + np.arange(width)) % width] = y * width + np.arange(width)
    for i, front in enumerate(fronts(height, width, half)):
        for y, x in front.tolist():
            assert turn[y, x] == -1
            turn[y, x] = i
    assert (turn >= 0).all()
    for dy in range(-half, half + 1):
        for dx in range(-half, half + 1):
            seen_rank = np.roll(rank, (-dy, -dx), (0, 1))
            seen_turn = np.roll(turn, (-dy, -dx), (0, 1))
            assert (seen_turn < turn)[seen_rank < rank].all()  # what came before has been written
            assert (seen_turn >= turn)[seen_rank > rank].all()  # what comes later has not


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


def test_pyramid_is_the_binomial_filter_at_every_second_pixel():
    sample = rough(13, 18)
    taps = np.array([1, 4, 6, 4, 1]) / 16
    expected = sample[0].double().numpy()
    for level in build_pyramid(sample, (3, 3, 3))[1:]:
        blurred = [convolve(c, np.outer(taps, taps), mode="mirror") for c in expected]
        expected = np.stack(blurred)[:, ::2, ::2]
        np.testing.assert_allclose(level[0].numpy(), expected, atol=1e-6)


def test_levels_that_the_sample_is_too_small_for_are_left_out():
    assert [tuple(p.shape[2:]) for p in build_pyramid(rough(16, 16), (9, 9, 9))] == [(16, 16)]
    assert len(build_pyramid(rough(64, 64), WeiLevoyConfig().windows)) == 3


def test_noise_has_the_histogram_of_the_sample():
    sample = rough(6, 7)
    level = wl_module._Level(sample, (18, 14), 1, None, torch.Generator().manual_seed(0))
    level.scan(True, resampling.Ticker(1, None), "")  # a window of 1 leaves the noise
    noise, tiled = level.picture(), sample.repeat(1, 1, 3, 2)
    assert sorted(map(tuple, noise[0].flatten(1).T.tolist())) == sorted(
        map(tuple, tiled[0].flatten(1).T.tolist())
    )


@pytest.mark.parametrize("is_first", [True, False])
def test_a_periodic_torus_is_a_fixed_point_of_the_scan(is_first):
    sample = periodic(24, 24, 4, 3)
    level = wl_module._Level(sample, (32, 48), 7, None, torch.Generator().manual_seed(0))
    rows, columns = torch.arange(32) % 4, torch.arange(48) % 3
    level.source = rows[:, None] * 24 + columns
    expected = resampling.gather_picture(level.source, sample)
    with resampling.threads_for(sample, 1):
        level.scan(is_first, resampling.Ticker(1, None), "")
    assert torch.equal(level.picture(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("period", [(1, 4), (4, 1), (2, 2), (4, 4)])
def test_wei_levoy_continues_a_periodic_sample_and_tiles(period):
    # From noise, parts of the picture settle on different phases: most windows are the sample's,
    # those on the walls between two phases are not.
    sample = periodic(32, 32, *period)
    picture = wei_levoy(sample, 32, 48, WeiLevoyConfig(), seed=0)
    wrapped = torch.cat([picture, picture[:, :, :2]], dim=2)
    wrapped = torch.cat([wrapped, wrapped[..., :2]], dim=3)
    here = set(windows(sample))
    share = np.mean([window in here for window in windows(wrapped)])
    assert share > 0.75


@pytest.mark.slow
def test_whole_window_pass_heals_the_scar_of_the_torus():
    sample = periodic(32, 32, 4, 4)
    here = set(windows(sample))

    def misfits(passes):
        picture = wei_levoy(sample, 32, 32, WeiLevoyConfig(passes=passes), seed=0)
        rows = torch.cat([picture[:, :, -2:], picture[:, :, :2]], dim=2)
        return sum(window not in here for window in windows(rows))

    assert misfits(2) <= misfits(1)


def test_cancelled_level_shows_the_coarser_one_where_it_is_not_done():
    sample = rough(24, 24)
    seen = []

    def stop(progress):
        if progress.stage == "level 2 of 2":
            seen.append(progress.step)
            progress.cancel()

    picture = wei_levoy(sample, 24, 24, WL, callback=stop)
    assert len(seen) == 1
    blocks = picture[0, :, 12:, :].reshape(3, 6, 2, 12, 2)  # rows that no front has reached
    assert torch.equal(blocks, blocks[:, :, :1, :, :1].expand_as(blocks))
