"""Efros and Leung, ICCV 1999: the authors' pseudo-code, batches, periodic samples."""

import dataclasses

import numpy as np
import pytest
import torch

from impasto.methods.optimization.efros_leung import (
    TIE,
    EfrosLeungConfig,
    efros_leung,
    independent_batches,
)
from textures import colors, periodic, rough, windows

EL = EfrosLeungConfig(window=5)


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
