"""The quality `fast`: the mean of two networks, the light of the photo, the painting's chroma."""

import pytest
import torch

import impasto
from helpers import smooth
from impasto.api import estimate
from impasto.api.controls import Controls, ResolvedStyle, StylizeJob
from impasto.api.finish import PLAIN
from impasto.api.presets import QUALITIES
from impasto.api.resolve import StyleResolver
from impasto.api.stylize import paint
from impasto.errors import InputError
from impasto.image import Image, color_transfer
from impasto.image.filters import sharpen
from impasto.image.lighting import keep_lighting
from impasto.video.frame_stylizer import FrameStylizer

PLACE = {"device": "cpu", "precision": "float32"}


@pytest.fixture(scope="module")
def pair():
    return Image(smooth(40, 56)), Image(smooth(48, 48, 1))


def test_it_is_the_mean_of_both_with_light_and_chroma(pair):
    photo, painting = pair
    fast = QUALITIES["fast"]
    plain = {"lighting": 0.0, "chroma": 0.0, "sharpen": 0.0, **PLACE}
    halves = [
        impasto.stylize(photo, painting, method=name, shifts=4, **plain).rgb
        for name in (fast.method, fast.second)
    ]
    mean = (halves[0] + halves[1]) / 2
    found = impasto.stylize(photo, painting, shifts=4, **plain).rgb
    torch.testing.assert_close(found, mean, rtol=0, atol=1e-5)
    lit = keep_lighting(mean, photo.rgb, fast.finish.lighting)
    matched = color_transfer.match_chroma(lit, painting.rgb, 1.5)
    expected = sharpen(matched, 1.0)
    found = impasto.stylize(photo, painting, shifts=4, **PLACE).rgb
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_one_shift_is_one_network(pair):
    options = {"shifts": 1, "lighting": 0.0, "chroma": 0.0, **PLACE}
    one = impasto.stylize(*pair, **options).rgb
    assert torch.equal(one, impasto.stylize(*pair, method="style-prediction", **options).rgb)


def test_progress_counts_both_networks_and_cancelling_keeps_the_first(pair):
    steps = []

    def listen(progress):
        steps.append(progress.step / progress.total)
        assert progress.preview().shape == pair[0].rgb.shape
        if progress.step / progress.total > 0.6:
            progress.cancel()

    found = impasto.stylize(*pair, callback=listen, lighting=0.0, chroma=0.0, **PLACE).rgb
    assert steps == [1 / 8, 2 / 8, 3 / 8, 4 / 8, 3 / 4]
    first = {"shifts": 4, "lighting": 0.0, "chroma": 0.0, **PLACE}
    assert torch.equal(found, impasto.stylize(*pair, method="style-prediction", **first).rgb)


def test_a_method_by_name_a_file_and_settings_are_left_alone(pair):
    kept = impasto.encode(pair[1], **PLACE)
    (named,) = StyleResolver("adain", **PLACE)(pair[1])
    (encoded,) = StyleResolver(**PLACE)(kept)
    for style in (named, encoded):
        assert (style.second, style.finish) == (None, PLAIN)
    (changed,) = StyleResolver(quality="fast", settings={"alpha": "0.5"}, **PLACE)(pair[1])
    assert (changed.second, changed.finish) == (None, QUALITIES["fast"].finish)
    assert changed.method.config.alpha == 0.5


@pytest.mark.parametrize("method", ["style-prediction", "adain"])
def test_a_painting_blends_with_a_file_in_either_order(pair, method):
    photo, painting = pair
    kept = impasto.encode(painting, method=method, **PLACE)
    options = {"weights": [1, 1], "shifts": 1, **PLACE}
    first = impasto.stylize(photo, [kept, photo], **options).rgb
    second = impasto.stylize(photo, [photo, kept], **options).rgb
    torch.testing.assert_close(first, second, rtol=0, atol=1e-4)


def test_masks_keep_the_chroma_of_what_is_painted(pair):
    """The photo around it would count for the mean of a picture that is half painted."""
    photo, painting = pair
    half = torch.zeros(1, 3, 40, 56)
    half[..., :28] = 1
    options = {"masks": [Image(half)], "shifts": 1, **PLACE}
    found = impasto.stylize(photo, painting, **options).rgb
    assert torch.equal(found, impasto.stylize(photo, painting, chroma=0.0, **options).rgb)


