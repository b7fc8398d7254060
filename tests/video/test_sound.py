"""Broken packets of sound: left out and counted; whole sound stays bit for bit."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from impasto.video import writer
from impasto.video.codec import Coding
from impasto.video.decoder import Video
from impasto.video.sound import DamagedPackets, _Sound
from moving_clips import drawn, read, write

BROKEN = 3, 4, 8  # packets of the clip's sound


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A clip in Matroska of whose packets of AAC three are noise."""
    folder = tmp_path_factory.mktemp("damaged")
    write(folder / "whole.mkv", drawn(8))
    noise = np.random.default_rng(0).integers(0, 256, 300, np.uint8).tobytes()
    count = 0
    with av.open(str(folder / "whole.mkv")) as source, av.open(str(folder / "a.mkv"), "w") as out:
        made = {one.index: out.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if not packet.size:
                continue
            count += packet.stream.type == "audio"
            broken = packet.stream.type == "audio" and count in BROKEN
            sent = av.Packet(noise if broken else bytes(packet))
            sent.pts, sent.dts, sent.time_base = packet.pts, packet.dts, packet.time_base
            sent.stream, sent.is_keyframe = made[packet.stream.index], packet.is_keyframe
            out.mux_one(sent)
    return folder / "a.mkv"


def painted(source, target, **coding):
    grey = np.full((48, 64, 3), 128, np.uint8)
    return writer.write(target, Video(source), (64, 48), Coding(**coding), lambda _: grey)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov", ".ts"])
def test_they_are_left_out_and_counted(damaged, tmp_path, ending):
    before = read(damaged).sound
    notes = painted(damaged, tmp_path / f"out{ending}")
    assert notes == ["3 broken packets of sound are left out"]
    kept = [one for index, one in enumerate(before, 1) if index not in BROKEN]
    after = read(tmp_path / f"out{ending}")
    assert len(after.pixels) == 8
    if ending != ".ts":  # which wraps each packet
        assert after.sound == kept


def test_they_are_left_out_of_sound_that_is_encoded(damaged, tmp_path):
    notes = painted(damaged, tmp_path / "out.webm", audio="encode")
    assert notes == ["3 broken packets of sound are left out"]
    assert len(read(tmp_path / "out.webm").sound) > 10


def test_whole_sound_is_left_alone(clip, tmp_path):
    assert painted(clip, tmp_path / "out.mp4") == []
    assert read(tmp_path / "out.mp4").sound == read(clip).sound


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ([0, 2, 4, 6], [0, 2, 4, 6]),
        ([0, 2, 99, 6, 8], [0, 2, 6, 8]),  # the time of one is far ahead
        ([99, 2, 4], [2, 4]),
        ([0, 2, 4, 1, 6], [0, 2, 4, 6]),  # or behind
        ([0, 2, None, 6], [0, 2, 6]),
    ],
)
def test_a_time_that_is_wrong_is_told_from_those_that_are_right(times, kept):
    stream, lost = SimpleNamespace(codec_context=None), DamagedPackets()
    sound = _Sound(lost)
    packets = [SimpleNamespace(dts=time, size=1, stream=stream) for time in times]
    end = SimpleNamespace(dts=None, size=0, stream=stream)
    found = [one.dts for packet in (*packets, end) for one, _ in sound(packet)]
    assert found == [*kept, None]
    assert lost.packets == len(times) - len(kept)


def test_the_words_count():
    assert DamagedPackets().describe() == ""
    assert DamagedPackets(1).describe() == "1 broken packet of sound is left out"


@pytest.mark.parametrize("codec", ["libmp3lame", "libopus", "ac3", "flac", "pcm_s16le"])
def test_no_codec_loses_packets_that_are_whole(tmp_path, codec):
    write(tmp_path / "whole.mkv", drawn(6), sound=codec)
    assert painted(tmp_path / "whole.mkv", tmp_path / "out.mkv") == []
    assert read(tmp_path / "out.mkv").sound == read(tmp_path / "whole.mkv").sound
    assert read(tmp_path / "out.mkv").times[1] == Fraction(1, 25)
