"""Masks and regions, by what a method gets to see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import color

from impasto.core.progress import Progress
from impasto.errors import InputError
from impasto.image import Image as Picture
from impasto.methods.spec import Ability
from stub_method import ALL, flat, mask, noise, run


def by_style(seen):
    """Return the regions by the first pixel of their style."""
    values = [picture[..., :1, :1] for picture in seen.pictures]
    if not seen.regions:
        return values[0].expand_as(seen.content).contiguous()
    return sum(value * region for value, region in zip(values, seen.regions, strict=True))


@pytest.fixture(params=[ALL, Ability.STYLIZE], ids=["regions", "layers"])
def painter(request, stub):
    """Paints each region in its style's colour, by itself or with the pipeline's help."""
    return stub(paint=by_style, abilities=request.param)


STYLES = [Picture(flat(0.2)), Picture(flat(0.8))]


def columns(result):
    """The value of each column of a picture that has the same in all rows and channels."""
    assert torch.allclose(result.rgb, result.rgb[:, :1, :1].expand_as(result.rgb), atol=1e-5)
    return result.rgb[0, 0, 0].tolist()


def test_one_mask_for_each_style(painter):
    result = run(painter, flat(0.5), STYLES, masks=[mask(0, 4), mask(8, 16)])
    assert columns(result) == pytest.approx([0.2] * 4 + [0.5] * 4 + [0.8] * 8, abs=1e-5)


def test_one_mask_fewer_leaves_the_rest_to_the_last_style(painter):
    result = run(painter, flat(0.5), STYLES, masks=[mask(0, 4)])
    assert columns(result) == pytest.approx([0.2] * 4 + [0.8] * 12, abs=1e-5)


def test_overlapping_masks_share(painter):
    result = run(painter, flat(0.5), STYLES, masks=[mask(0, 8), mask(4, 16)])
    assert columns(result) == pytest.approx([0.2] * 4 + [0.5] * 4 + [0.8] * 8, abs=1e-5)


def test_soft_mask_lets_the_photo_through(stub):
    half = Picture(flat(0.5))
    method = stub(paint=lambda seen: flat(1.0), abilities=Ability.STYLIZE)
    assert columns(run(method, flat(0.0), STYLES[:1], masks=[half])) == pytest.approx([0.5] * 16)
    method = stub(paint=lambda seen: flat(1.0))
    assert columns(run(method, flat(0.0), STYLES[:1], masks=[half])) == pytest.approx([0.5] * 16)


def test_strength_within_a_mask(painter):
    result = run(painter, flat(0.6), STYLES[:1], masks=[mask(0, 8)], strength=0.5)
    assert columns(result) == pytest.approx([0.4] * 8 + [0.6] * 8, abs=1e-5)


def test_outside_the_masks_the_photo_stays_bit_for_bit(stub):
    photo = noise()
    for abilities in (ALL, Ability.STYLIZE):
        method = stub(paint=lambda seen: flat(1.0), abilities=abilities)
        result = run(method, photo, STYLES[:1], masks=[mask(0, 8)])
        assert torch.equal(result.rgb[..., 8:], photo[..., 8:])


def test_luminance_and_masks(painter):
    photo = noise(low=0.4, high=0.6)
    result = run(painter, photo, STYLES[:1], masks=[mask(0, 8)], colors="luminance")
    ours, theirs = (color.rgb2yiq(x[0].permute(1, 2, 0).numpy()) for x in (result.rgb, photo))
    assert np.abs(ours[..., 1:] - theirs[..., 1:]).max() < 1e-5
    assert torch.allclose(result.rgb[..., 8:], photo[..., 8:], atol=1e-5)


def test_mask_of_another_size(painter):
    result = run(painter, flat(0.5), STYLES[:1], masks=[mask(0, 64, width=128, height=96)])
    assert columns(result)[:7] == pytest.approx([0.2] * 7, abs=1e-5)
    assert columns(result)[9:] == pytest.approx([0.5] * 7, abs=1e-5)


def test_alpha_of_the_photo_as_a_mask(painter):
    photo = Picture(flat(0.5), mask(0, 8).rgb[:, :1])
    result = run(painter, photo, STYLES[:1], masks=["alpha"])
    assert columns(result) == pytest.approx([0.2] * 8 + [0.5] * 8, abs=1e-5)
    assert torch.equal(result.alpha, photo.alpha)


def test_mask_with_alpha_is_read_from_that(painter):
    cut = Picture(flat(0.0), mask(0, 8).rgb[:, :1])  # black, opaque on the left
    result = run(painter, flat(0.5), STYLES[:1], masks=[cut])
    assert columns(result) == pytest.approx([0.2] * 8 + [0.5] * 8, abs=1e-5)


def test_regions_reach_the_method_that_knows_them(stub):
    method = stub()
    run(method, noise(), STYLES, masks=[mask(0, 8), mask(4, 16)])
    (call,) = method.calls
    assert len(call.regions) == len(call.pictures) == 2
    assert all(region.shape == (1, 1, 12, 16) for region in call.regions)
    assert float(torch.stack(call.regions).sum(0).max()) <= 1 + 1e-6


def test_other_methods_paint_once_for_each_style(stub):
    method = stub(abilities=Ability.STYLIZE)
    steps = []
    run(
        method,
        noise(),
        STYLES,
        masks=[mask(0, 8), mask(4, 16)],
        callback=lambda p: steps.append((p.step, p.total)),
    )
    assert [len(call.pictures) for call in method.calls] == [1, 1]
    assert all(call.regions == () for call in method.calls)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_preview_of_a_region_shows_those_before_it(stub):
    method = stub(paint=by_style, abilities=Ability.STYLIZE, steps=1)
    previews = []
    run(
        method,
        flat(0.5),
        STYLES,
        masks=[mask(0, 8), mask(8, 12)],
        callback=lambda p: previews.append(columns(Picture(p.preview()))),
    )
    assert previews[0] == pytest.approx([0.2] * 8 + [0.5] * 8, abs=1e-5)
    assert previews[1] == pytest.approx([0.2] * 8 + [0.8] * 4 + [0.5] * 4, abs=1e-5)


def test_cancelling_in_one_region_leaves_the_others_as_they_were(stub):
    method = stub(paint=by_style, abilities=Ability.STYLIZE)
    result = run(
        method, flat(0.5), STYLES, masks=[mask(0, 8), mask(8, 16)], callback=Progress.cancel
    )
    assert len(method.calls) == 1
    assert columns(result) == pytest.approx([0.2] * 8 + [0.5] * 8, abs=1e-5)


@pytest.mark.parametrize(
    ("styles", "masks"), [(1, 2), (2, 3), (3, 1)], ids=["too many", "one more", "too few"]
)
def test_numbers_of_masks_that_do_not_fit(styles, masks, stub):
    with pytest.raises(InputError, match=f"{masks} masks for {styles} styles"):
        run(stub(), noise(), STYLES[:1] * styles, masks=[mask(0, 8)] * masks)


def test_black_mask(stub):
    with pytest.raises(InputError, match="region of a style is empty"):
        run(stub(), noise(), STYLES, masks=[mask(0, 8), mask(3, 3)])


def test_opaque_photo_has_no_alpha_to_take(stub):
    with pytest.raises(InputError, match="no alpha"):
        run(stub(), noise(), STYLES[:1], masks=["alpha"])
