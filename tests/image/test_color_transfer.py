"""Colours of whole pictures, against scikit-image and the closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import color, exposure

from impasto.image import color_transfer


def noise(height=24, width=31, seed=0, low=0.0, high=1.0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=random) * (high - low) + low


def to_array(image):
    return image[0].permute(1, 2, 0).double().numpy()


def test_histogram_agrees_with_scikit_image():
    image, reference = noise(seed=1), noise(seed=2).square()
    ours = to_array(color_transfer.match_histogram(image, reference))
    theirs = exposure.match_histograms(to_array(image), to_array(reference), channel_axis=-1)
    assert np.abs(ours - theirs).max() < 1e-6


def test_histogram_agrees_with_scikit_image_at_other_sizes():
    image, reference = noise(64, 80, seed=1), noise(50, 41, seed=2).square()
    ours = to_array(color_transfer.match_histogram(image, reference))
    theirs = exposure.match_histograms(to_array(image), to_array(reference), channel_axis=-1)
    assert np.abs(ours - theirs).max() < 5e-3  # they put the quantile at another end of the step


def test_histogram_of_the_same_size_is_the_reference_rearranged():
    image, reference = noise(seed=1), noise(31, 24, seed=2)
    matched = color_transfer.match_histogram(image, reference)
    assert torch.equal(matched.flatten(2).sort().values, reference.flatten(2).sort().values)
    assert torch.equal(matched.flatten(2).argsort(), image.flatten(2).argsort())


def test_histogram_reaches_both_ends_of_a_reference_of_any_size():
    matched = color_transfer.match_histogram(noise(9, 9), noise(40, 50, seed=3, low=0.2, high=0.7))
    reference = noise(40, 50, seed=3, low=0.2, high=0.7)
    assert torch.equal(matched.amin((2, 3)), reference.amin((2, 3)))
    assert torch.equal(matched.amax((2, 3)), reference.amax((2, 3)))


def test_histogram_of_itself_changes_nothing():
    image = noise()
    assert torch.allclose(color_transfer.match_histogram(image, image), image, atol=1e-6)


def test_flat_areas_stay_flat():
    image = noise()
    image[..., :10, :] = 1.0  # as the pixels that were clamped
    matched = color_transfer.match_histogram(image, noise(seed=5))
    assert torch.equal(matched[..., :10, :], matched[..., :1, :1].expand(-1, -1, 10, 31))
    assert (matched[..., :1, :1] > matched[..., 10:, :]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7)])
def test_histogram_of_the_smallest_pictures(shape):
    image = color_transfer.match_histogram(noise(*shape), noise(*shape, seed=1))
    assert image.shape == (1, 3, *shape)
    assert image.isfinite().all()


def test_luminance_agrees_with_scikit_image():
    image = noise()
    ours = color_transfer.luminance(image)[0, 0].numpy()
    assert np.abs(ours - color.rgb2yiq(to_array(image))[..., 0]).max() < 1e-6


def test_luminance_is_replaced_and_chroma_kept():
    image = noise(low=0.4, high=0.6)
    y = noise(seed=1, low=0.4, high=0.6)[:, :1]
    ours = color.rgb2yiq(to_array(color_transfer.with_luminance(image, y)))
    assert np.abs(ours[..., 0] - y[0, 0].numpy()).max() < 1e-5
    assert np.abs(ours[..., 1:] - color.rgb2yiq(to_array(image))[..., 1:]).max() < 1e-5


def test_its_own_luminance_changes_nothing():
    image = noise()
    same = color_transfer.with_luminance(image, color_transfer.luminance(image))
    assert torch.allclose(same, image, atol=1e-5)


def test_luminance_matches_mean_and_deviation():
    image, reference = noise(seed=1)[:, :1], noise(40, 9, seed=2, low=0.3, high=0.5)[:, :1]
    matched = color_transfer.match_luminance(image, reference)
    assert float(matched.mean()) == pytest.approx(float(reference.mean()), abs=1e-6)
    deviations = [float(x.std(correction=0)) for x in (matched, reference)]
    assert deviations[0] == pytest.approx(deviations[1], abs=1e-6)


def test_flat_luminance_takes_the_mean():
    flat = torch.full((1, 1, 8, 8), 0.1)
    matched = color_transfer.match_luminance(flat, noise()[:, :1])
    assert torch.allclose(matched, noise()[:, :1].mean().expand_as(matched), atol=1e-3)


def correlated(seed):
    """Muted colours whose channels move together, so that nothing is clamped."""
    mix = torch.tensor([[0.10, 0.05, 0.01], [0.02, 0.09, 0.04], [0.03, -0.02, 0.07]])
    return 0.45 + torch.einsum("cd,bdhw->bchw", mix.roll(seed, 0), noise(seed=seed) - 0.5)


def test_colors_take_mean_and_covariance():
    image, reference = correlated(1), correlated(2)
    matched = color_transfer.match_colors(image, reference).flatten(2)[0].double()
    wanted = reference.flatten(2)[0].double()
    assert torch.allclose(matched.mean(1), wanted.mean(1), atol=1e-6)
    assert torch.allclose(torch.cov(matched), torch.cov(wanted), atol=2e-6)


def test_own_colors_change_nothing():
    assert torch.allclose(color_transfer.match_colors(correlated(1), correlated(1)), correlated(1))


def test_colors_are_moved_by_a_symmetric_map():
    image, reference = correlated(1), correlated(2)
    x, y = (
        one.flatten(2)[0].double() for one in (image, color_transfer.match_colors(image, reference))
    )
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    transport = torch.linalg.lstsq(x.T, y.T).solution.T
    assert torch.allclose(transport, transport.T, atol=1e-4)
    assert (torch.linalg.eigvalsh(transport) > 0).all()


@pytest.mark.parametrize("grey", ["image", "reference", "both"])
def test_colors_of_a_single_one(grey):
    flat = torch.full((1, 3, 6, 6), 0.25)
    image = correlated(1) if grey == "reference" else flat
    reference = correlated(2) if grey == "image" else flat + 0.1
    matched = color_transfer.match_colors(image, reference)
    assert matched.isfinite().all()
    assert torch.allclose(matched.mean((2, 3)), reference.mean((2, 3)), atol=1e-3)


def test_colors_stay_in_range():
    matched = color_transfer.match_colors(noise(low=0.4, high=0.6), noise(seed=1).round())
    assert 0 <= float(matched.min()) < float(matched.max()) <= 1


def test_chroma_gets_the_mean_and_covariance_of_a_reference():
    """Against a plain conversion to OKLab; lightness stays where nothing is clipped."""
    generator = torch.Generator().manual_seed(0)
    image = 0.4 + 0.2 * torch.rand(1, 3, 20, 20, generator=generator)
    reference = 0.45 + 0.1 * torch.rand(1, 3, 15, 30, generator=generator)
    reference[:, 0] += 0.05
    found = oklab(color_transfer.match_chroma(image, reference))
    before, wanted = oklab(image), oklab(reference)
    assert np.allclose(found[0], before[0], atol=1e-4)
    assert np.allclose(found[1:].mean(1), wanted[1:].mean(1), atol=1e-4)
    assert np.allclose(np.cov(found[1:], ddof=0), np.cov(wanted[1:], ddof=0), atol=1e-6)


def test_chroma_is_stretched_up_to_a_limit():
    """Colours that hardly differ would become as strong as those of the reference."""
    image, reference = 0.45 + 0.02 * noise(20, 20), noise(15, 30, seed=1)

    def spread(rgb):
        return np.linalg.eigvalsh(np.cov(oklab(rgb)[1:], ddof=0))[-1] ** 0.5

    found = color_transfer.match_chroma(image, reference, 1.5)
    assert spread(found) == pytest.approx(1.5 * spread(image), rel=0.02)
    assert spread(color_transfer.match_chroma(image, reference)) > 3 * spread(image)


@pytest.mark.parametrize("pixels", [1, 7 * 20, 20 * 20])
def test_chroma_in_blocks_of_rows_is_that_of_the_whole(monkeypatch, pixels):
    """The last block may be shorter; only the order of the sums differs, in float64."""
    image, reference = noise(20, 20), noise(15, 30, seed=1)
    whole = color_transfer.match_chroma(image, reference)
    monkeypatch.setattr(color_transfer, "_BLOCK", pixels)
    parts = color_transfer.match_chroma(image, reference)
    assert torch.allclose(parts, whole, rtol=0, atol=2**-23)  # of float32 at 1: one rounding


def test_chroma_of_a_large_image_takes_a_few_copies_of_it():
    """One for the result; a conversion as a whole took more than ten, in float64."""
    image = noise(1024, 1024)
    with torch.profiler.profile(profile_memory=True) as record:
        color_transfer.match_chroma(image, noise(8, 8, seed=1))
    used = most = 0
    for event in sorted(record.events(), key=lambda event: event.time_range.end):
        used += event.self_cpu_memory_usage
        most = max(most, used)
    assert most < 6 * image.nbytes


def test_oklab_of_white_and_red():
    """White is L = 1 without colour; red is 0.628, 0.225, 0.126 (CSS Color 4, example)."""
    pixels = torch.tensor([[1.0, 1, 1], [1, 0, 0]]).T.reshape(1, 3, 1, 2)
    found = color_transfer.oklab(pixels.double()).numpy()
    assert np.allclose(found, [[1, 0.628], [0, 0.2249], [0, 0.1258]], atol=1e-3)


def oklab(image):
    x = image.double().flatten(2)[0].numpy()
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    cones = np.array(color_transfer._RGB_TO_LMS) @ linear
    return np.array(color_transfer._LMS_TO_OKLAB) @ np.cbrt(cones)
