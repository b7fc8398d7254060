"""Videos out: the same frames at the same times, and the sound bit for bit."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from impasto.errors import InputError
from impasto.video import writer
from impasto.video.codec import Coding, plan
from impasto.video.decoder import Video
from impasto.video.reader import Folder
from moving_clips import drawn, read, write


def numbered(index, size=(64, 48)):
    """A plain frame whose grey tells its number."""
    return np.full((size[1], size[0], 3), 40 + 20 * index, np.uint8)


def through(source, target, coding=None, **options):
    clip = Video(Path(source))
    writer.write(target, clip, options.pop("size", (64, 48)), coding or Coding(), numbered)
    return read(source), read(target)


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_frames_times_length_and_sound_stay(clip, tmp_path, ending):
    before, after = through(clip, tmp_path / f"out{ending}")
    assert after.times == before.times
    assert after.seconds == before.seconds
    assert after.sound == before.sound
    assert len(after.sound) > 10
    assert [round(float(frame.mean()) / 20) - 2 for frame in after.pixels] == list(range(8))


@pytest.mark.parametrize("ending", [".mkv", ".avi", ".flv", ".wmv"])
def test_other_formats_keep_the_sound_too(clip, tmp_path, ending):
    before, after = through(clip, tmp_path / f"out{ending}")
    assert after.sound == before.sound
    shift = after.times[0] - before.times[0]  # of sound and picture alike, where formats want it
    assert shift < 0.1
    apart = [one - other - shift for one, other in zip(after.times, before.times, strict=True)]
    assert max(map(abs, apart)) <= Fraction(1, 1000)


def test_frames_at_any_time_stay_there(tmp_path):
    source, times = tmp_path / "phone.mkv", [0, 33, 100, 110, 200, 290, 301, 333]
    write(source, drawn(8), times=times, unit=Fraction(1, 1000), sound="libopus")
    for ending in (".mkv", ".mp4", ".webm"):
        before, after = through(source, tmp_path / f"out{ending}")
        assert after.times == before.times == [Fraction(time, 1000) for time in times]
        assert after.sound == before.sound
    with av.open(str(tmp_path / "out.mp4")) as file:
        stream = file.streams.video[0]
        assert stream.duration * stream.time_base == Fraction(333 + 40, 1000)


def test_a_format_of_one_rate_refuses_them_before_the_work(tmp_path):
    source = tmp_path / "phone.mkv"
    write(source, drawn(3), times=[0, 33, 170], unit=Fraction(1, 1000))
    with pytest.raises(InputError, match="one frame rate"):
        writer.rehearse(tmp_path / "out.avi", Video(source), (64, 48), Coding())


def test_odd_sides_go_where_the_codec_takes_them(tmp_path):
    source = tmp_path / "odd.webm"
    write(source, drawn(3, 65, 49), codec="libvpx-vp9", sound=None)
    assert not plan(tmp_path / "out.webm", Coding()).even
    assert plan(tmp_path / "out.mp4", Coding()).even
    target = tmp_path / "out.webm"
    writer.write(target, Video(source), (65, 49), Coding(), lambda i: numbered(i, (65, 49)))
    assert read(target).size == (65, 49)


def test_sound_that_a_format_cannot_hold_is_told_before_the_work(clip, tmp_path):
    with pytest.raises(InputError, match='`audio="encode"`'):
        writer.rehearse(tmp_path / "out.webm", Video(clip), (64, 48), Coding())
    _, after = through(clip, tmp_path / "out.webm", Coding(audio="encode"))
    assert len(after.sound) > 10
    _, after = through(clip, tmp_path / "none.webm", Coding(audio="none"))
    assert after.sound == []


def test_a_gif_holds_no_sound_and_says_so(clip, tmp_path):
    notes = writer.rehearse(tmp_path / "out.gif", Video(clip), (64, 48), Coding())
    assert notes == [".gif holds no sound: it is left out"]
    before, after = through(clip, tmp_path / "out.gif")
    assert after.times == before.times


def test_a_gif_has_the_colours_of_all_its_frames(tmp_path):
    from PIL import Image

    frames = list(drawn(6, noise=0.0))
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{index}.png")
    target = tmp_path / "out.gif"
    writer.write(target, Folder(tmp_path), (64, 48), Coding(), lambda index: frames[index])
    apart = [
        np.abs(a.astype(int) - b).mean() for a, b in zip(read(target).pixels, frames, strict=False)
    ]
    assert len(apart) == 6
    assert max(apart) < 6


def test_colours_come_back_as_they_went(tmp_path):
    for rows in (48, 720):  # BT.601, BT.709
        red = np.zeros((rows, 64, 3), np.uint8)
        red[:] = 200, 40, 90
        source = tmp_path / f"{rows}.mkv"
        write(source, [red] * 2, sound=None)
        target = tmp_path / f"out{rows}.mp4"
        writer.write(target, Video(source), (64, rows), Coding(), lambda _, red=red: red)
        with av.open(str(target)) as file:
            frame = next(file.decode(video=0))
            assert int(frame.colorspace) == (1 if rows == 720 else 6)
        (shown, *_) = Video(target).pictures()
        assert np.abs(shown.numpy().astype(int) - red).max() <= 3


@pytest.mark.parametrize("matrix", [1, 5])
@pytest.mark.parametrize("rows", [48, 720])
def test_a_video_is_read_by_the_matrix_it_names(tmp_path, matrix, rows):
    red = np.zeros((rows, 64, 3), np.uint8)
    red[:] = 200, 40, 90
    write(tmp_path / "red.mkv", [red], sound=None, matrix=matrix)
    (shown,) = Video(tmp_path / "red.mkv").pictures()
    assert np.abs(shown.numpy().astype(int) - red).max() <= 3


def test_the_same_frames_make_the_same_bytes(clip, tmp_path):
    for name in ("one.mkv", "two.mkv"):
        through(clip, tmp_path / name)
    assert (tmp_path / "one.mkv").read_bytes() == (tmp_path / "two.mkv").read_bytes()


def test_frames_of_a_folder_have_a_rate(tmp_path):
    from PIL import Image

    for index in (8, 9, 10):
        Image.fromarray(numbered(index)).save(tmp_path / f"f{index}.png")
    folder = Folder(tmp_path, Fraction(30000, 1001))
    assert [file.name for file in folder.files] == ["f8.png", "f9.png", "f10.png"]
    writer.write(tmp_path / "out.mp4", folder, (64, 48), Coding(), numbered)
    assert read(tmp_path / "out.mp4").times == [Fraction(1001 * i, 30000) for i in range(3)]


@pytest.mark.parametrize(
    ("name", "coding", "words"),
    [
        ("out.txt", {}, "has the ending .txt"),
        ("out.mp3", {}, "no moving pictures"),
        ("out.mp4", {"codec": "nothing"}, "no encoder"),
        ("out.mp4", {"codec": "aac"}, "no codec of moving pictures"),
        ("out.webm", {"codec": "libx264"}, "cannot hold libx264"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(clip, tmp_path, name, coding, words):
    with pytest.raises(InputError, match=words):
        writer.rehearse(tmp_path / name, Video(clip), (64, 48), Coding(**coding))


@pytest.mark.parametrize(
    ("codec", "ending"),
    [("hevc", ".mp4"), ("av1", ".mkv"), ("vp8", ".webm"), ("prores", ".mov"), ("mjpeg", ".avi")],
)
def test_codecs_by_name_without_chatter(tmp_path, capfd, codec, ending):
    source, target = tmp_path / "in.mkv", tmp_path / f"out{ending}"
    write(source, drawn(3), sound=None)
    writer.write(target, Video(source), (64, 48), Coding(codec, 20), numbered)
    shown = read(target).pixels
    assert [round(float(frame.mean()) / 20) - 2 for frame in shown] == [0, 1, 2]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("wrong", [{"audio": "loud"}, {"crf": 64}, {"crf": -1}])
def test_codings_that_make_no_sense(wrong):
    with pytest.raises(InputError):
        Coding(**wrong)
