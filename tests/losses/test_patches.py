"""The patch loss against a plain NumPy version in float64, and what must hold for any matches."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impasto.errors import InputError
from impasto.losses.augment import augment_style
from impasto.losses.patches import match_patches, patch_loss, patch_target, patch_votes

# Image (C, H, W), style maps (h, w), size, stride of the picture, stride of the style.
CASES = [
    ((5, 9, 12), [(11, 8)], 3, 1, 1),
    ((4, 10, 9), [(9, 13), (7, 6)], 3, 1, 1),
    ((4, 11, 10), [(12, 9), (8, 13)], 3, 2, 2),
    ((4, 9, 10), [(13, 10)], 3, 1, 2),
    ((4, 12, 9), [(8, 9)], 3, 2, 1),
    ((3, 14, 11), [(13, 15)], 5, 2, 3),
    ((3, 14, 11), [(13, 15), (6, 9)], 4, 3, 2),
    ((6, 7, 8), [(6, 9)], 1, 1, 1),
    ((6, 7, 8), [(6, 9)], 1, 2, 3),
    ((3, 9, 11), [(10, 9)], 2, 3, 4),  # strides beyond the patch: pixels that no patch covers
    ((3, 3, 3), [(3, 3), (3, 4)], 3, 1, 1),  # one patch
]


def make(shape, maps, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, *shape, generator=generator, dtype=torch.float64).to(dtype)
    ys = [torch.randn(1, shape[0], *m, generator=generator, dtype=torch.float64) for m in maps]
    return x, [y.to(dtype) for y in ys]


def plain_patches(x, size, stride):
    """All patches of (C, H, W), by rows: (N, C, size, size)."""
    rows, columns = ((side - size) // stride + 1 for side in x.shape[1:])
    places = product(range(0, rows * stride, stride), range(0, columns * stride, stride))
    return np.stack([x[:, i : i + size, j : j + size] for i, j in places])


def plain_sides(x, ys, size, stride, style_stride):
    x = plain_patches(x[0].double().numpy(), size, stride)
    ys = [plain_patches(y[0].double().numpy(), size, style_stride) for y in ys]
    return x, np.concatenate(ys)


def plain_matches(x, y):
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    scores = x @ y.T / np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(y, axis=1)
    return scores.argmax(1)


def brute_force(x, wanted, *, size, stride, average):
    """The loss as a sum, with the picture's patches laid out and autograd through them."""
    patches = F.unfold(x, size, stride=stride)[0].T  # (N, C*size²)
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    unfolded = F.unfold(ones, size, stride=stride)
    cover = F.fold(unfolded, x.shape[2:], size, stride=stride)
    weight = F.unfold((cover if average else ones).expand_as(x), size, stride=stride)[0].T
    return ((patches - wanted.flatten(1)).square() / weight).sum(), (1 / weight).sum()


