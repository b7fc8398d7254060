"""Interlaced video in: whole frames, as many, and a note."""

from fractions import Fraction

import av
import numpy as np
import pytest

from impasto.video import writer
from impasto.video.codec import Coding
from impasto.video.decoder import Video
from impasto.video.deinterlace import Deinterlacer


def interlaced(path, codec, count=5):
    """A bar that moves by four pixels from field to field; the rest is grey."""
    options = {"flags": "+ildct+ilme"} if codec == "mpeg2video" else {"x264-params": "tff=1"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 10**7
        for index in range(count):
            shown = np.full((48, 64, 3), 60, np.uint8)
            for field in (0, 1):
                left = 8 * index + 4 * field
                shown[field::2, left : left + 12] = 200
            frame = av.VideoFrame.from_ndarray(shown).reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def combed(picture):
    """How far apart neighbouring rows are, in 255ths: the comb of two fields at two times."""
    grey = picture.numpy().mean(axis=2)[4:-4]
    return np.abs(np.diff(grey, axis=0)).mean()


@pytest.mark.parametrize(("codec", "ending"), [("mpeg2video", ".ts"), ("libx264", ".mkv")])
def test_fields_become_whole_frames_and_it_is_said(tmp_path, codec, ending):
    clip = Video(interlaced(tmp_path / f"fields{ending}", codec))
    with av.open(str(clip.path)) as file:
        plain = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert np.abs(np.diff(plain[0].mean(axis=2)[4:-4], axis=0)).mean() > 10
    pictures = list(clip.pictures())
    assert len(pictures) == len(plain) == 5
    assert max(map(combed, pictures)) < 4
    assert ["deinterlaced" in note for note in clip.notes] == [True]
    later = list(clip.pictures(4))
    assert np.array_equal(later[0].numpy(), pictures[-1].numpy())


def test_a_single_frame_comes_back(tmp_path):
    """Without neighbours the filter has nothing to go by, and leaves it."""
    assert len(list(Video(interlaced(tmp_path / "one.mkv", "libx264", 1)).pictures())) == 1


def test_every_frame_keeps_its_time(tmp_path):
    clip = Video(interlaced(tmp_path / "fields.mkv", "libx264"))
    grey = np.full((48, 64, 3), 128, np.uint8)
    writer.write(tmp_path / "out.mkv", clip, (64, 48), Coding(), lambda _: grey)
    with av.open(str(tmp_path / "out.mkv")) as file:
        frames = list(file.decode(video=0))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 25) for i in range(5)]
    assert not any(frame.interlaced_frame for frame in frames)


def test_another_size_on_the_way_is_taken(tmp_path):
    one = interlaced(tmp_path / "one.mkv", "libx264", 3)
    with av.open(str(one)) as file:
        frames = list(file.decode(video=0))
    through = Deinterlacer()
    small = [frame.reformat(width=32, height=48) for frame in frames]
    for index, frame in enumerate(small):
        frame.pts = 10**6 + index
    found = [done for frame in (*frames, *small) for done in through(frame)] + list(through.rest())
    assert [frame.width for frame in found] == [64] * 3 + [32] * 3
