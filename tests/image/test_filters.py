"""The guided filter: masks of constant value, edges of the image, sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from helpers import smooth
from impasto.image import filters


def test_a_constant_mask_stays():
    made = filters.guided(torch.full((1, 1, 20, 30), 0.3), smooth(40, 60), 3)
    assert made.shape == (1, 1, 40, 60)
    assert made.sub(0.3).abs().max() < 1e-4


def test_it_is_the_textbook_formula_at_one_size():
    mask, guide, radius, eps = torch.rand(1, 1, 9, 9), smooth(9, 9), 1, 0.01

    def windows(x):
        """Windows of the inner 7 x 7 pixels, (49, 9, C)."""
        return F.unfold(x, 3).view(x.shape[1], 9, 49).permute(2, 1, 0).double()

    colors, levels = windows(guide), windows(mask)
    apart = colors - colors.mean(1, keepdim=True)
    variance = apart.transpose(1, 2) @ apart / 9 + eps * torch.eye(3)
    slope = torch.linalg.solve(variance, apart.transpose(1, 2) @ levels / 9)  # (49, 3, 1)
    offset = levels.mean(1) - (slope[..., 0] * colors.mean(1)).sum(1, keepdim=True)
    table = torch.cat([slope[..., 0], offset], 1).T.view(1, 4, 7, 7)
    mean = F.avg_pool2d(table, 3, 1)  # of the inner 5 x 5 pixels
    inner = guide[..., 2:-2, 2:-2]
    expected = (mean[:, :3] * inner).sum(1, keepdim=True) + mean[:, 3:]
    made = filters.guided(mask, guide, radius, eps)[..., 2:-2, 2:-2]
    assert (made - expected.clamp(0, 1)).abs().max() < 1e-4


@pytest.mark.parametrize("factor", [1, 4])
def test_a_blurred_edge_moves_to_the_edge_of_the_image(factor):
    guide = torch.zeros(1, 3, 40 * factor, 40 * factor)
    guide[..., 20 * factor :] = 0.8
    blurred = ((torch.arange(40.0) - 14) / 12).clamp(0, 1).expand(1, 1, 40, 40)
    made = filters.guided(blurred, guide, 8)[0, 0, 20 * factor]
    assert float(made[20 * factor] - made[20 * factor - 1]) > 0.4  # the blurred one climbs 1/12


def test_edges_of_both_images_become_sharp_and_others_stay_out():
    """The left half of the image has the content image's stripes, the right half is plain."""
    content = torch.zeros(1, 3, 96, 192)
    content[..., 24:48] = content[..., 72:90] = content[..., 120:150] = 1
    small = F.interpolate(content, scale_factor=1 / 3, mode="bicubic", antialias=True)
    image = 0.25 + 0.5 * small
    image[..., 32:] = 0.25
    large = filters.enlarge_like(image, content)
    expected = 0.25 + 0.5 * content
    blurred = F.interpolate(image, (96, 192), mode="bicubic")
    left, right = slice(12, 84), slice(112, 180)
    error, before = ((x - expected)[..., left].abs().mean() for x in (large, blurred))
    assert error < before / 2
    assert torch.allclose(large[..., right], blurred[..., right], atol=0.02)


def test_an_image_of_equal_size_is_returned_as_it_is():
    image = torch.rand(1, 3, 8, 8)
    assert filters.enlarge_like(image, 1 - image) is image


def test_sharpening_makes_an_edge_steeper_without_halos():
    edge = torch.tensor([0.2] * 6 + [0.35, 0.65] + [0.8] * 6).expand(1, 3, 8, 14)
    found = filters.sharpen(edge, 1.5)
    assert found[0, 0, 0, 7] - found[0, 0, 0, 6] > 1.4 * 0.3
    assert found.min() >= 0.2 - 0.031
    assert found.max() <= 0.8 + 0.031


def test_sharpening_keeps_plain_areas_and_differences_of_channels():
    plain = torch.full((1, 3, 8, 8), 0.4)
    assert torch.allclose(filters.sharpen(plain, 4.0), plain, atol=1e-6)
    image = 0.3 + 0.2 * torch.rand(1, 3, 16, 16)
    found = filters.sharpen(image, 1.0)
    assert not torch.allclose(found, image, atol=1e-3)
    assert torch.allclose(found[:, 0] - found[:, 1], image[:, 0] - image[:, 1], atol=1e-6)


def test_no_sharpening_is_the_image_itself():
    image = torch.rand(1, 3, 8, 8)
    assert filters.sharpen(image, 0) is image
