"""A video from file to file: begun, stopped, gone on with, refused."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from impasto import video
from impasto.errors import CancelledError, InputError
from impasto.image import Image as Picture
from impasto.video import job as jobs
from impasto.video import writer
from moving_clips import drawn, read, write


def frames_in(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def stop_after(count):
    def callback(progress):
        if progress.step >= count:
            progress.cancel()

    return callback


def test_a_video_is_painted_and_nothing_else_is_left(clip, tmp_path, paint):
    seen = []
    report = paint(clip, tmp_path / "out.mp4", callback=lambda p: seen.append((p.step, p.total)))
    before, after = read(clip), read(tmp_path / "out.mp4")
    assert (report.frames, report.kept, report.shots, report.size) == (8, 0, 1, (64, 48))
    assert seen == [(index, 8) for index in range(1, 9)]
    assert (after.times, after.seconds, after.sound) == (before.times, before.seconds, before.sound)
    assert np.abs(after.pixels[3].astype(int) - before.pixels[3]).mean() > 10
    assert report.flicker < 0.5 * report.flicker_painted
    assert os.listdir(tmp_path) == ["out.mp4"]


@pytest.mark.slow
def test_it_goes_on_where_it_was_cancelled(clip, tmp_path, paint):
    paint(clip, tmp_path / "whole")
    target = tmp_path / "out.mp4"
    with pytest.raises(CancelledError, match="4 of 8 frames"):
        paint(clip, target, callback=stop_after(5))
    assert not target.exists()
    kept = frames_in(tmp_path / "out.mp4.frames")
    assert len(kept) == 4
    folder = tmp_path / "frames"
    with pytest.raises(CancelledError):
        paint(clip, folder, callback=stop_after(5))
    report = paint(clip, folder)
    assert (report.frames, report.kept) == (8, 4)
    assert frames_in(folder) == frames_in(tmp_path / "whole")
    assert paint(clip, target).kept == 4
    assert os.listdir(tmp_path).count("out.mp4.frames") == 0
    paint(clip, tmp_path / "again.mp4")
    # of equal frames libx264 makes, once in some thirty runs, other bytes
    one, other = read(target), read(tmp_path / "again.mp4")
    assert (one.times, one.seconds, one.sound) == (other.times, other.seconds, other.sound)


def test_frames_of_another_version_are_refused(clip, tmp_path, paint):
    with pytest.raises(CancelledError):
        paint(clip, tmp_path / "frames", callback=stop_after(2))
    file = tmp_path / "frames" / "video.json"
    file.write_text(file.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(InputError, match="of another version"):
        paint(clip, tmp_path / "frames")


@pytest.mark.slow
def test_frames_without_people_stay_as_they_are(clip, tmp_path, paint):
    report = paint(clip, tmp_path / "frames", only="person", smooth=0)
    assert "no person found in 8 of 8 frames" in report.notes
    with Image.open(tmp_path / "frames" / "00000004.png") as image:
        change = np.abs(np.asarray(image).astype(int) - read(clip).pixels[3])
    assert change.mean() < 2


def test_regions_are_for_photos(clip, tmp_path, paint):
    with pytest.raises(InputError, match="for photos only"):
        paint(clip, tmp_path / "frames", regions=2)


def test_tiling_is_for_photos(clip, tmp_path, paint):
    with pytest.raises(InputError, match="for photos only"):
        paint(clip, tmp_path / "frames", seamless=True)


@pytest.mark.slow
def test_a_shorter_video_of_what_is_finished(clip, tmp_path, paint):
    target = tmp_path / "out.mp4"
    report = paint(clip, target, callback=stop_after(5), partial=True)
    assert (report.frames, report.kept, report.stopped) == (4, 0, True)
    before, short = read(clip), read(target)
    assert short.times == before.times[:4]
    assert 0 < len(short.sound) < len(before.sound)
    report = paint(clip, target, partial=True)  # and the rest, from there
    assert (report.frames, report.kept, report.stopped) == (8, 4, False)
    assert read(target).times == before.times
    with pytest.raises(CancelledError):
        paint(clip, tmp_path / "none.mp4", callback=stop_after(1), partial=True)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_but_time(clip, tmp_path, paint):
    paint(clip, tmp_path / "whole")
    folder = tmp_path / "killed"
    code = (
        "import sys, time; from impasto.video import frame_loop, stylize_video;"
        "frame_loop._SAVE_INTERVAL = 0;"
        "stylize_video(sys.argv[1], sys.argv[2], 'joyfulness-lite', precision='float32',"
        "callback=lambda p: time.sleep(9 if p.step > 4 else 0))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(clip), str(folder)])
    until = time.monotonic() + 120
    while len(frames_in(folder)) < 4 and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    report = paint(clip, folder)
    assert report.kept >= 3
    assert frames_in(folder) == frames_in(tmp_path / "whole")


def test_a_video_that_cannot_be_written_stops_the_work_and_keeps_its_frames(
    clip, tmp_path, paint, monkeypatch
):
    target = tmp_path / "out.mp4"
    with monkeypatch.context() as broken:

        def fail(part, clip, size, coding, fetch, *_, **__):
            fetch(1)
            raise InputError("the disk is full")

        broken.setattr(writer, "write", fail)
        with pytest.raises(InputError, match="the disk is full"):
            paint(clip, target, callback=lambda _: time.sleep(0.3))
    assert not target.exists()
    kept = len(frames_in(tmp_path / "out.mp4.frames"))
    assert 2 <= kept < 8
    assert paint(clip, target).kept == kept
    assert read(target).times == read(clip).times


@pytest.mark.slow
def test_a_lost_state_means_all_over(clip, tmp_path, paint):
    folder = tmp_path / "frames"
    with pytest.raises(CancelledError):
        paint(clip, folder, callback=stop_after(4))
    (folder / "state.safetensors").write_bytes(b"spoiled")
    assert paint(clip, folder).kept == 0


@pytest.mark.slow
def test_other_settings_are_refused_until_told(clip, tmp_path, paint):
    target = tmp_path / "out.mp4"
    with pytest.raises(CancelledError):
        paint(clip, target, callback=stop_after(3))
    for options, words in (
        ({"strength": 0.5}, "strength was 1.0, is 0.5"),
        ({"smooth": 0.5}, "smooth was 0.8, is 0.5"),
        ({"style": "melancholy-lite"}, "styles"),
    ):
        with pytest.raises(InputError, match=words):
            paint(clip, target, **options)
    assert paint(clip, target, crf=30).kept == 2  # how it is written may change
    with pytest.raises(CancelledError):
        paint(clip, target, callback=stop_after(3))
    assert paint(clip, target, smooth=0.5, resume=False).kept == 0


@pytest.mark.slow
def test_pictures_of_others_are_not_painted_over(clip, tmp_path, paint):
    folder = tmp_path / "album"
    folder.mkdir()
    Image.new("RGB", (9, 9)).save(folder / "00000001.png")
    Image.new("RGB", (9, 9)).save(folder / "mine.png")
    with pytest.raises(InputError, match="not of this job"):
        paint(clip, folder)
    paint(clip, folder, resume=False)
    assert (folder / "mine.png").exists()


@pytest.mark.slow
def test_a_folder_that_is_done_stays_as_it_is(clip, tmp_path, paint):
    paint(clip, tmp_path / "frames")
    before = frames_in(tmp_path / "frames")
    report = paint(clip, tmp_path / "frames")
    assert (report.frames, report.kept) == (8, 8)
    assert frames_in(tmp_path / "frames") == before


def test_two_do_not_paint_in_one_place(clip, tmp_path, paint):
    folder = tmp_path / "frames"
    folder.mkdir()
    with FileLock(folder / ".impasto-video.lock"), pytest.raises(InputError, match="another"):
        paint(clip, folder)


@pytest.mark.slow
def test_a_folder_of_frames(tmp_path, paint):
    source = tmp_path / "in"
    source.mkdir()
    for index, frame in enumerate(drawn(3)):
        Image.fromarray(frame).save(source / f"shot_{index}.png")
    paint(source, tmp_path / "out")
    assert sorted(frames_in(tmp_path / "out")) == ["shot_0.png", "shot_1.png", "shot_2.png"]
    paint(source, tmp_path / "out.mkv", fps=10)
    assert [float(time) for time in read(tmp_path / "out.mkv").times] == [0, 0.1, 0.2]
    with pytest.raises(InputError, match="holds the frames to paint"):
        paint(source, source)


def test_a_damaged_frame_is_refused_and_those_before_it_are_kept(tmp_path, paint):
    shots, out = tmp_path / "shots", tmp_path / "out"
    shots.mkdir()
    for index, picture in enumerate(drawn(4), start=1):
        Image.fromarray(picture).save(shots / f"{index}.png")
    whole = (shots / "3.png").read_bytes()
    (shots / "3.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"3.png is a damaged"):
        paint(shots, out)
    assert sorted(frames_in(out)) == ["1.png", "2.png"]


@pytest.mark.slow
def test_sides_become_even_where_they_have_to(tmp_path, paint):
    write(tmp_path / "odd.webm", drawn(2, 65, 49), codec="libvpx-vp9", sound=None)
    assert paint(tmp_path / "odd.webm", tmp_path / "a.mp4").size == (64, 48)
    assert paint(tmp_path / "odd.webm", tmp_path / "b.webm").size == (65, 49)
    assert paint(tmp_path / "odd.webm", tmp_path / "c.mp4", size=33).size == (32, 24)
    assert read(tmp_path / "c.mp4").size == (32, 24)


@pytest.mark.slow
def test_controls_and_masks_count(clip, tmp_path, paint):
    mask = np.zeros((48, 64), np.uint8)
    mask[:, 32:] = 255
    paint(clip, tmp_path / "frames", masks=[Picture.from_numpy(mask)], colors="luminance", smooth=0)
    painted = np.asarray(Image.open(tmp_path / "frames" / "00000001.png")).astype(int)
    photo = next(video.open_clip(clip).pictures()).numpy().astype(int)
    assert np.abs(painted - photo)[:, :30].max() <= 2
    assert np.abs(painted - photo)[:, 34:].mean() > 5


@pytest.mark.slow
@pytest.mark.parametrize("colors", ["match", "luminance"])
def test_colours_of_the_shot_stay(clip, tmp_path, colors):
    report = video.stylize_video(
        clip, tmp_path / "frames", "sample:swirls", method="style-prediction", colors=colors
    )
    assert report.flicker < 0.6 * report.flicker_painted


@pytest.mark.slow
def test_an_optimisation_starts_from_the_frame_before(tmp_path):
    write(tmp_path / "in.mp4", drawn(3), sound=None)
    video.stylize_video(
        tmp_path / "in.mp4",
        tmp_path / "out",
        "sample:swirls",
        method="gatys",
        settings={"steps": 3, "levels": 1, "style_layers": "relu1_1", "style_weights": "1e3"},
    )
    assert len(frames_in(tmp_path / "out")) == 3


@pytest.mark.slow
def test_a_job_says_in_its_file_what_it_is(clip, tmp_path, paint):
    paint(clip, tmp_path / "frames", strength=0.5)
    told = json.loads((tmp_path / "frames" / "video.json").read_text())
    assert told["strength"] == 0.5
    assert told["styles"] == ["joyfulness-lite"]


def test_a_target_that_is_the_source_or_nowhere(clip, tmp_path, paint):
    with pytest.raises(InputError, match="the video to paint"):
        paint(clip, clip)
    with pytest.raises(InputError, match="does not exist"):
        paint(clip, tmp_path / "nowhere" / "out.mp4")


@pytest.mark.slow
def test_flicker_with_and_without(clip, tmp_path, paint):
    report = paint(clip, tmp_path / "frames", flicker=True)
    # half is for larger frames (test_temporal): of these, rims are a large part
    assert report.flicker < 0.6 * report.flicker_plain
    assert "painted by itself" in report.flicker_text()
    assert jobs.Report is video.Report
