"""Photos that tile: with ``seamless`` the result tiles, too."""

from __future__ import annotations

import math

import pytest
import torch

import impasto
from helpers import seam
from impasto.api import tiling
from impasto.errors import InputError
from impasto.image import Image, samples
from stub_method import flat, mask, noise, run


def waves(height, width):
    """A photo that tiles: waves, of which whole numbers fit into height and width."""
    y = torch.arange(height).view(-1, 1) * (2 * math.pi / height)
    x = torch.arange(width) * (2 * math.pi / width)
    channels = (torch.sin(3 * x + y), torch.cos(2 * y - x), torch.sin(2 * x + 2 * y))
    return 0.5 + 0.4 * torch.stack(channels)[None]


def slope(seen):
    """Darker towards the right and the bottom edge, as if the edges mattered to the method."""
    height, width = seen.content.shape[-2:]
    fall = torch.linspace(1, 0.9, height).view(-1, 1) * torch.linspace(1, 0.9, width)
    return seen.content * fall


def test_a_wrapped_photo_is_periodic_and_cropping_restores_it():
    photo = noise(10, 12)
    large = tiling.wrapped(photo, 16)  # more than the photo's sides
    assert large.shape == (1, 3, 42, 44)
    assert torch.equal(large[..., :10, :12], photo.roll((6, 4), (2, 3)))
    torch.testing.assert_close(tiling.unwrapped(large, 16), photo)


def test_the_first_column_follows_the_last():
    painted = torch.rand(1, 3, 40, 40)
    made = tiling.unwrapped(painted, 8)
    assert made.shape == (1, 3, 24, 24)
    torch.testing.assert_close(made[..., 4:, 0], painted[..., 12:32, 32])
    torch.testing.assert_close(made[..., 4:, 4:], painted[..., 12:32, 12:32])


def test_a_network_gets_a_continued_photo(stub):
    method = stub(slope)
    method.stroke_size = 32
    photo = waves(24, 32)
    assert seam(run(method, photo).rgb) > 1
    picture = run(method, photo, seamless=True).rgb
    assert picture.shape == photo.shape
    assert seam(picture) <= 1
    assert method.calls[-1].content.shape == (1, 3, 24 + 128, 32 + 128)


def test_strokes_keep_their_size(stub):
    """At twice the network's size, half a photo and half a border are painted first."""
    method = stub()
    method.stroke_size = 16
    run(method, waves(32, 32), seamless=True, style_scale=1.0)
    assert [call.content.shape[-1] for call in method.calls] == [16 + 128, 32 + 256]


def test_masks_and_previews_keep_their_place(stub):
    """White in the left quarter only; previews have the photo's size."""
    method, previews = stub(lambda seen: flat(0.5, *seen.content.shape[-2:])), []
    method.stroke_size = 16
    photo, region = flat(0.0, 12, 16), mask(0, 4)

    def listen(progress):
        previews.append(progress.preview())

    result = run(method, photo, masks=[region], seamless=True, callback=listen).rgb
    expected = flat(0.0, 12, 16)
    expected[..., :4] = 0.5
    torch.testing.assert_close(result, expected)
    assert {tuple(one.shape) for one in previews} == {(1, 3, 12, 16)}
    wide = method.calls[-1].regions[0]
    assert torch.equal(wide[..., 64:76, 64:80], region.rgb[:, :1])


def test_a_method_that_does_not_tile_says_so(stub):
    with pytest.raises(InputError, match="stub makes no pictures that tile"):
        run(stub(), waves(24, 32), seamless=True)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (62, 90)])
def test_a_shipped_network_paints_a_photo_that_tiles(height, width):
    """Also where the network's grid of 4 pixels does not divide the photo's sides."""
    photo = Image(waves(height, width))
    assert seam(impasto.stylize(photo, "starry-night", seamless=True).rgb) <= 1


def test_an_optimiser_paints_a_photo_that_tiles():
    """Rolled by half its size, the photo gives the rolled result, up to what rounding becomes."""
    photo, style = waves(32, 64), Image(samples.painting("swirls", 256).resized(64, 64).rgb)
    options = {"method": "gatys", "settings": {"steps": 2, "levels": 1}, "seamless": True}
    picture = impasto.stylize(Image(photo), style, **options).rgb
    rolled = impasto.stylize(Image(photo.roll((16, 32), (2, 3))), style, **options).rgb
    assert (rolled - picture.roll((16, 32), (2, 3))).abs().mean() < 1 / 255
    assert seam(picture) <= 1
