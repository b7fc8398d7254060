"""Check that an optimisation can start from the picture of a network."""

from dataclasses import replace

import pytest
import torch

import impasto
from impasto.api.estimate import estimate
from impasto.api.inputs import read_image
from impasto.api.resolve import StyleResolver
from impasto.api.stylize import paint
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.base import Frame
from impasto.methods.optimization.gatys import Gatys, GatysConfig
from impasto.nn.norm_statistics import StatisticsStore

NONE_LEFT = {"start": "network", "steps": 1, "levels": 1, "content_weight": 0, "style_weight": 0}


@pytest.fixture(scope="module")
def photo():
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 7), (64, 96), mode="bicubic")
    return Image(smooth.clamp(0, 1))


def by_network(photo, style, **options):
    return impasto.stylize(photo, style, quality="fast", **options).rgb


@pytest.mark.parametrize("options", [{}, {"colors": "match"}, {"style_scale": 2.0}])
def test_without_a_loss_the_picture_of_the_network_stays(photo, options):
    painted = impasto.stylize(photo, "sample:swirls", method="gatys", settings=NONE_LEFT, **options)
    wanted = by_network(photo, "sample:swirls", **options)
    torch.testing.assert_close(painted.rgb, wanted, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_styles_are_blended_and_confined_by_the_network_too(photo):
    both = ["sample:swirls", "sample:wave"]
    painted = impasto.stylize(photo, both, weights=[3, 1], method="gatys", settings=NONE_LEFT)
    wanted = by_network(photo, both, weights=[3, 1])
    torch.testing.assert_close(painted.rgb, wanted, atol=1e-5, rtol=0)
    left = torch.zeros(1, 3, 64, 96)
    left[..., :48] = 1
    masks = [Image(left), Image(1 - left)]
    painted = impasto.stylize(photo, both, masks=masks, method="gatys", settings=NONE_LEFT)
    wanted = by_network(photo, both, masks=masks)
    torch.testing.assert_close(painted.rgb, wanted, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_an_encoded_style_can_be_used(photo):
    style = Gatys().encode(read_image("sample:swirls").rgb)
    painted = impasto.stylize(photo, style, settings=NONE_LEFT)
    torch.testing.assert_close(
        painted.rgb, by_network(photo, Image(style.parts[0].tensors["picture"])), atol=1e-5, rtol=0
    )


@pytest.mark.slow
def test_coarse_levels_start_from_it_and_its_detail_is_carried_on(photo):
    changed = {**NONE_LEFT, "levels": 2, "smallest_level": 16, "coarse_steps": 1}
    painted = impasto.stylize(photo, "sample:swirls", method="gatys", settings=changed)
    wanted = by_network(photo, "sample:swirls")
    torch.testing.assert_close(painted.rgb, wanted, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_it_is_the_first_preview(photo):
    seen = []
    impasto.stylize(
        photo,
        "sample:swirls",
        method="gatys",
        settings={**NONE_LEFT, "style_weight": 1},
        callback=lambda progress: seen.append(progress.preview()),
    )
    wanted = by_network(photo, "sample:swirls")
    torch.testing.assert_close(seen[0], wanted, atol=1e-5, rtol=0)


def test_the_network_is_loaded_once_for_all_styles():
    resolve = StyleResolver("gatys", settings={"start": "network"})
    first, second = resolve(["sample:swirls", "sample:wave"])
    assert first.start.method is second.start.method
    assert first.start.second is second.start.second
    assert (first.start.method.name, first.start.second.name) == ("style-prediction", "adain")


def test_the_estimate_counts_the_network(photo):
    plain = estimate(photo, "sample:swirls", method="gatys", settings={"steps": 1, "levels": 1})
    started = estimate(photo, "sample:swirls", method="gatys", settings=NONE_LEFT)
    assert started.method == "gatys"
    assert started.seconds > 1.2 * plain.seconds


def test_a_method_alone_has_no_network(photo):
    gatys = Gatys(replace(GatysConfig(), start="network"))
    with pytest.raises(InputError, match=r"impasto\.stylize"):
        gatys.stylize(photo.rgb, gatys.encode(photo.rgb))


def test_a_frame_with_a_frame_before_it_starts_from_that(photo):

    before = torch.full_like(photo.rgb, 0.25)
    styles = StyleResolver("gatys", settings=NONE_LEFT)(["sample:swirls"])
    painted = paint(photo, styles, frame=Frame(StatisticsStore(), before))
    torch.testing.assert_close(painted.rgb, before, atol=1e-5, rtol=0)
