"""The way of one picture: every control by what a method gets to see, and every method end to end.

The controls are tested with a stub for a method, which keeps what it was given and returns what it
was told. Then each entry of the table runs for two steps, in each of its presets.
"""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color

import impasto
from helpers import is_picture, smooth_picture
from impasto import video
from impasto.api import controls, inputs
from impasto.api import stylize as pipeline
from impasto.core.progress import Progress
from impasto.errors import DivergedError, InputError
from impasto.image import Image as Picture
from impasto.image import color_transfer
from impasto.methods import config, registry
from impasto.methods.base import Method
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability

ALL = Ability.STYLIZE | Ability.SYNTHESIZE | Ability.MASKS | Ability.BLEND


def noise(height=12, width=16, seed=0, low=0.0, high=1.0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=random) * (high - low) + low


def flat(value, height=12, width=16):
    return torch.full((1, 3, height, width), float(value))


def smooth(height=48, width=64, seed=0):
    return smooth_picture(height, width, seed)


def mask(left, right, width=16, height=12):
    """White from one column to another."""
    image = torch.zeros(1, 3, height, width)
    image[..., left:right] = 1
    return Picture(image)


@dataclass(frozen=True)
class StubConfig:
    """No numbers."""


@dataclass
class Seen:
    content: torch.Tensor
    pictures: list[torch.Tensor]
    weights: list[float]
    regions: tuple[torch.Tensor, ...]
    seed: int


class Stub(Method):
    """Returns ``paint`` of what it sees; reports ``steps`` steps, previews at half size."""

    Config = StubConfig
    default_size = 64

    def __init__(self, paint, steps):
        super().__init__()
        self.paint, self.steps = paint, steps
        self.calls = []

    def stylize(self, content, style, *, regions=(), seed=0, callback=None):
        pictures = [part.tensors["picture"] for part in style]
        seen = Seen(content, pictures, [part.weight for part in style], tuple(regions), seed)
        self.calls.append(seen)
        painted = self.paint(seen)
        for step in range(1, self.steps + 1):
            progress = Progress(step, self.steps, preview=lambda: painted[..., ::2, ::2])
            callback(progress)
            if progress.cancelled:
                break
        return painted

    def synthesize(self, style, height, width, *, seed=0, callback=None):
        pictures = [part.tensors["picture"] for part in style]
        self.calls.append(Seen(None, pictures, [part.weight for part in style], (), seed))
        return torch.full((1, 3, height, width), 0.5)


@pytest.fixture
def stub(monkeypatch):
    """stub(paint, abilities): a Stub that the table knows."""

    def make(paint=lambda seen: seen.content, abilities=ALL, steps=2):
        entry = registry.Entry("stub", "a stub", "optimization", (), abilities, Stub)
        registry.get("gatys")  # the table is complete before the stub is put in
        monkeypatch.setitem(registry._REGISTERED, "stub", entry)
        monkeypatch.setattr(Stub, "name", "stub", raising=False)
        monkeypatch.setattr(Stub, "abilities", abilities, raising=False)
        return Stub(paint, steps)

    return make


def run(method, photo, style=None, **options):
    photo = Picture(photo) if isinstance(photo, torch.Tensor) else photo
    style = Picture(noise(9, 7, seed=9)) if style is None else style
    return pipeline.stylize(photo, style, method=method, **options)


# size and scale


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


# colours


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


# strength


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


# styles and their weights


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
    method = pipeline.get_method("gatys", Ability.STYLIZE, settings={"steps": "7"})
    assert method.config.steps == 7


# masks


def by_style(seen):
    """Where each region is, the first pixel of its style."""
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


# alpha, notes, sources


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


# controls


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


# previews, cancelling, breaking off


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


# synthesis


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


# every method of the table, for two steps

SHALLOW = {
    "steps": 2,
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
    "style_weights": (1.0, 1.0),
}


def quick(entry, **more):
    """Settings that make a run short, as far as the method has them."""
    wanted = {"steps": 2, "coarse_steps": 2, **more}
    known = {field.name for field in dataclasses.fields(entry.build.Config)}
    return {name: value for name, value in wanted.items() if name in known}


def cases(ability):
    return [
        pytest.param(entry, preset, id=f"{entry.name}-{preset}")
        for entry in list_methods(ability)
        if Ability.TRAIN not in entry.abilities  # those are in test_load.py
        for preset in config.PRESETS
        if preset == "default" or hasattr(entry.build.Config, preset)
    ]


@pytest.mark.parametrize(("entry", "preset"), cases(Ability.STYLIZE))
def test_stylize(entry, preset):
    seen = []
    photo = smooth()
    result = pipeline.stylize(
        photo,
        smooth(50, 40, seed=1),
        method=entry.name,
        preset=preset,
        settings=quick(entry),
        size=64,
        style_scale=0.8,  # patches of many copies take time
        callback=lambda p: seen.append((p.step, p.total, p.preview().shape)),
    )
    assert is_picture(result.rgb, 48, 64)
    assert not torch.equal(result.rgb, photo.rgb)
    assert [step for step, *_ in seen] == list(range(1, seen[-1][1] + 1))
    assert {shape for *_, shape in seen} == {(1, 3, 48, 64)}