def test_the_order_of_styles_does_not_change_the_light(pair):
    photo, painting = pair
    half = torch.zeros(1, 3, 40, 56)
    half[..., :28] = 1
    masks, styles = [Image(half), Image(1 - half)], [painting, "starry-night"]
    first, second = (
        impasto.stylize(photo, styles[::step], masks=masks[::step], shifts=1, **PLACE).rgb
        for step in (1, -1)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-4)


def test_frames_have_one_network_and_its_own_colours(pair):
    photo, painting = pair
    styles = StyleResolver(**PLACE)([painting])
    frames = FrameStylizer(styles, Controls(shifts=4), [])
    frames.set_size(photo, even=False)
    alone = StyleResolver("style-prediction", **PLACE)([painting])
    expected = paint(photo, alone, controls=Controls(shifts=4), dither=False).rgb
    torch.testing.assert_close(frames.plain(photo.rgb, photo.rgb), expected, rtol=0, atol=1e-4)


def test_any_method_takes_light_and_chroma(pair, stub):
    photo, painting = pair
    method = stub(lambda seen: seen.content.flip(3))
    found = impasto.stylize(photo, painting, method=method, lighting=1.0, chroma=1.0).rgb
    lit = keep_lighting(photo.rgb.flip(3), photo.rgb, 1.0)
    torch.testing.assert_close(found, color_transfer.match_chroma(lit, painting.rgb))


@pytest.mark.parametrize("name", ["lighting", "chroma"])
def test_amounts_out_of_range_are_refused(name):
    with pytest.raises(InputError, match=name):
        Controls(**{name: 1.5})


def test_chroma_of_several_paintings_or_of_kept_colours_is_not_matched(pair, stub):
    photo, painting = pair
    method = stub()
    for styles, options in (((painting, photo), {}), ((painting,), {"colors": "luminance"})):
        resolved = [ResolvedStyle(method, style) for style in styles]
        results = [
            StylizeJob(photo, resolved, (), Controls(chroma=chroma, **options)).finish(photo.rgb)
            for chroma in (0.0, 1.0)
        ]
        assert torch.equal(*results)


def test_an_estimate_counts_both(pair):
    styles = StyleResolver(**PLACE)(pair[1])
    both, one = (
        estimate.painting_seconds(styles, (640, 640), False, Controls(shifts=shifts))
        for shifts in (None, 1)
    )
    assert both > 3 * one


def test_a_mean_over_shifts_is_sharpened_and_nothing_else(pair, stub):
    photo, painting = pair
    options = {"method": "adain", "shifts": 4, **PLACE}
    soft = impasto.stylize(photo, painting, sharpen=0.0, **options).rgb
    torch.testing.assert_close(
        impasto.stylize(photo, painting, **options).rgb, sharpen(soft, 1.0), rtol=0, atol=1e-5
    )
    one_pass = {**options, "shifts": 1}
    plain = impasto.stylize(photo, painting, sharpen=0.0, **one_pass).rgb
    assert torch.equal(impasto.stylize(photo, painting, **one_pass).rgb, plain)
    method = stub(lambda seen: seen.content.flip(3))  # without shifts
    assert torch.equal(impasto.stylize(photo, painting, method=method).rgb, photo.rgb.flip(3))


def test_an_optimization_keeps_the_colours_that_it_starts_from(pair):
    """With a loss, which changes colours too."""
    settings = {"start": "network", "steps": 3, "levels": 1, "content_weight": 0.0}
    found = impasto.stylize(*pair, method="gatys", settings=settings, **PLACE).rgb
    start = impasto.stylize(*pair, quality="fast", **PLACE).rgb
    light = color_transfer.luminance(found)
    assert (light - color_transfer.luminance(start)).abs().mean() > 0.01
    inside = ((found > 0.01) & (found < 0.99)).all(1)  # where no colour was clamped
    assert inside.float().mean() > 0.3
    difference = (found - start)[0][:, inside[0]]
    assert difference.std(0).max() < 1e-3  # of the channels: only the lightness differs
