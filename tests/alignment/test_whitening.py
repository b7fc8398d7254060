"""Whitening, colouring, optimal transport: closed forms, an oracle, and degenerate features."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from impasto.alignment import whitening
from impasto.alignment.whitening import (
    Gaussian,
    blend,
    gaussian,
    merged,
    monge,
    part_way,
    roots,
    wct,
)
from rounding import rounding

KINDS = {"wct": wct, "monge": monge}


def features(*shape, seed=0, dtype=torch.float64):
    """Channels that hang together, each with a mean of its own."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=random, dtype=dtype)
    mixing = torch.randn(shape[1], shape[1], generator=random, dtype=dtype)
    offset = torch.randn(1, shape[1], 1, 1, generator=random, dtype=dtype)
    return torch.einsum("cd,bdhw->bchw", mixing, x) / shape[1] ** 0.5 + offset


def transport(kind, content, style, **options):
    return KINDS[kind](roots(gaussian(content), **options), roots(gaussian(style), **options))


def numpy_gaussian(x):
    values = x[0].flatten(1).double().numpy()
    return values.mean(1), np.cov(values, bias=True)


@pytest.mark.parametrize("shape", [(1, 4, 5, 7), (1, 1, 3, 3), (1, 8, 300, 300)])
def test_statistics_are_numpys(shape):
    x = features(*shape)
    found, (mean, covariance) = gaussian(x), numpy_gaussian(x)
    torch.testing.assert_close(found.mean[0], torch.from_numpy(mean))
    expected = torch.from_numpy(covariance.reshape(shape[1], shape[1]))
    torch.testing.assert_close(found.covariance[0], expected)


def test_a_guide_of_a_region_is_that_region_alone():
    x, guide = features(1, 3, 8, 9), torch.zeros(1, 1, 8, 9)
    guide[..., 2:7, 1:8] = 0.3
    found, alone = gaussian(x, guide=guide), gaussian(x[..., 2:7, 1:8])
    for ours, theirs in zip(found, alone, strict=True):  # a guide's 35 shares are float32
        torch.testing.assert_close(ours, theirs, **rounding(theirs.float(), 35))
    empty = gaussian(x, guide=torch.zeros(1, 1, 8, 9))
    torch.testing.assert_close(empty.covariance, gaussian(x).covariance)


def test_statistics_of_sixteen_bits_are_those_of_the_same_numbers_in_float64():
    x = features(1, 4, 160, 160).bfloat16()
    found, exact = gaussian(x), gaussian(x.double())
    assert found.covariance.dtype is torch.float64
    for ours, theirs in zip(found, exact, strict=True):  # float32 sums of 160 x 160 values, √n u
        torch.testing.assert_close(ours, theirs, **rounding(theirs.float(), 160))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_positions_may_be_taken_a_few_at_a_time(monkeypatch, layout):
    x = features(2, 3, 9, 7).to(memory_format=layout)
    guide = features(1, 1, 9, 7, seed=2).square()
    moved = transport("wct", x, features(1, 3, 8, 8, seed=1))

    def everything():
        return *gaussian(x), *gaussian(x, guide=guide), moved(x), moved(x[..., 1:5].mT)

    whole = everything()
    monkeypatch.setattr(whitening, "_BLOCK", 12)  # four positions
    for few, at_once in zip(everything(), whole, strict=True):
        torch.testing.assert_close(few, at_once)


def test_a_map_answers_in_the_format_that_is_asked_for():
    x = features(1, 4, 9, 7).bfloat16()
    moved = transport("monge", x, features(1, 4, 8, 8, seed=1))
    assert moved(x).dtype is torch.float32
    assert moved(x.double()).dtype is torch.float64
    torch.testing.assert_close(moved(x, torch.bfloat16), moved(x).bfloat16())


