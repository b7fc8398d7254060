"""Damaged and odd clips: what can be painted is, and the rest is told in a sentence."""

import random
from fractions import Fraction

import av
import numpy as np
import pytest

from impasto.errors import InputError
from impasto.training.sources import search
from impasto.video import open_clip, writer
from impasto.video.codec import Coding
from impasto.video.decoder import Video
from moving_clips import drawn, read, write


def damaged(data, seed):
    """The bytes of a file with some flipped, filled with noise, or cut off."""
    chance, data = random.Random(seed), bytearray(data)
    kind = seed % 3
    if kind == 0:
        return bytes(data[: chance.randrange(len(data))])
    for _ in range(30):
        place = chance.randrange(len(data) if kind == 1 else 300)
        data[place] = chance.randrange(256)
    return bytes(data)


@pytest.mark.parametrize(
    ("ending", "codec"), [(".ts", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4")]
)
def test_a_video_among_pictures_is_passed_over_as_a_video(tmp_path, ending, codec):
    """The stream is damaged from end to end, and for ``.ts`` in its first packets as well."""
    write(tmp_path / f"whole{ending}", drawn(4), codec=codec)
    whole = (tmp_path / f"whole{ending}").read_bytes()
    seeds = (1, 4, 7, 2, 5, 8) if ending == ".ts" else ()
    for seed in seeds:
        (tmp_path / f"bad{seed}{ending}").write_bytes(damaged(whole, seed))
    assert search(tmp_path).passed == {"video": 1 + len(seeds)}


@pytest.mark.parametrize(
    ("ending", "codec", "sound"),
    [(".ts", "libx264", "aac"), (".mkv", "libx264", "libopus"), (".avi", "mpeg4", "libmp3lame")],
)
def test_damage_is_left_out_or_told_in_a_sentence(tmp_path, ending, codec, sound):
    write(tmp_path / f"whole{ending}", drawn(4), codec=codec, sound=sound)
    whole = (tmp_path / f"whole{ending}").read_bytes()
    path, grey = tmp_path / f"bad{ending}", np.full((48, 64, 3), 128, np.uint8)
    for seed in range(12):
        path.write_bytes(damaged(whole, seed))
        try:
            clip = open_clip(path)
            assert sum(1 for _ in clip.pictures()) > 0
            coding = Coding(audio="encode" if seed % 2 else "copy")
            writer.write(tmp_path / "out.mkv", clip, (64, 48), coding, lambda _: grey)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert "Errno" not in str(error)  # noqa: PT017


def test_a_codec_without_a_decoder_is_told_in_words(tmp_path):
    write(tmp_path / "whole.avi", drawn(2), codec="mpeg4", sound=None)
    data = (tmp_path / "whole.avi").read_bytes()
    assert data.count(b"FMP4") == 2
    (tmp_path / "odd.avi").write_bytes(data.replace(b"FMP4", b"QQQQ"))
    with pytest.raises(InputError, match="cannot decode"):
        open_clip(tmp_path / "odd.avi")


def test_metadata_that_is_no_text_does_not_matter(tmp_path):
    write(tmp_path / "a.mkv", drawn(2), sound=None)
    one, other = tmp_path / "a.mkv", tmp_path / "b.mkv"
    with av.open(str(one)) as source, av.open(str(other), "w") as out:
        made = out.add_stream_from_template(source.streams.video[0])
        out.metadata["title"] = "QQQQ"
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = made
                out.mux(packet)
    data = (tmp_path / "b.mkv").read_bytes()
    assert data.count(b"QQQQ") == 1
    (tmp_path / "b.mkv").write_bytes(data.replace(b"QQQQ", b"caf\xe9"))
    assert open_clip(tmp_path / "b.mkv").frames == 2


def test_a_decoder_that_finds_no_frame_is_told_in_words(clip, monkeypatch):
    found = Video(clip)
    monkeypatch.setattr(found, "decoded", lambda packet, **_: [])
    with pytest.raises(InputError, match="no frame that can be decoded"):
        next(found.pictures())


def test_frames_closer_together_than_a_gif_can_say_come_one_after_another(tmp_path):
    write(tmp_path / "fast.mp4", drawn(4), rate=240, sound=None)
    grey = [np.full((48, 64, 3), 60 * index, np.uint8) for index in range(4)]
    clip = open_clip(tmp_path / "fast.mp4")
    writer.write(tmp_path / "out.gif", clip, (64, 48), Coding(), grey.__getitem__)
    assert read(tmp_path / "out.gif").times == [Fraction(index, 100) for index in range(4)]
