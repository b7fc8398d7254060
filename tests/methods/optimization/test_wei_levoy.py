"""Wei and Levoy, SIGGRAPH 2000: the scan, its fronts, the pyramid, periodic samples."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from impasto.methods.optimization import resampling
from impasto.methods.optimization import wei_levoy as wl_module
from impasto.methods.optimization.wei_levoy import (
    WeiLevoyConfig,
    build_pyramid,
    fronts,
    parent_window,
    wei_levoy,
)
from textures import periodic, rough, windows


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

    picture = wei_levoy(sample, 24, 24, WeiLevoyConfig(windows=(5, 3)), callback=stop)
    assert len(seen) == 1
    blocks = picture[0, :, 12:, :].reshape(3, 6, 2, 12, 2)  # rows that no front has reached
    assert torch.equal(blocks, blocks[:, :, :1, :, :1].expand_as(blocks))