@pytest.mark.parametrize(("entry", "preset"), cases(Ability.SYNTHESIZE))
def test_synthesize(entry, preset):
    seen = []
    result = impasto.synthesize(
        smooth(48, 48, seed=1),
        size=(40, 36),
        method=entry.name,
        preset=preset,
        settings=quick(entry),
        callback=lambda p: seen.append((p.step, p.total)),
    )
    assert is_picture(result.rgb, 36, 40)
    assert seen
    assert seen[-1][0] <= seen[-1][1]
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in list_methods(Ability.STYLIZE) if Ability.TRAIN not in entry.abilities],
    ids=lambda entry: entry.name,
)
def test_masks_of_every_method(entry):
    photo = smooth()
    result = pipeline.stylize(
        photo,
        [smooth(seed=1), smooth(seed=2)],
        masks=[mask(0, 24, 64, 48), mask(24, 48, 64, 48)],
        method=entry.name,
        settings=quick(entry, **{**SHALLOW, "style_layers": ("relu2_1", "relu3_1")}),
    )
    assert is_picture(result.rgb, 48, 64)
    assert torch.equal(result.rgb[..., 48:], photo.rgb[..., 48:])
    assert not torch.equal(result.rgb[..., :48], photo.rgb[..., :48])


def gatys(seed=0):
    return pipeline.stylize(
        smooth(), smooth(seed=1), settings={**SHALLOW, "start": "noise"}, seed=seed
    ).rgb


def test_one_seed_gives_one_picture_bit_for_bit():
    first = gatys(seed=5)
    torch.rand(7)  # whatever else the caller draws
    assert torch.equal(gatys(seed=5), first)


def test_another_seed_gives_another_picture():
    assert float((gatys(seed=5) - gatys(seed=6)).abs().mean()) > 0.05


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    gatys()
    assert torch.equal(torch.rand(3), expected)


def test_the_inputs_are_left_alone():
    photo, style = smooth(), smooth(seed=1)
    before = photo.rgb.clone(), style.rgb.clone()
    pipeline.stylize(photo, style, settings=SHALLOW, strength=0.5)
    assert torch.equal(photo.rgb, before[0])
    assert torch.equal(style.rgb, before[1])


def test_narrow_photo_has_fewer_levels():
    """A panorama whose coarse levels would be too low for the network still works."""
    result = pipeline.stylize(
        smooth(40, 256), smooth(seed=1), settings={"steps": 1, "coarse_steps": 1}, size=256
    )
    assert result.size == (256, 40)


def test_cancelling_a_real_run_keeps_its_picture():
    steps = []

    def listen(progress):
        steps.append(progress.step)
        if progress.step == 2:
            progress.cancel()

    result = pipeline.stylize(
        smooth(), smooth(seed=1), settings={**SHALLOW, "steps": 50}, callback=listen
    )
    assert steps == [1, 2]
    assert is_picture(result.rgb, 48, 64)


def test_a_setting_given_as_an_option_is_told_where_it_goes():
    for call in (impasto.stylize, partial(video.stylize_video, "none.mp4")):
        with pytest.raises(InputError, match=r'give settings=\{"steps": 2\}'):
            call("sample:wave", "sample:wave", steps=2)
    with pytest.raises(InputError, match="unknown option bogus: there are size, "):
        impasto.stylize("sample:wave", "sample:wave", bogus=2)


@pytest.mark.parametrize(
    ("photo", "painting", "scale", "size"),
    [
        ((300, 12), (64, 64), 1.0, 400),  # 16 / (12 / 300); the square one needs 82
        ((64, 64), (300, 12), 1.0, 83),  # 16.5 / sqrt(12 / 300), rounded up
        ((64, 64), (64, 64), 0.25, 66),  # 16.5 / 0.25
    ],
)
def test_what_is_too_small_says_which_size_would_do(photo, painting, scale, size):
    settings = {"steps": 1, "content_layers": "relu4_2", "style_layers": "relu4_1"}
    settings |= {"style_weights": "1"}
    pictures = [Image.new("RGB", sides, (200, 100, 50)) for sides in (photo, painting)]
    options = {"method": "gatys", "settings": settings, "style_scale": scale}
    with pytest.raises(InputError, match=f"; `size={size}` is large enough$"):
        pipeline.stylize(*pictures, size=15, **options)
    assert max(pipeline.stylize(*pictures, size=size, **options).size) == size


def test_a_picture_that_no_size_helps():
    strip = Image.new("RGB", (2000, 1))
    with pytest.raises(InputError, match="too narrow: crop it"):
        pipeline.stylize(strip, "sample:wave", method="gatys", size=64, settings={"steps": 1})
