"""Frames that hang together: less flicker, no less style, no ghosts, and shots told apart."""

import pytest
import torch

from impasto.api import inputs
from impasto.api.resolve import StyleResolver
from impasto.api.stylize import paint
from impasto.errors import InputError
from impasto.evaluation import metrics
from impasto.image import Image
from impasto.nn.vgg import Encoder
from impasto.video.temporal import TemporalStylizer
from moving_clips import drawn


def pictures(*arguments, **options):
    return [Image.from_numpy(one).rgb for one in drawn(*arguments, **options)]


@pytest.mark.slow
def test_flicker_is_halved_at_equal_style_distance():
    painting = inputs.read_image("sample:swirls").rgb
    brushes = StyleResolver("adain", precision="float32")("sample:swirls")

    def stylize(photo, tones, frame=None):
        return paint(Image(photo), brushes, frame=frame, dither=False).rgb

    photos = pictures(6, 96, 72)
    hand = TemporalStylizer(stylize, plain=stylize)
    results = [hand(photo) for photo in photos]
    assert hand.flicker.value("steady") < 0.5 * hand.flicker.value("plain")
    encoder = Encoder("vgg19")
    style = metrics.encode_view(encoder, painting, ())

    def distance(picture):
        photo = metrics.encode_view(encoder, photos[-1])
        return metrics.measure(metrics.encode_view(encoder, picture), photo, style).means()["style"]

    assert distance(results[-1]) < 1.05 * distance(stylize(photos[-1], None))


@pytest.mark.parametrize("first", [(0.0, 0.0, 0.0), (0.16, 0.35, 0.78)])
def test_a_frame_of_one_colour_lends_its_statistics_to_none(first):
    """There is no deviation to divide by: networks come to infinity, or to garish colours."""
    brushes = StyleResolver(None, precision="float32")("joyfulness-lite")

    def stylize(photo, tones, frame=None):
        return paint(Image(photo), brushes, tones=Image(tones), frame=frame).rgb

    (photo,) = pictures(1)
    plain = torch.tensor(first).view(1, 3, 1, 1).expand_as(photo)
    brighter = plain + torch.tensor([0.2, 0, 0]).view(1, 3, 1, 1)
    frames = [plain, plain, brighter, torch.lerp(plain, photo, 0.3), photo]
    hand = TemporalStylizer(stylize)
    results = [hand(frame) for frame in frames]
    assert all(bool(result.isfinite().all()) for result in results)
    own = stylize(frames[3], frames[3])
    assert float((results[3] - own).abs().mean()) < 0.1


def test_without_smoothing_nothing_is_blended():
    hand = TemporalStylizer(lambda photo, tones, frame: photo.sqrt(), smooth=0.0)
    photos = pictures(2)
    results = [hand(photo) for photo in photos]
    assert torch.allclose(results[1], photos[1].sqrt(), atol=1e-3)
    assert hand.flicker.value("steady") == hand.flicker.value("painted")


def test_a_thing_that_jumps_leaves_no_ghost():
    photos = pictures(3, 96, 64, noise=0.0, speed=0.5)
    for index, photo in enumerate(photos):  # a red square that moves by its own width
        photo[..., 20:36, 10 + 20 * index : 26 + 20 * index] = torch.tensor([0.9, 0.1, 0.1]).view(
            1, 3, 1, 1
        )
    hand = TemporalStylizer(lambda photo, tones, frame: photo)
    last = [hand(photo) for photo in photos][-1]
    old = (slice(None), slice(None), slice(22, 34), slice(32, 44))  # where it was before
    assert float((last[old] - photos[-1][old]).abs().mean()) < 0.05


def test_a_cut_begins_another_shot():
    photos = pictures(2, 96, 64) + pictures(2, 96, 64, photo="astronaut")
    seen = []

    def stylize(photo, tones, frame=None):
        seen.append(tones)
        return photo

    hand = TemporalStylizer(stylize)
    results = [hand(photo) for photo in photos]
    assert hand.shots == 2
    assert torch.allclose(results[2], photos[2], atol=1e-3)
    assert torch.equal(seen[1], seen[0])
    assert torch.equal(seen[3], seen[2])


@pytest.mark.slow
def test_a_moving_camera_is_one_shot():
    hand = TemporalStylizer(lambda photo, tones, frame: photo)
    for photo in pictures(6, 96, 64, speed=3.0):
        hand(photo)
    assert hand.shots == 1


@pytest.mark.slow
def test_a_state_goes_on_with_the_same_numbers():
    photos = pictures(5)
    chance = torch.Generator().manual_seed(0)
    grain = torch.rand(5, 1, 3, 48, 64, generator=chance)

    def strokes(photo, tones, frame=None, index=0):
        return (photo + 0.2 * grain[index]).clamp(0, 1)

    def now(photo, tones, frame):
        return strokes(photo, tones, index=len(done))

    whole = TemporalStylizer(now, plain=strokes)
    done, wanted = [], []
    for photo in photos:
        wanted.append(whole(photo))
        done.append(photo)
    done, found = [], []
    hand = TemporalStylizer(now, plain=strokes)
    for photo in photos:
        if len(done) == 3:
            state = hand.state()
            hand = TemporalStylizer(now, plain=strokes)
            hand.restore(state, 1)
        found.append(hand(photo))
        done.append(photo)
    assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))
    for name in ("steady", "painted", "plain"):
        assert hand.flicker.value(name) == whole.flicker.value(name)


@pytest.mark.parametrize("smooth", [-0.1, 1.0])
def test_a_share_that_leaves_nothing_new_is_refused(smooth):
    with pytest.raises(InputError, match="smooth"):
        TemporalStylizer(lambda photo, tones, frame: photo, smooth=smooth)


def test_tiny_frames_pass():
    hand = TemporalStylizer(lambda photo, tones, frame: photo)
    for _ in range(2):
        assert hand(torch.rand(1, 3, 2, 3)).shape == (1, 3, 2, 3)


def test_blending_can_wait_until_the_next_frame_is_stylized():
    photos = pictures(4, 96, 72)
    hand = TemporalStylizer(lambda photo, tones, frame: photo.sqrt(), starts=False)
    late = TemporalStylizer(lambda photo, tones, frame: photo.sqrt(), starts=False)
    expected = [hand(photo) for photo in photos]
    waiting = [late.begin(photo) for photo in photos]
    found = [blend() for blend in reversed(waiting)]
    for one, other in zip(reversed(found), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert late.flicker.value("steady") == hand.flicker.value("steady")
