"""Noise of one 8-bit level, and what it does for trained networks."""

import pytest
import torch

from impasto.api import stylize
from impasto.api.controls import Controls, ResolvedStyle
from impasto.core.device import Runtime
from impasto.image import Image
from impasto.image.dither import LEVEL, dithered
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability
from impasto.video.frame_stylizer import FrameStylizer


def plain(value=100 / 255, height=32, width=40):
    return torch.full((1, 3, height, width), value)


def sky(height=48, width=40):
    """A gradient from top to bottom of 24 levels, two rows each."""
    rows = (100 + torch.arange(height) // 2) / 255
    return rows.view(1, 1, -1, 1).expand(1, 3, -1, width).contiguous()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Johnson(JohnsonConfig(width=4, blocks=1), Runtime(torch.device("cpu"), torch.float32))


def paint(network, photo, **options):
    return stylize.stylize(
        Image(photo), network.own_style(), method=network, shifts=1, **options
    ).rgb


def test_noise_is_of_half_a_level_each_way():
    noise = (dithered(plain(height=128, width=128), 0) - plain(height=128, width=128)) / LEVEL
    assert float(noise.abs().max()) <= 0.5 + 1e-4  # rounding of 0.4 in float32, in levels
    # 16384 values of variance 1/12: their mean is within 5 of its deviations
    assert abs(float(noise[:, :1].mean())) < 5 * (1 / 12 / 128**2) ** 0.5
    assert float(noise.std()) == pytest.approx((1 / 12) ** 0.5, rel=0.05)


def test_eight_bits_stay_what_they_were():
    levels = (torch.arange(256.0) / 255).view(1, 1, 16, 16).expand(1, 3, -1, -1)
    noisy = dithered(levels, 3)
    assert torch.equal((noisy * 255).round(), (levels * 255).round())
    assert 0 <= float(noisy.min()) <= float(noisy.max()) <= 1


def test_grey_stays_grey_and_the_argument_as_it_was():
    grey = plain()
    noisy = dithered(grey, 0)
    assert torch.equal(noisy[:, 0], noisy[:, 2])
    assert torch.equal(grey, plain())


def test_the_pattern_is_the_seeds():
    assert torch.equal(dithered(plain(), 1), dithered(plain(), 1))
    assert not torch.equal(dithered(plain(), 1), dithered(plain(), 2))
    # of another photo of this size it is the same: nothing that flickers between frames
    one, other = (dithered(plain(value), 1) - plain(value) for value in (0.3, 0.6))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def test_a_plain_photo_is_painted(network):
    bare = network.stylize(plain(), network.own_style())
    assert float(bare.std((2, 3)).max()) < 1e-3
    assert float(paint(network, plain()).std((2, 3)).min()) > 0.01


def test_levels_of_a_sky_are_no_lines(network):
    def along(picture):  # changes along the lines, relative to those across them
        across, along = (picture.diff(dim=dim).square().mean() for dim in (2, 3))
        return float(along / across)

    assert along(network.stylize(sky(), network.own_style())) < 1e-6
    assert along(paint(network, sky())) > 0.3


def test_the_pipeline_adds_it_once_by_the_seed(network):
    photo = sky()
    expected = network.stylize(dithered(photo, 5), network.own_style()).clamp(0, 1)
    assert torch.equal(paint(network, photo, seed=5), expected)
    assert torch.equal(paint(network, photo, seed=5), paint(network, photo, seed=5))


def test_what_stays_of_the_photo_has_no_noise(network):
    assert torch.equal(paint(network, sky(), strength=0.0), sky())


def test_frames_of_videos_go_without(network):
    """Noise that stands still while a camera pans over a clean sky would be seen."""
    brush = ResolvedStyle(network, network.own_style())
    painter = FrameStylizer([brush], Controls(), [])
    painter.set_size(Image(sky()), even=False)
    assert torch.equal(painter(sky(), sky()), network.stylize(sky(), brush.source).clamp(0, 1))


def test_a_method_may_do_without(network, monkeypatch):
    monkeypatch.setattr(network, "dithers", False)
    assert torch.equal(paint(network, sky()), network.stylize(sky(), network.own_style()))


def test_all_networks_get_it_and_optimisations_do_not():
    assert all(
        entry.build.dithers == (Ability.TRAIN in entry.abilities) for entry in list_methods()
    )
