"""HDR in: known code values, neutral greys, and tags that tell the truth."""

from fractions import Fraction

import av
import numpy as np
import pytest

from impasto.image import hdr
from impasto.image.hdr import BT709, BT2020, DISPLAY_P3, HLG, PQ, Hdr
from impasto.video import writer
from impasto.video.codec import Coding
from impasto.video.decoder import Video
from moving_clips import drawn, read, write

WHITE = {PQ: 0.5807, HLG: 0.75}


def encoded(path, signal, transfer, *, extra="", primaries=9, matrix=9):
    """A clip of two plain frames of one R'G'B' signal, 10 bits, lossless HEVC."""
    red, green, blue = signal
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = (blue - luma) / (2 * (1 - 0.0593)), (red - luma) / (2 * (1 - 0.2627))
    codes = 64 + 876 * luma, *(512 + 896 * one for one in chroma)
    with av.open(str(path), "w") as out:
        options = {"x265-params": f"log-level=none:lossless=1:bframes=0{extra}"}
        stream = out.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc = primaries, transfer
        context.colorspace, context.color_range = matrix, 1
        for index in range(2):
            frame = av.VideoFrame(64, 48, "yuv420p10le")
            for plane, code in zip(frame.planes, codes, strict=True):
                np.frombuffer(plane, np.uint16)[:] = round(code)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def seen(path):
    """The colour of its first frame, in [0, 1]."""
    return next(Video(path).pictures()).rgb[0, :, 20, 20].numpy()


def test_pq_is_that_of_st_2084():
    codes = np.array([0, 0.5081, 0.5807, 0.7518, 1])
    assert hdr.pq_to_nits(codes) == pytest.approx([0, 100, 203, 1000, 10000], rel=1e-3, abs=1e-6)
    assert hdr.pq_to_nits(np.array(0.58)) == pytest.approx(203, rel=0.01)
    assert hdr.nits_to_pq(hdr.pq_to_nits(codes)) == pytest.approx(codes, abs=1e-6)


def test_hlg_is_that_of_bt_2100():
    assert hdr.hlg_to_scene(np.array([0, 0.5, 1])) == pytest.approx([0, 1 / 12, 1], abs=1e-6)
    light = hdr.scene_to_nits(hdr.hlg_to_scene(np.array([[0.75] * 3, [1.0] * 3])))
    assert light == pytest.approx(np.array([[203] * 3, [1000] * 3]), rel=1e-3)


def test_the_tone_curve_keeps_what_is_dark_and_ends_at_white():
    nits = np.linspace(0, 1000, 2001)
    mapped = hdr.tone_curve(nits, 1000)
    knee = hdr.pq_to_nits(
        1.5 * hdr.nits_to_pq(np.array(203.0)) - 0.5 * hdr.nits_to_pq(np.array(1e3))
    )
    assert 80 < knee < 100
    assert np.array_equal(mapped[nits < knee], nits[nits < knee])
    assert (np.diff(mapped) > 0).all()
    assert mapped[-1] == pytest.approx(203)
    assert hdr.tone_curve(np.array([5000.0]), 1000) == pytest.approx(203)
    assert (hdr.tone_curve(nits, 150) == np.minimum(nits, 203)).all()


def test_primaries_are_converted_as_bt_2087_says():
    published = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    assert hdr.to_bt709(BT2020) == pytest.approx(np.array(published), abs=1e-4)
    assert hdr.to_bt709(BT709) == pytest.approx(np.eye(3), abs=1e-6)
    for primaries in (BT2020, DISPLAY_P3):
        assert hdr.to_bt709(primaries).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_reference_white_of_both_is_one_grey(transfer):
    """The curve has 159.0 of the 203 cd/m² left of it: (159.0 / 203)^(1 / 2.4) is 0.903."""
    pixels = np.full((3, 2, 3), round(65535 * WHITE[transfer]), np.uint16)
    assert hdr.to_sdr(pixels, Hdr(transfer), rows=2) == pytest.approx(0.9034, abs=5e-4)


def test_greys_stay_grey_and_black_and_peak_stay_at_the_ends():
    ramp = np.arange(0, 65536, 257, dtype=np.uint16).repeat(3).reshape(1, -1, 3)
    for transfer in (PQ, HLG):
        shown = hdr.to_sdr(ramp, Hdr(transfer))
        assert np.ptp(shown, axis=2).max() < 1e-3
        assert shown[0, 0] == pytest.approx(0, abs=1e-3)
        assert shown[0, -1] == pytest.approx(1, abs=1e-3)
        assert (np.diff(shown[0, :, 1]) >= 0).all()


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_clip_is_mapped_on_the_way_in_and_says_so(tmp_path, transfer):
    path = encoded(tmp_path / "hdr.mp4", [WHITE[transfer]] * 3, transfer)
    assert seen(path) == pytest.approx([0.903] * 3, abs=0.004)  # 1 of 876 codes
    (note,) = Video(path).notes
    assert ("PQ" if transfer == PQ else "HLG") in note


def test_a_colour_of_bt_709_comes_back():
    """One that is below the knee: linear light, over BT.2020 and PQ, and back."""
    linear = np.array([0.3, 0.1, 0.2], np.float32)
    nits = 203 * np.linalg.inv(hdr.to_bt709(BT2020)) @ linear
    pixels = (65535 * hdr.nits_to_pq(nits)).round().astype(np.uint16).reshape(1, 1, 3)
    assert hdr.to_sdr(pixels, Hdr(PQ))[0, 0] == pytest.approx(linear ** (1 / 2.4), abs=1e-3)


def test_the_peak_is_what_the_file_says(tmp_path):
    display = ":master-display=G(1,1)B(1,1)R(1,1)WP(1,1)L(40000000,50)"
    clips = [
        Video(encoded(tmp_path / f"{index}.mp4", [0.6] * 3, PQ, extra=extra))
        for index, extra in enumerate(("", display, f"{display}:max-cll=600,200"))
    ]
    assert [clip._hdr.peak for clip in clips] == [1000, 4000, 600]


def test_a_video_made_of_it_has_tags_of_sdr(tmp_path):
    clip = Video(encoded(tmp_path / "hdr.mp4", [0.6, 0.4, 0.5], HLG))
    grey = np.full((48, 64, 3), 128, np.uint8)
    for ending in (".mp4", ".mkv", ".webm"):
        writer.write(tmp_path / f"out{ending}", clip, (64, 48), Coding(), lambda _: grey)
        with av.open(str(tmp_path / f"out{ending}")) as file:
            frame = next(file.decode(video=0))
            tags = frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range
            assert tuple(map(int, tags)) == (1, 1, 1, 1)
        assert read(tmp_path / f"out{ending}").pixels[0] == pytest.approx(128, abs=2)


def test_sdr_stays_bit_for_bit(tmp_path):
    write(tmp_path / "sdr.mkv", drawn(2), sound=None, matrix=1)
    clip = Video(tmp_path / "sdr.mkv")
    with av.open(str(clip.path)) as file:
        plain = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert all(np.array_equal(a.numpy(), b) for a, b in zip(clip.pictures(), plain, strict=True))
    assert clip.notes == []