@pytest.mark.parametrize("channels", [1, 3, 17])
def test_roots_are_scipys(channels):
    of = gaussian(features(1, channels, 20, 20))
    found = roots(of)
    oracle = torch.from_numpy(np.atleast_2d(sqrtm(of.covariance[0].numpy())).real)
    torch.testing.assert_close(found.root[0], oracle, rtol=1e-6, atol=1e-8)
    unit = torch.eye(channels, dtype=torch.float64)
    torch.testing.assert_close(found.root[0] @ found.inverse[0], unit, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_result_has_the_style_mean_and_covariance(kind, dtype):
    content = features(1, 6, 20, 24, seed=1, dtype=dtype)
    style = features(1, 6, 15, 30, seed=2, dtype=dtype)
    found = transport(kind, content, style, floor=0.0)(content)
    assert found.dtype is dtype
    assert found.shape == content.shape
    exact = 1e-9 if dtype is torch.float64 else 1e-4
    for ours, theirs in zip(gaussian(found), gaussian(style), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=exact, atol=exact)


def test_monge_is_the_map_between_gaussians_by_scipy():
    content, style = features(1, 5, 20, 20, seed=1), features(1, 5, 20, 20, seed=2)
    (_, c), (_, s) = numpy_gaussian(content), numpy_gaussian(style)
    half = sqrtm(c).real
    inverse = np.linalg.inv(half)
    oracle = inverse @ sqrtm(half @ s @ half).real @ inverse
    found = transport("monge", content, style, floor=0.0).matrix[0]
    torch.testing.assert_close(found, torch.from_numpy(oracle), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(found, found.T)  # and so it is a gradient, hence optimal


def test_wct_is_the_product_of_the_roots_by_scipy():
    content, style = features(1, 5, 20, 20, seed=1), features(1, 5, 20, 20, seed=2)
    (_, c), (_, s) = numpy_gaussian(content), numpy_gaussian(style)
    oracle = sqrtm(s).real @ np.linalg.inv(sqrtm(c).real)
    found = transport("wct", content, style, floor=0.0).matrix[0]
    torch.testing.assert_close(found, torch.from_numpy(oracle), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_monge_moves_features_less(seed):
    content, style = features(1, 8, 16, 16, seed=seed), features(1, 8, 16, 16, seed=seed + 50)
    moved = {
        kind: (transport(kind, content, style, floor=0.0)(content) - content).norm()
        for kind in KINDS
    }
    assert moved["monge"] <= moved["wct"] * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_monge_attains_the_distance_of_the_gaussians(seed):
    """The mean square of the way is W2 of Gaussians: Olkin and Pukelsheim, theorem 4."""
    content, style = features(1, 4, 16, 16, seed=seed), features(1, 4, 16, 16, seed=seed + 9)
    (m, c), (n, s) = numpy_gaussian(content), numpy_gaussian(style)
    half = sqrtm(c).real
    expected = ((m - n) ** 2).sum() + np.trace(c + s - 2 * sqrtm(half @ s @ half).real)
    moved = transport("monge", content, style, floor=0.0)(content) - content
    assert moved.square().sum(1).mean().item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_with_its_own_statistics_stays_itself(kind):
    x = features(1, 6, 20, 20)
    torch.testing.assert_close(transport(kind, x, x, floor=0.0)(x), x)


@pytest.mark.parametrize("kind", KINDS)
def test_the_covariance_is_right_on_what_is_kept_of_the_content(kind):
    """A content that spans three directions of six."""
    basis, _ = torch.linalg.qr(features(1, 6, 6, 1)[0, :, :, 0])
    content = torch.einsum("cd,bdhw->bchw", basis[:, :3], features(1, 3, 20, 20, seed=1))
    style = features(1, 6, 20, 20, seed=2)
    found = gaussian(transport(kind, content, style)(content)).covariance[0]
    wanted = gaussian(style).covariance[0]
    span = basis[:, :3] @ basis[:, :3].T
    if kind == "wct":
        half = roots(gaussian(style)).root[0]
        torch.testing.assert_close(found, half @ span @ half)
    else:
        torch.testing.assert_close(found, span @ wanted @ span)


@pytest.mark.parametrize("kind", KINDS)
def test_directions_below_the_floor_are_dropped(kind):
    content = features(1, 2, 30, 30)
    content[:, 1] = content[:, 0] * 0 + 1e-4 * torch.randn(30, 30, dtype=torch.float64)
    style = features(1, 2, 30, 30, seed=3)
    kept = transport(kind, content, style, floor=1e-5)
    assert kept.matrix[0, :, 1].abs().max() < 1e-2 * kept.matrix[0, :, 0].abs().max()
    blown = transport(kind, content, style, floor=1e-12)
    assert blown.matrix.abs().max() > 100 * kept.matrix.abs().max()


def test_the_floor_may_be_a_share_of_the_largest():
    of = Gaussian(
        torch.zeros(1, 2), torch.diag(torch.tensor([1e6, 1.0], dtype=torch.float64))[None]
    )
    assert roots(of).inverse[0, 1, 1] == 1
    assert roots(of, relative=1e-5).inverse[0, 1, 1] == 0
    assert roots(of, floor=10.0).root[0, 1, 1] == 0


def test_a_batch_is_each_picture_by_itself():
    content, style = features(3, 4, 9, 9), features(1, 4, 9, 9, seed=1)
    each = [transport("wct", one[None], style)(one[None]) for one in content]
    torch.testing.assert_close(transport("wct", content, style)(content), torch.cat(each))


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_that_was_computed_once_goes_for_every_tile(kind):
    content, style = features(1, 4, 8, 12), features(1, 4, 9, 9, seed=1)
    frozen = transport(kind, content, style)
    tiles = torch.cat([frozen(content[..., :5]), frozen(content[..., 5:])], dim=-1)
    torch.testing.assert_close(tiles, frozen(content))


@pytest.mark.parametrize("kind", KINDS)
def test_a_blend_is_the_weighted_sum_of_what_each_style_makes(kind):
    content = features(1, 4, 8, 8)
    maps = [transport(kind, content, features(1, 4, 8, 8, seed=s)) for s in (1, 2, 3)]
    weights = (0.5, 0.3, 0.2)
    apart = sum(w * one(content) for w, one in zip(weights, maps, strict=True))
    torch.testing.assert_close(blend(maps, weights)(content), apart)


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_a_part_of_the_way_lies_between_the_features_and_where_they_go(amount):
    content = features(1, 4, 8, 8)
    whole = transport("wct", content, features(1, 4, 8, 8, seed=1))
    between = torch.lerp(content, whole(content), amount)
    torch.testing.assert_close(part_way(whole, amount)(content), between)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(list(KINDS)),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(["constant", "grey", "noise", "tiny", "huge", "one channel"]),
    st.sampled_from(["constant", "noise", "huge"]),
    st.integers(-1, 15),
)
def test_everything_is_finite(kind, height, width, content, style, position):
    """Constant pictures, equal channels, maps of 1x1, masks of one position."""

    def make(what, seed):
        x = features(1, 5, height, width, seed=seed, dtype=torch.float32)
        return {
            "constant": torch.full_like(x, 3.0),
            "grey": x[:, :1].expand_as(x),
            "noise": x,
            "tiny": x * 1e-12,
            "huge": x * 1e6,
            "one channel": x * torch.eye(5)[0].view(1, 5, 1, 1),
        }[what]

    guide = None
    if position >= 0:
        guide = torch.zeros(1, 1, height, width)
        guide.view(-1)[position % (height * width)] = 1.0
    x, y = make(content, 1), make(style, 2)
    found = KINDS[kind](roots(gaussian(x, guide=guide)), roots(gaussian(y)))(x)
    assert found.shape == x.shape
    assert found.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_variance_becomes_the_mean_of_the_style(kind):
    style = features(1, 4, 6, 6)
    for content in (torch.full((1, 4, 5, 5), 2.0), torch.rand(1, 4, 1, 1)):
        found = transport(kind, content, style)(content)
        mean = gaussian(style).mean.float().view(1, 4, 1, 1)
        torch.testing.assert_close(found, mean.expand_as(found))


def test_parts_make_up_the_statistics_of_the_whole():
    x = features(2, 5, 12, 7)
    parts = x.split([3, 8, 1], 2)
    found = merged([gaussian(part) for part in parts], [part.shape[2] * 7 for part in parts])
    for one, whole in zip(found, gaussian(x), strict=True):
        torch.testing.assert_close(one, whole)
