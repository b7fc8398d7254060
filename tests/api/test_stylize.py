"""Sizes, colours, strength, weights, sources and previews, by what a method gets to see."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color

import impasto
from impasto.api import controls, inputs, load
from impasto.errors import DivergedError, InputError
from impasto.image import Image as Picture
from impasto.image import color_transfer
from impasto.methods.spec import Ability
from stub_method import Stub, flat, mask, noise, run


@pytest.mark.parametrize(
    ("photo", "size", "expected"),
    [
        ((48, 60), None, (48, 60)),  # smaller than the method's default: its own
        ((96, 128), None, (48, 64)),
        ((128, 32), None, (64, 16)),
        ((96, 128), 40, (30, 40)),
        ((30, 40), 80, (60, 80)),
        ((3, 200), 20, (1, 20)),  # no side vanishes
        ((1, 1), 5, (5, 5)),
    ],
)
def test_size_is_the_long_edge(photo, size, expected, stub):
    method = stub()
    result = run(method, noise(*photo), size=size)
    assert (result.height, result.width) == expected
    assert method.calls[0].content.shape[-2:] == expected


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 2.0])
def test_style_has_as_many_pixels_as_the_photo_times_the_scale(scale, stub):
    method = stub()
    run(method, noise(40, 60), Picture(noise(90, 45)), style_scale=scale)
    height, width = method.calls[0].pictures[0].shape[-2:]
    assert height * width == pytest.approx(40 * 60 * scale**2, rel=0.06)
    assert height / width == pytest.approx(2, rel=0.06)


def test_style_scale_is_taken_from_the_size_worked_at(stub):
    method = stub()
    run(method, noise(40, 60), Picture(noise(50, 50)), size=30)
    assert method.calls[0].pictures[0].shape[-2:] == (24, 24)  # sqrt(30 * 20)


def test_colors_of_the_style_leave_everything_alone(stub):
    photo, style = noise(12, 16), noise(12, 16, seed=1)
    method = stub(paint=lambda seen: seen.pictures[0])
    result = run(method, photo, Picture(style))
    assert torch.equal(result.rgb, style)
    assert torch.equal(method.calls[0].content, photo)


def test_luminance_keeps_the_photos_chroma(stub):
    photo, painted = noise(low=0.4, high=0.6), noise(seed=1, low=0.4, high=0.6)
    result = run(stub(paint=lambda _: painted), photo, colors="luminance")
    ours, theirs, paint = (
        color.rgb2yiq(image[0].permute(1, 2, 0).numpy()) for image in (result.rgb, photo, painted)
    )
    assert np.abs(ours[..., 1:] - theirs[..., 1:]).max() < 1e-5
    assert np.abs(ours[..., 0] - paint[..., 0]).max() < 1e-5


def test_luminance_shows_the_method_grey_pictures_of_one_brightness(stub):
    method, photo = stub(), noise(low=0.3, high=0.7)
    run(method, photo, Picture(noise(12, 16, seed=1, low=0.7, high=0.8)), colors="luminance")
    for image in (method.calls[0].content, method.calls[0].pictures[0]):
        assert torch.equal(image[:, :1].expand_as(image), image)
    light, style = color_transfer.luminance(photo), method.calls[0].pictures[0][:, :1]
    assert float(style.mean()) == pytest.approx(float(light.mean()), abs=1e-4)
    assert float(style.std()) == pytest.approx(float(light.std()), rel=1e-2)


def test_match_gives_the_style_the_photos_mean_and_covariance(stub):
    mix = torch.tensor([[0.10, 0.05, 0.01], [0.02, 0.09, 0.04], [0.03, -0.02, 0.07]])
    photo = 0.45 + torch.einsum("cd,bdhw->bchw", mix, noise(seed=3) - 0.5)
    method = stub()
    run(method, photo, Picture(noise(12, 16, seed=1)), colors="match")
    style, wanted = (x.flatten(2)[0].double() for x in (method.calls[0].pictures[0], photo))
    assert torch.allclose(style.mean(1), wanted.mean(1), atol=1e-5)
    assert torch.allclose(torch.cov(style), torch.cov(wanted), atol=2e-6)
    assert torch.equal(method.calls[0].content, photo)


def test_match_histogram_gives_the_result_the_styles_histogram(stub):
    painted, style = noise(seed=1), noise(12, 16, seed=2, low=0.2, high=0.4)
    result = run(stub(paint=lambda _: painted), noise(), Picture(style), match_histogram=True)
    assert torch.equal(result.rgb.flatten(2).sort().values, style.flatten(2).sort().values)


def test_match_histogram_yields_to_the_photos_colors(stub):
    photo, painted = noise(low=0.4, high=0.6), noise(seed=1, low=0.4, high=0.6)
    options = {"colors": "luminance"}
    plain = run(stub(paint=lambda _: painted), photo, **options)
    both = run(stub(paint=lambda _: painted), photo, match_histogram=True, **options)
    assert torch.equal(plain.rgb, both.rgb)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_strength_is_the_share_of_the_painting(share, stub):
    photo, painted = noise(), noise(seed=1)
    result = run(stub(paint=lambda _: painted), photo, strength=share)
    assert torch.allclose(result.rgb, (1 - share) * photo + share * painted, atol=1e-6)


def test_strength_0_is_the_photo_bit_for_bit(stub):
    photo = noise()
    assert torch.equal(run(stub(paint=lambda _: noise(seed=1)), photo, strength=0.0).rgb, photo)


def test_result_stays_in_range(stub):
    result = run(stub(paint=lambda seen: seen.content * 9 - 4), noise())
    assert 0 <= float(result.rgb.min()) <= float(result.rgb.max()) <= 1


def test_weights_reach_the_method(stub):
    method = stub()
    run(method, noise(), [Picture(noise()), Picture(noise(seed=1))], weights=[0.2, 0.6])
    run(method, noise(), [Picture(noise()), Picture(noise(seed=1))])
    assert [call.weights for call in method.calls] == [[0.2, 0.6], [1.0, 1.0]]


@pytest.mark.parametrize(
    "weights", [[1.0], [1.0, 2.0, 3.0], [1.0, -0.5], [0.0, 0.0], [1.0, float("nan")]]
)
def test_weights_that_make_no_sense(weights, stub):
    with pytest.raises(InputError, match="weights"):
        run(stub(), noise(), [Picture(noise()), Picture(noise())], weights=weights)


def test_blending_is_refused_before_anything_is_encoded(stub, monkeypatch):
    method = stub(abilities=Ability.STYLIZE)
    monkeypatch.setattr(Stub, "encode", lambda *_: pytest.fail("encoded"))
    with pytest.raises(InputError, match="takes one style"):
        run(method, noise(), [Picture(noise()), Picture(noise())])


def test_no_style(stub):
    with pytest.raises(InputError, match="no style"):
        run(stub(), noise(), [])


def test_a_named_method_can_be_built_once_and_used_again():
    method = load.get_method("gatys", Ability.STYLIZE, settings={"steps": "7"})
    assert method.config.steps == 7


def test_alpha_goes_from_file_to_file(tmp_path, stub):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 4)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    result = run(stub(paint=lambda seen: flat(0.2)), str(tmp_path / "in.png"))
    result.save(tmp_path / "out.png")
    written = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.array_equal(written[..., 3], pixels[..., 3])
    assert (written[..., :3] == 51).all()


def test_opaque_stays_opaque(stub):
    assert run(stub(), noise()).alpha is None


def test_alpha_is_resized_with_the_photo(stub):
    result = run(stub(), Picture(noise(24, 32), mask(0, 16, 32, 24).rgb[:, :1]), size=16)
    assert result.alpha.shape == (1, 1, 12, 16)


def test_note_stays_with_the_picture(stub):
    assert run(stub(), Picture(noise(), note="first frame of 12")).note == "first frame of 12"


def test_every_kind_of_source(tmp_path, stub):
    array = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    picture = Image.fromarray(array)
    picture.save(tmp_path / "photo.png")
    data = (tmp_path / "photo.png").read_bytes()
    for source in (
        tmp_path / "photo.png",
        str(tmp_path / "photo.png"),
        data,
        io.BytesIO(data),
        picture,
        array,
        Picture.from_numpy(array),
    ):
        result = run(stub(), source)
        assert np.array_equal(result.numpy(), array), type(source)


@pytest.mark.parametrize("source", [3, None, [1, 2], torch.zeros(3)])
def test_what_is_no_picture(source):
    with pytest.raises(InputError, match=f"a {type(source).__name__} is no picture"):
        inputs.read_image(source)


def test_sample():
    assert inputs.read_image("sample:chelsea").rgb.shape[1] == 3
    with pytest.raises(InputError, match="no sample 'nobody'"):
        inputs.read_image("sample:nobody")


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": -1},
        {"size": 10**6},
        {"style_scale": 0.0},
        {"style_scale": float("nan")},
        {"style_scale": 9.0},
        {"strength": -0.1},
        {"strength": 1.1},
        {"strength": float("nan")},
        {"colors": "rainbow"},
        {"colour": "match"},
    ],
    ids=str,
)
def test_controls_that_make_no_sense(wrong, stub):
    method = stub()
    with pytest.raises(InputError):
        run(method, noise(), **wrong)
    assert method.calls == []


def test_controls_as_one_or_as_options(stub):
    wanted = controls.Controls(size=8, seed=3)
    method = stub()
    assert run(method, noise(), controls=wanted).size == (8, 6)
    assert run(method, noise(), controls=wanted, size=4).size == (4, 3)
    assert [call.seed for call in method.calls] == [3, 3]


def test_previews_go_through_the_controls_at_the_photos_size(stub):
    photo, previews = noise(), []
    run(
        stub(paint=lambda seen: flat(0.2)),
        photo,
        strength=0.5,
        callback=lambda p: previews.append(p.preview()),
    )
    assert len(previews) == 2
    assert all(torch.allclose(p, (photo + 0.2) / 2, atol=1e-5) for p in previews)


def test_previews_that_nobody_asks_for_are_not_made(stub, monkeypatch):
    monkeypatch.setattr(controls.StylizeJob, "preview", lambda *_: pytest.fail("made"))
    run(stub(), noise(), callback=lambda p: None)


def test_cancelling_returns_a_picture(stub):
    steps = []

    def listen(progress):
        steps.append(progress.step)
        progress.cancel()

    result = run(stub(paint=lambda seen: flat(0.2), steps=9), noise(), callback=listen)
    assert steps == [1]
    assert torch.equal(result.rgb, flat(0.2))


def test_runaway_carries_a_picture_of_the_photos_size(stub):
    def break_off(seen):
        raise DivergedError("ran away", flat(1.0, 3, 4))

    with pytest.raises(DivergedError) as caught:
        run(stub(paint=break_off), flat(0.0), strength=0.5)
    assert torch.allclose(caught.value.picture, flat(0.5))


def test_runaway_without_a_picture(stub):
    def break_off(seen):
        raise DivergedError("ran away")

    with pytest.raises(DivergedError) as caught:
        run(stub(paint=break_off), flat(0.0))
    assert caught.value.picture is None


@pytest.mark.parametrize(
    ("size", "expected"), [(None, (64, 64)), (20, (20, 20)), ((30, 20), (30, 20))]
)
def test_size_of_a_texture(size, expected, stub):
    result = impasto.synthesize(Picture(noise()), size=size, method=stub())
    assert result.size == expected


@pytest.mark.parametrize("size", [0, -1, (0, 5), (5, 0), 10**6])
def test_size_of_no_texture(size, stub):
    with pytest.raises(InputError, match="size is"):
        impasto.synthesize(Picture(noise()), size=size, method=stub())


@pytest.mark.parametrize(
    ("sample_size", "expected"), [(None, (24, 32)), (16, (12, 16)), (64, (48, 64))]
)
def test_size_of_a_sample(sample_size, expected, stub):
    method = stub()
    impasto.synthesize(Picture(noise(48, 64)), sample_size=sample_size, method=method)
    assert method.calls[0].pictures[0].shape[-2:] == expected


@pytest.mark.parametrize("sample_size", [0, -1, 10**6])
def test_size_of_no_sample(sample_size, stub):
    with pytest.raises(InputError, match="sample size is"):
        impasto.synthesize(Picture(noise()), sample_size=sample_size, method=stub())
