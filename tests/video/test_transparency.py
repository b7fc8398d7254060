"""Transparent clips, and animations: alpha and durations in and out."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from impasto.errors import InputError
from impasto.video import open_clip, writer
from impasto.video.codec import Coding, plan
from impasto.video.transparency import transparent
from moving_clips import drawn, write

LASTS = [40, 100, 250, 70]  # ms
TIMES = [Fraction(sum(LASTS[:index]), 1000) for index in range(4)]


def shown(index):
    """A frame (48, 64, 4) whose red tells its number, with a clear edge."""
    pixels = np.full((48, 64, 4), 255, np.uint8)
    pixels[..., :3] = 40 + 50 * index, 90, 200
    pixels[:, : 8 * (index + 1), 3] = 0
    return pixels


def animated(path, *, opaque=False, **options):
    frames = [Image.fromarray(shown(index)[..., : 3 if opaque else 4]) for index in range(4)]
    form = {".apng": "PNG"}.get(path.suffix)
    frames[0].save(
        path, form, save_all=True, append_images=frames[1:], duration=LASTS, loop=0, **options
    )
    return path


def through(clip, target, **coding):
    """Written as they came; its frames again, as arrays."""
    frames = [picture.numpy() for picture in clip.pictures()]
    writer.rehearse(target, clip, (64, 48), Coding(**coding), alpha=transparent(clip))
    notes = writer.write(
        target, clip, (64, 48), Coding(**coding), frames.__getitem__, alpha=transparent(clip)
    )
    return notes, [picture.numpy() for picture in open_clip(target).pictures()]


@pytest.mark.parametrize("ending", [".webp", ".apng", ".gif"])
def test_animations_come_in_with_alpha(tmp_path, ending):
    options = (
        {"lossless": True} if ending == ".webp" else {"disposal": 2} if ending == ".gif" else {}
    )
    clip = open_clip(animated(tmp_path / f"in{ending}", **options))
    frames = [picture.numpy() for picture in clip.pictures()]
    assert clip.frames == len(frames) == 4
    assert clip.lasts == Fraction(70, 1000)
    for index, frame in enumerate(frames):
        seen = shown(index)[..., 3] > 0
        assert np.array_equal(frame[..., 3] > 0, seen)
        assert np.abs(frame[seen].astype(int) - shown(index)[seen]).max() <= 2
    assert transparent(clip)
    assert np.array_equal(next(clip.pictures(2)).numpy(), frames[2])


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        (".webm", None),
        (".webm", "vp8"),
        (".mkv", None),
        (".mkv", "ffv1"),
        (".mov", None),
        (".mov", "png"),
        (".mov", "qtrle"),
        (".apng", None),
        (".webp", None),
        (".gif", None),
    ],
)
def test_alpha_goes_out_and_comes_in_again(tmp_path, ending, codec):
    clip = open_clip(animated(tmp_path / "in.apng"))
    notes, frames = through(clip, tmp_path / f"out{ending}", codec=codec)
    assert notes == []
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        clear = 8 * (index + 1)
        assert frame[:, : clear - 4, 3].max() < 16
        assert frame[:, clear + 4 :, 3].min() > 239
        colour = frame[:, clear + 4 :, :3].reshape(-1, 3).mean(axis=0)
        assert np.abs(colour - shown(index)[0, 0, :3]).max() < 8


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", None), (".mkv", "libx264"), (".avi", None)])
def test_where_it_cannot_be_kept_it_is_said(tmp_path, ending, codec):
    clip = open_clip(animated(tmp_path / "in.webp", lossless=True))
    if ending == ".avi":  # of one rate
        clip.even_paced = True
    notes, frames = through(clip, tmp_path / f"out{ending}", codec=codec)
    assert [f"{ending} with" in note and "no transparency" in note for note in notes] == [True]
    assert frames[0].shape[2] == 3


@pytest.mark.parametrize("ending", [".webp", ".apng", ".gif", ".mkv", ".mp4"])
@pytest.mark.parametrize("source", [".webp", ".apng", ".gif"])
def test_every_frame_is_shown_as_long(tmp_path, source, ending):
    clip = open_clip(animated(tmp_path / f"in{source}"))
    target = tmp_path / f"out{ending}"
    through(clip, target)
    if ending in {".webp", ".apng", ".gif"}:
        with Image.open(target) as image:
            found = []
            for index in range(image.n_frames):
                image.seek(index)
                image.load()
                found.append(image.info["duration"])
            assert image.info["loop"] == 0
        assert found == LASTS
    else:
        with av.open(str(target)) as file:
            frames = list(file.decode(video=0))
            assert file.duration == pytest.approx(1e6 * sum(LASTS) / 1000)
        assert [frame.pts * frame.time_base for frame in frames] == TIMES


def test_an_opaque_clip_says_nothing_of_transparency(tmp_path, clip):
    for path in (animated(tmp_path / "in.gif", opaque=True), clip):
        assert not transparent(open_clip(path))
    assert not plan(tmp_path / "out.mov", Coding()).alpha
    assert plan(tmp_path / "out.mov", Coding()).encoder == "libx264"


def test_a_folder_is_transparent_if_one_frame_is(tmp_path):
    Image.fromarray(shown(0)[..., :3]).save(tmp_path / "1.png")
    Image.fromarray(shown(0)[..., :3]).save(tmp_path / "2.jpg")
    Image.new("RGBA", (64, 48), (1, 2, 3, 255)).save(tmp_path / "3.png")
    assert not transparent(open_clip(tmp_path))
    Image.fromarray(shown(1)).save(tmp_path / "4.png")
    assert transparent(open_clip(tmp_path))
    notes, frames = through(open_clip(tmp_path), tmp_path / "out.webm")
    assert notes == []
    assert frames[0].shape[2] == 3
    assert frames[3][:, :12, 3].max() < 16


def test_a_picture_that_is_no_animation_is_for_stylize(tmp_path):
    Image.fromarray(shown(0)).save(tmp_path / "one.webp")
    with pytest.raises(InputError, match="stylize"):
        open_clip(tmp_path / "one.webp")


def test_a_damaged_animation_is_told_in_words(tmp_path):
    data = animated(tmp_path / "in.webp").read_bytes()
    (tmp_path / "cut.webp").write_bytes(data[:60])
    with pytest.raises(InputError, match="damaged animated WebP"):
        open_clip(tmp_path / "cut.webp")


def test_a_video_becomes_an_animation(tmp_path):
    write(tmp_path / "in.mp4", drawn(4), sound=None)
    clip = open_clip(tmp_path / "in.mp4")
    before = [picture.numpy() for picture in clip.pictures()]
    notes, after = through(clip, tmp_path / "out.webp")
    assert notes == []
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(before, after, strict=True)) < 4