@pytest.mark.parametrize(
    ("case", "layout"),
    [*((case, torch.contiguous_format) for case in CASES), (CASES[1], torch.channels_last)],
)
def test_matches_are_those_of_the_plain_version(case, layout):
    shape, maps, size, stride, style_stride = case
    x, ys = make(shape, maps)
    target = patch_target([y.to(memory_format=layout) for y in ys], size=size, stride=style_stride)
    found = match_patches(x.to(memory_format=layout), target, stride=stride)
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(
        found.numpy(), plain_matches(*plain_sides(x, ys, size, stride, style_stride))
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("average", [False, True])
def test_loss_is_that_of_the_plain_version(case, average):
    shape, maps, size, stride, style_stride = case
    x, ys = make(shape, maps)
    target = patch_target(ys, size=size, stride=style_stride)
    patches, wanted = plain_sides(x, ys, size, stride, style_stride)
    squares = (patches - wanted[plain_matches(patches, wanted)]) ** 2
    weights = np.ones_like(squares)
    if average:
        cover = np.zeros(shape[1:])
        columns = (shape[2] - size) // stride + 1
        corners = [divmod(i, columns) for i in range(len(patches))]
        for i, j in corners:
            cover[i * stride : i * stride + size, j * stride : j * stride + size] += 1
        weights /= plain_patches(np.maximum(cover, 1)[None], size, stride)
    options = {"stride": stride, "average_overlaps": average}
    total = patch_loss(x, target, reduction="sum", **options)
    mean = patch_loss(x, target, **options)
    np.testing.assert_allclose(total.item(), (squares * weights).sum(), rtol=1e-5)
    np.testing.assert_allclose(mean.item(), np.average(squares, weights=weights), rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("average", [False, True])
def test_gradient_is_that_of_brute_force(case, average):
    shape, maps, size, stride, style_stride = case
    x, ys = make(shape, maps, torch.float64)
    target = patch_target(ys, size=size, stride=style_stride)
    matches = match_patches(x, target, stride=stride)
    _, wanted = plain_sides(x, ys, size, stride, style_stride)
    x.requires_grad_()
    wanted = torch.from_numpy(wanted)[matches]
    expected, count = brute_force(x, wanted, size=size, stride=stride, average=average)
    options = {"matches": matches, "stride": stride, "average_overlaps": average}
    loss = patch_loss(x, target, reduction="sum", **options)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, x)[0] for v in (loss, expected)))
    torch.testing.assert_close(patch_loss(x, target, **options), expected / count)


