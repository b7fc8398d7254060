"""Orders in, pictures out, without a page."""

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.api.controls import Controls
from impasto.errors import CancelledError, ImpastoError, InputError
from impasto.image import Image as Picture
from impasto.image import samples
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability
from impasto.models import zoo
from impasto.studio import files, jobs, options
from impasto.studio.job_queue import MethodCache
from impasto.studio.jobs import StylizeRequest
from impasto.studio.limits import Limits, error_text

LIMITS = Limits(side=512, optimized=256, pixels=10**6)


@pytest.fixture(scope="module")
def bench():
    return MethodCache()


def paint(pictures, bench, callback=lambda _: None, **order):
    wanted = StylizeRequest(photo=pictures / order.pop("photo", "photo.jpg"), **order)
    return jobs.stylize(wanted, LIMITS, bench, callback)


def test_before_and_after_are_alike_in_size(pictures, bench):
    painted = paint(pictures, bench, names=["great-wave"], size="100")
    assert painted.picture.size == painted.photo.size == (100, 67)
    assert not torch.equal(painted.picture.rgb, painted.photo.rgb)


def test_names_come_with_or_without_sample(pictures, bench):
    short = paint(pictures, bench, names=["wave"], size="64")
    long = paint(pictures, bench, names=["sample:wave"], size="64")
    assert torch.equal(short.picture.rgb, long.picture.rgb)


def test_strength_0_is_the_photo(pictures, bench):
    painted = paint(pictures, bench, names=["adele"], controls=Controls(strength=0))
    assert torch.allclose(painted.picture.rgb, painted.photo.rgb)


@pytest.mark.parametrize(
    ("size", "method", "side"), [("full", "", 144), ("96", "", 96), ("auto", "wct", 144)]
)
def test_sizes(pictures, bench, size, method, side):
    style = {"names": ["adele"]} if not method else {"names": ["wave"], "method": method}
    assert max(paint(pictures, bench, size=size, **style).picture.size) == side


@pytest.mark.slow
def test_an_optimisation_is_smaller_unless_asked(pictures, bench, tmp_path):
    Image.fromarray(np.full((300, 900, 3), 120, np.uint8)).save(tmp_path / "wide.png")
    order = StylizeRequest(
        photo=tmp_path / "wide.png", names=["wave"], method="gatys", settings="steps=1;levels=1"
    )
    assert jobs.stylize(order, LIMITS, bench, lambda _: None).picture.size == (256, 85)


@pytest.mark.slow
def test_a_slow_method_begins_with_a_preview_by_a_network(pictures, bench):
    shown = []

    def watch(progress):
        if progress.preview is not None:
            shown.append((progress.step, progress.total, progress.preview()))

    order = {"names": ["wave"], "method": "gatys", "settings": "steps=20;levels=1", "size": "64"}
    paint(pictures, bench, watch, **order)
    (step, total, quick), *later = shown
    assert (step, total) == (0, 1)
    photo = Picture.from_pil(Image.open(pictures / "photo.jpg").resize((64, 43))).rgb
    assert (quick - photo).abs().mean() > 0.05  # it is painted, as the network does it
    # the first steps' are left out, in which the image is almost the photo
    assert [one[0] for one in later] == list(range(2, 21))


def test_a_photo_that_is_made_smaller_says_so(pictures, bench, monkeypatch):
    monkeypatch.setitem(jobs._AUTO_LIMITS, False, 100)
    assert "the photo has 144 × 96" in paint(pictures, bench, names=["adele"]).note
    assert not paint(pictures, bench, names=["adele"], size="100").note


def test_a_large_photo_says_how_long_it_takes(pictures, bench, monkeypatch):
    monkeypatch.setattr(jobs, "_LARGE", 1000)
    stages = []
    paint(pictures, bench, lambda progress: stages.append(progress.stage), names=["adele"])
    assert stages[0].startswith("painting, about ")


def test_cancelling_keeps_the_picture(pictures, bench):
    def stop(progress):
        if progress.step >= 2:
            progress.cancel()

    order = {"names": ["wave"], "method": "gatys", "settings": "steps=1000", "size": "64"}
    assert paint(pictures, bench, stop, **order).picture.size == (64, 43)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({}, "no painting"),
        ({"names": ["astronaut"]}, "no style 'astronaut'"),
        ({"names": ["adele"], "method": "johnson"}, "no method 'johnson' here"),
        ({"names": ["adele"], "settings": "steps=3"}, "leave them out"),
        ({"names": ["adele", "udnie"]}, "do not blend"),
        ({"names": ["adele", "wave"]}, "do not blend"),
        ({"names": ["adele"], "weights": [1, 2]}, "2 weights for 1 styles"),
        ({"names": ["adele"], "size": "513"}, "up to 512"),
        ({"names": ["wave"], "quality": "good", "size": "257"}, "up to 256"),
        ({"names": ["wave"], "settings": "x" * 3000}, "2000 letters"),
        ({"names": ["adele"], "photo": "huge.png"}, "huge.png has more pixels"),
        ({"names": ["adele"], "photo": "broken.jpg"}, "broken.jpg is a damaged"),
    ],
)
def test_refusals(pictures, bench, order, words):
    with pytest.raises(InputError) as error:
        paint(pictures, bench, **order)
    assert words in str(error.value)
    assert str(pictures) not in str(error.value)


