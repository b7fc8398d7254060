"""Videos in: upright, whole or in words."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from impasto.errors import InputError, MissingExtraError
from impasto.video import open_clip
from impasto.video.decoder import _even_paced
from moving_clips import drawn, write


def test_frames_come_upright(tmp_path):
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    write(plain, drawn(2, noise=0), sound=None)
    write(turned, drawn(2, noise=0), sound=None, turned=90)
    frames = [next(open_clip(path).pictures()).numpy() for path in (plain, turned)]
    assert frames[1].shape == (64, 48, 3)
    assert np.abs(np.rot90(frames[0]).astype(int) - frames[1]).mean() < 1


def test_it_starts_where_it_is_told(clip):
    frames = [picture.numpy() for picture in open_clip(clip).pictures()]
    later = [picture.numpy() for picture in open_clip(clip).pictures(5)]
    assert len(frames) == open_clip(clip).frames == 8
    assert all(np.array_equal(a, b) for a, b in zip(frames[5:], later, strict=True))


def test_a_video_that_is_cut_off_gives_what_it_has(tmp_path):
    write(tmp_path / "whole.mkv", drawn(40), sound=None)
    data = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 3])
    cut = open_clip(tmp_path / "cut.mkv")
    count = len(list(cut.pictures()))
    assert 2 <= count < 30
    assert cut.notes


def bad_text(path):
    path.write_text("dear diary\n" * 99)


def bad_empty(path):
    path.write_bytes(b"")


def bad_numbers(path):
    path.write_bytes(bytes(range(256)) * 99)


def bad_picture(path):
    Image.new("RGB", (20, 20)).save(path, format="PNG")


def bad_sound(path):
    import av

    with av.open(str(path), "w", format="mp4") as out:
        voice = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        out.mux(voice.encode(frame))
        out.mux(voice.encode())


def bad_playlist(path):
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/x.ts\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(
    "spoil", [bad_text, bad_empty, bad_numbers, bad_picture, bad_sound, bad_playlist]
)
@pytest.mark.parametrize("ending", [".mp4", ".m3u8", ".txt"])
def test_what_is_no_video_is_told_in_words(tmp_path, spoil, ending):
    path = tmp_path / f"bad{ending}"
    spoil(path)
    with pytest.raises(InputError) as caught:
        open_clip(path)
    assert str(path) in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_no_place_and_no_pictures(tmp_path, clip):
    with pytest.raises(InputError, match="does not exist"):
        open_clip(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="holds no pictures"):
        open_clip(tmp_path)
    with pytest.raises(InputError, match="address"):
        open_clip("https://example.org/a.mp4")
    with pytest.raises(InputError, match="`fps`"):
        open_clip(clip, 25)


def test_frames_of_a_folder_are_of_one_size(tmp_path):
    for name, size in (("1.png", (20, 20)), ("2.png", (20, 21))):
        Image.new("RGB", size).save(tmp_path / name)
    with pytest.raises(InputError, match="20x21"):
        list(open_clip(tmp_path).pictures())


def shoot(folder, *names):
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / name, format="PNG")


def test_frames_are_what_files_hold(tmp_path):
    shoot(tmp_path, "10", "9.dat", "8.png")
    (tmp_path / "notes.txt").write_text("dear diary")
    (tmp_path / "inside").mkdir()
    clip = open_clip(tmp_path)
    assert [file.name for file in clip.files] == ["8.png", "9.dat", "10"]
    assert clip.notes == ["passed over: 1 x text file"]


def test_a_frame_that_is_none_is_refused_before_the_work(tmp_path):
    shoot(tmp_path, "1.png", "3.png")
    bad_text(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"2.png cannot be read as a frame \(text file\)"):
        open_clip(tmp_path)


@pytest.mark.parametrize(
    ("numbers", "gap"),
    [
        ([1, 2, 3, 5, 6], "between f0003.png and f0005.png"),
        ([0, 2, 4, 8], "between f0004.png and f0008.png"),
        ([7, 8, 9], ""),
        ([5, 10, 15], ""),
        ([3, 17, 40], ""),  # times
        ([4], ""),
    ],
)
def test_a_gap_in_the_numbers_is_refused(tmp_path, numbers, gap):
    shoot(tmp_path, *(f"f{number:04}.png" for number in numbers), "cover.png")
    if gap:
        with pytest.raises(InputError, match=gap):
            open_clip(tmp_path)
    else:
        assert open_clip(tmp_path).frames == len(numbers) + 1


def test_names_of_frames_are_told_apart(tmp_path):
    for name in ("a.png", "a.jpg", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert open_clip(tmp_path).names == ["00000001", "00000002", "00000003"]


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r"impasto\[video\]"):
        open_clip(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("times", "even"),
    [([0, 40, 80], True), ([0, 80, 120], True), ([0, 40, 95], False), ([0, 5, 40], False)],
)
def test_gaps_are_of_one_rate_and_other_times_are_not(times, even):
    assert _even_paced(times, Fraction(1, 1000), Fraction(25)) is even