def test_averaged_gradient_pulls_each_pixel_to_its_votes():
    x, ys = make((4, 9, 8), [(10, 9)], torch.float64)
    target = patch_target(ys)
    matches = match_patches(x, target)
    votes = patch_votes(target, matches, 9, 8)
    x.requires_grad_()
    loss = patch_loss(x, target, matches=matches, average_overlaps=True, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    torch.testing.assert_close(gradient / 2, x - votes.mean.permute(2, 0, 1)[None])


@pytest.mark.parametrize("average", [False, True])
def test_gradcheck(average):
    x, ys = make((2, 5, 6), [(5, 5), (4, 6)], torch.float64)
    target = patch_target(ys, size=3)
    matches = match_patches(x, target)

    def loss(features):
        return patch_loss(features, target, matches=matches, average_overlaps=average)

    assert loss(x).dtype == torch.float64
    assert torch.autograd.gradcheck(loss, x.requires_grad_())


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 8_000, 60_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_blocks_match_as_the_whole(limit, dtype):
    for (size, stride), style_stride in product([(3, 1), (3, 2), (5, 2), (1, 1)], [1, 2]):
        x, ys = make((8, 11, 13), [(14, 9), (7, 12)], dtype)
        target = patch_target(ys, size=size, stride=style_stride)
        whole = match_patches(x, target, stride=stride, memory_limit=2**40)
        parts = match_patches(x, target, stride=stride, memory_limit=limit)
        assert torch.equal(whole, parts)


def test_style_as_its_own_content_costs_nothing():
    x, _ = make((6, 12, 10), [])
    for dtype in (torch.float32, torch.bfloat16):
        same = (1000 * x).to(dtype).requires_grad_()
        target = patch_target(same)
        assert torch.equal(match_patches(same, target), torch.arange(10 * 8))
        loss = patch_loss(same, target, reduction="sum")
        assert loss.item() == 0
        assert torch.autograd.grad(loss, same)[0].abs().max() == 0


def test_loss_near_zero_does_not_cancel():
    x, _ = make((6, 12, 10), [])
    x = 1000 + x
    target = patch_target(x)
    near = x + 2.0**-10
    loss = patch_loss(near, target, matches=torch.arange(10 * 8))
    assert loss.item() == pytest.approx((near - x).double().square().mean().item(), rel=0.05)
    assert loss.item() >= 0


def test_strength_does_not_matter_to_matches():
    x, ys = make((6, 12, 10), [(9, 11)])
    scale = torch.rand(9, 11).mul(3).add(1)
    first = match_patches(x, patch_target(ys))
    assert torch.equal(match_patches(8 * x, patch_target(4 * ys[0])), first)
    single = match_patches(x, patch_target(ys, size=1))
    assert torch.equal(match_patches(x, patch_target(ys[0] * scale, size=1)), single)


def test_maps_count_one_after_another():
    x, ys = make((6, 9, 9), [(8, 7), (10, 6)])
    swapped = match_patches(x, patch_target(ys[::-1]))
    first, second = 6 * 5, 8 * 4
    expected = torch.where(swapped < second, swapped + first, swapped - second)
    assert torch.equal(match_patches(x, patch_target(ys)), expected)


def test_zeros_give_no_nan():
    x, ys = make((4, 8, 8), [(8, 8)])
    for picture, b in [(0 * x, ys[0]), (x, 0 * ys[0]), (0 * x, 0 * ys[0])]:
        a = picture.clone().requires_grad_()
        for average in (False, True):
            loss = patch_loss(a, patch_target(b), average_overlaps=average)
            assert torch.isfinite(loss)
            assert torch.isfinite(torch.autograd.grad(loss, a)[0]).all()
    empty = ys[0].clone()
    empty[..., :5] = 0  # zero patches lose against any that resembles
    found = match_patches(ys[0], patch_target(empty))
    assert (found % 6 >= 3).float().mean() > 0.5


@pytest.mark.slow
def test_descent_reaches_the_style():
    x, ys = make((4, 12, 12), [(14, 14)])
    target = patch_target(ys)
    x.requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.1)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = patch_loss(x, target, average_overlaps=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("precision", ["auto", "fast", "float32"])
def test_bfloat16_features(precision):
    x, ys = make((32, 40, 33), [(30, 36)], torch.bfloat16)
    target = patch_target(ys)
    settings = getattr(torch.backends.mkldnn, "matmul", None)
    before = settings and settings.fp32_precision
    found = match_patches(x, target, precision=precision)
    assert (settings and settings.fp32_precision) == before
    np.testing.assert_array_equal(found.numpy(), plain_matches(*plain_sides(x, ys, 3, 1, 1)))
    x.requires_grad_()
    loss = patch_loss(x, target, precision=precision)
    assert loss.dtype == torch.float32
    assert torch.autograd.grad(loss, x)[0].dtype == torch.bfloat16


def test_fast_products_of_float32_rarely_change_a_match():
    x, ys = make((32, 40, 33), [(30, 36)])
    target = patch_target(ys)
    same = match_patches(x, target, precision="fast") == match_patches(x, target)
    assert same.float().mean() > 0.97


def test_bad_input_is_refused_in_words():
    x, ys = make((4, 8, 8), [(8, 8)])
    target = patch_target(ys)
    with pytest.raises(InputError, match="smaller than a patch"):
        patch_target(ys, size=9)
    with pytest.raises(InputError, match="smaller than a patch"):
        match_patches(x[..., :2], target)
    with pytest.raises(InputError, match="channels"):
        match_patches(x[:, :3], target)
    with pytest.raises(InputError, match="one or more"):
        patch_target([])
    with pytest.raises(InputError, match="one or more"):
        patch_target([ys[0], ys[0][:, :2]])
    with pytest.raises(InputError, match="float feature map"):
        patch_target(ys[0][0])
    with pytest.raises(InputError, match="stride"):
        match_patches(x, target, stride=0)
    with pytest.raises(InputError, match="precision"):
        match_patches(x, target, precision="half")
    with pytest.raises(InputError, match="reduction"):
        patch_loss(x, target, reduction="max")
    with pytest.raises(InputError, match="same stride"):
        patch_loss(x, target, matches=torch.arange(4))


def test_augmented_copies_are_patches_to_choose_from():
    image = torch.rand(1, 3, 40, 52, generator=torch.Generator().manual_seed(0))
    copies = augment_style(image, scales=1, rotations=1)
    assert len(copies) == 9
    target = patch_target(copies)
    assert target.places.shape[1] == sum((c.shape[2] - 2) * (c.shape[3] - 2) for c in copies)
    best = match_patches(image, target)
    assert torch.equal(best, torch.arange(38 * 50))  # the picture itself comes first