def test_a_brush_makes_a_mask_where_it_was():
    layer = Image.new("RGBA", (20, 10))
    layer.paste((224, 86, 27, 90), (0, 0, 10, 10))
    mask = files.mask_from_strokes([Picture.from_pil(layer)])
    assert mask is not None
    assert mask.rgb[0, 0, 5, 3] == 1
    assert mask.rgb[0, 0, 5, 15] == 0
    assert files.mask_from_strokes([Picture.from_pil(Image.new("RGBA", (20, 10)))]) is None
    assert files.mask_from_strokes([]) is None


def test_textures(bench, pictures):
    made = jobs.texture("irises", LIMITS, bench, lambda _: None, width=96, height=64)
    assert made.size == (96, 64)
    made = jobs.texture(
        pictures / "painting.png",
        LIMITS,
        bench,
        lambda _: None,
        method="resample",
        width=16,
        height=16,
    )
    assert made.size == (16, 16)
    with pytest.raises(InputError, match="1 to 512 pixels"):
        jobs.texture("irises", LIMITS, bench, lambda _: None, width=0, height=64)


def test_what_is_on_offer_is_what_there_is():
    names = {one.name for one in options.styles()}
    assert names == {o.name for o in zoo.shipped() if o.kind == "style"} | {
        f"sample:{name}" for name in samples.PAINTINGS
    }
    stylizing = {entry.name for entry in list_methods(Ability.STYLIZE)}
    assert {entry.name for entry in options.image_style_methods()} <= stylizing
    assert {"gatys", "mmd", "cnnmrf", "wct"} <= {
        entry.name for entry in options.image_style_methods()
    }


def test_every_style_has_a_thumbnail_of_its_own(tmp_path):
    tiles = options.thumbnails(tmp_path)
    assert [caption for _, caption in tiles] == [
        one.name.removeprefix("sample:") for one in options.gallery()
    ]
    contents = set()
    for path, _ in tiles:
        with Image.open(path) as tile:
            assert min(tile.size) > 40
            contents.add(tile.tobytes())
    assert len(contents) == len(tiles)


def test_no_path_and_no_traceback_is_told():
    secret = RuntimeError("/home/ada/secret.png\nTraceback (most recent call last)")
    assert error_text(secret) == "something went wrong: RuntimeError. The server's log says more"
    assert error_text(ImpastoError("a\nb")) == "a b"
    assert "smaller" in error_text(MemoryError())


def small_clip(folder, count):
    """Make a video of 64x48 pixels; skip the test without PyAV."""
    pytest.importorskip("av")
    from impasto import video

    (folder / "frames").mkdir()
    for index in range(count):
        frame = Image.fromarray(np.full((48, 64, 3), 40 * index, np.uint8))
        frame.save(folder / "frames" / f"{index}.png")
    clip = folder / "clip.mp4"
    video.stylize_video(folder / "frames", clip, "starry-night", controls=Controls(size=64), fps=5)
    return clip


def test_a_small_video_is_not_enlarged(tmp_path):
    clip, target = small_clip(tmp_path, 2), tmp_path / "out.mp4"
    from impasto import video
    from impasto.studio import tab_video

    tab_video._stylize(clip, target, "starry-night", Controls(size=128), 60.0, lambda _: None)
    assert next(iter(video.open_clip(target).pictures())).size == (64, 48)


def test_a_video_that_is_stopped_is_a_shorter_video(tmp_path):
    clip, target, small = small_clip(tmp_path, 5), tmp_path / "out.mp4", Controls(size=64)
    from impasto import video
    from impasto.studio import tab_video

    def stop(progress):
        if progress.step >= 3:
            progress.cancel()

    report = tab_video._stylize(clip, target, "starry-night", small, 60.0, stop)
    assert (report.stopped, report.frames) == (True, 2)
    assert video.open_clip(target).frames == 2
    with pytest.raises(CancelledError, match="before the first frame"):
        tab_video._stylize(clip, tmp_path / "none.mp4", "udnie", small, 60.0, lambda p: p.cancel())
    with pytest.raises(InputError, match=r"lasts 1 s, 0 s are painted here"):
        tab_video._stylize(clip, target, "starry-night", small, 0.4, stop)
