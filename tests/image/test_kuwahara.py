"""The anisotropic Kuwahara filter, and plain areas that it smooths."""

import math

import pytest
import torch
import torch.nn.functional as F

from impasto.image import kuwahara as module
from impasto.image.kuwahara import kuwahara, smooth_plain


def noise(height, width, seed=0):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_a_uniform_image_stays():
    image = torch.full((1, 3, 20, 31), 0.4)
    torch.testing.assert_close(kuwahara(image, 4.0), image)


def test_noise_goes_and_an_edge_stays():
    edge = torch.full((1, 3, 48, 48), 0.2)
    edge[..., 24:] = 0.8
    found = kuwahara(edge + 0.03 * noise(48, 48), 4.0)
    assert (found - edge)[..., :22].std() < 0.015
    assert found[..., 24].mean() - found[..., 23].mean() > 0.5


def test_windows_follow_the_lines_of_any_direction(monkeypatch):
    """Noise is averaged along stripes; windows of one direction, or round ones, mix them."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")

    def error(image, stripes):
        return float((module.kuwahara(image, 4.0) - stripes)[..., 10:-10, 10:-10].abs().mean())

    for angle in (0.0, 0.6, math.pi / 2, 2.5):
        wave = torch.sin((math.cos(angle) * x + math.sin(angle) * y) * 2 * math.pi / 10)
        stripes = (0.5 + 0.3 * wave).expand(1, 3, -1, -1)
        image = stripes + 0.03 * noise(64, 64)
        along = error(image, stripes)
        assert along < 0.035
        with monkeypatch.context() as patched:  # the roundest window everywhere
            patched.setattr(module, "_nearest_window", lambda *_: torch.zeros(64, 64).long())
            assert along < 0.7 * error(image, stripes)


def test_only_the_chosen_pixels_change():
    image = (0.5 + 0.1 * noise(24, 32)).clamp(0, 1)
    where = torch.zeros(24, 32, dtype=torch.bool)
    where[:, 16:] = True
    found = kuwahara(image, 3.0, where)
    assert torch.equal(found[..., :16], image[..., :16])
    torch.testing.assert_close(found[..., 16:], kuwahara(image, 3.0)[..., 16:])


@pytest.mark.parametrize("size", [(120, 200), (400, 700)])
def test_texture_goes_where_the_photo_is_plain(size):
    height, width = size
    content = torch.full((1, 3, *size), 0.5)
    blocks = noise(height // 4, width // 8)[:, :1].sign()
    content[..., width // 2 :] += 0.3 * F.interpolate(blocks, (height, width - width // 2))
    painted = (0.5 + 0.05 * noise(*size, seed=1)).clamp(0, 1)
    found = smooth_plain(painted, content, 1.0)
    plain, busy = (..., slice(0, width // 2 - 30)), (..., slice(width // 2 + 30, None))
    assert found[plain].std() < 0.7 * painted[plain].std()
    assert found[busy].std() > 0.95 * painted[busy].std()
    half = smooth_plain(painted, content, 0.5)
    assert found[plain].std() < half[plain].std() < painted[plain].std()


def test_nothing_to_do_is_the_image_itself():
    image = torch.rand(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
    assert smooth_plain(image, image, 0.0) is image
    small = image[..., :40, :60]
    assert smooth_plain(small, small, 1.0) is small
