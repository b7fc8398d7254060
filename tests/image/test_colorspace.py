"""Colours that a PNG names by numbers: cICP, gAMA, cHRM; integers that fill a part of a TIFF."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from helpers import chunk
from impasto.image import Image as Picture
from impasto.image import colorspace, hdr, load, save

# RGB of Display P3 and of BT.2020 to sRGB in linear light, as published (CSS Color 4; BT.2087)
P3 = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
BT2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
COLOUR = np.array([0.4, 0.5, 0.45])  # linear light, within sRGB for all of them


def gama(value):
    return chunk(b"gAMA", struct.pack(">I", round(value * 100000)))


def chrm(*points):
    return chunk(b"cHRM", struct.pack(">8I", *(round(p * 100000) for p in points)))


def png(pixels, *chunks, **options):
    """A PNG of 8 bits with more chunks after its header."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **options)
    data = out.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def png16(shares, *chunks):
    """One row of 16 bits, of shares (W, 3) of the whole range."""
    values = np.rint(np.asarray(shares, np.float64) * 65535).astype(">u2")
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", len(values), 1, 16, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" + values.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body + chunk(b"IEND", b"")


def encoded(linear):
    """sRGB, written anew."""
    return np.array(
        [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]
    )


def row(picture):
    return picture.rgb[0, :, 0].T.double().numpy()


def grey(*values):
    return np.array([values], np.uint8)


# --- gAMA, cHRM and sRGB ---


def test_linear_light_becomes_srgb():
    picture = load(png(grey(0, 64, 128, 255), gama(1)))
    np.testing.assert_allclose(
        row(picture)[:, 0], encoded(np.array([0, 64, 128, 255]) / 255), atol=1e-6
    )
    assert picture.note == ""


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (gama(0.45455),),
        (gama(0.45455), chrm(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)),
        (chunk(b"sRGB", b"\0"), gama(1)),
        (chunk(b"cICP", bytes((1, 13, 0, 1))), gama(1)),
    ],
)
def test_what_says_srgb_stays_to_the_bit(chunks):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    picture = load(png(pixels, *chunks))
    assert torch.equal(picture.rgb, Picture.from_numpy(pixels).rgb)
    assert picture.note == ""


def test_primaries_of_a_wide_space():
    points = chrm(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    picture = load(png16([COLOUR, [1, 1, 1]], gama(1), points))
    np.testing.assert_allclose(row(picture)[0], encoded(P3 @ COLOUR), atol=2e-4)
    np.testing.assert_allclose(row(picture)[1], 1, atol=1e-4)


def test_another_white_becomes_white():
    points = chrm(0.3457, 0.3585, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # D50
    picture = load(png(np.array([[[255, 255, 255], [200, 100, 50]]], np.uint8), points))
    np.testing.assert_allclose(row(picture)[0], 1, atol=1e-4)
    assert np.abs(row(picture)[1] * 255 - [200, 100, 50]).max() > 1


def test_palettes_and_alpha():
    image = Image.fromarray(np.full((2, 2, 3), 128, np.uint8)).quantize(2)
    out = io.BytesIO()
    image.save(out, "PNG", gamma=None)
    data = out.getvalue()
    got = load(data[:33] + gama(1) + data[33:])
    np.testing.assert_allclose(row(got), encoded([128 / 255])[0], atol=1e-6)
    both = np.full((2, 2, 4), 128, np.uint8)
    got = load(png(both, gama(1)))
    np.testing.assert_allclose(row(got), encoded([128 / 255])[0], atol=1e-6)
    assert got.alpha is not None
    assert float(got.alpha[0, 0, 0, 0]) == pytest.approx(128 / 255)  # of alpha there is no gamma


@pytest.mark.parametrize(
    "chunks",
    [
        (gama(0),),
        (chrm(0.3127, 0, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06),),
        (chrm(0.3127, 0.329, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3),),
    ],
)
def test_broken_numbers_are_ignored_with_a_note(chunks):
    picture = load(png(grey(10, 20), *chunks))
    assert picture.numpy()[0, :, 0].tolist() == [10, 20]
    # Pillow drops a white without lightness by itself
    assert picture.note in (colorspace.BROKEN, "")


def test_pillow_images_have_their_gamma_too():
    image = Image.open(io.BytesIO(png(grey(64), gama(1))))
    assert float(Picture.from_pil(image).rgb[0, 0, 0, 0]) == pytest.approx(
        encoded([64 / 255])[0], abs=1e-6
    )


# --- cICP ---


def cicp(*code):
    return chunk(b"cICP", bytes(code))


@pytest.mark.parametrize(("primaries", "matrix"), [(12, P3), (9, BT2020)])
def test_code_points_of_primaries(primaries, matrix):
    picture = load(png16([COLOUR], cicp(primaries, 8, 0, 1)))
    np.testing.assert_allclose(row(picture)[0], encoded(matrix @ COLOUR), atol=2e-4)


@pytest.mark.parametrize(
    ("transfer", "light"), [(1, 0.5**2.4), (4, 0.5**2.2), (5, 0.5**2.8), (8, 0.5)]
)
def test_code_points_of_curves(transfer, light):
    picture = load(png16([[0.5] * 3], cicp(1, transfer, 0, 1)))
    np.testing.assert_allclose(row(picture)[0], encoded([light])[0], atol=2e-4)


def test_narrow_range():
    picture = load(png(grey(16, 235, 0, 255), cicp(1, 13, 0, 0)))
    np.testing.assert_allclose(row(picture)[:, 0], [0, 1, 0, 1], atol=1e-6)


# code values of 0, 100 and 203 cd/m², from BT.2100 and BT.2408
@pytest.mark.parametrize(
    ("transfer", "codes", "name"),
    [(16, (0, 0.50808, 0.58069), "PQ"), (18, (0, 0.62962, 0.75), "HLG")],
)
def test_high_dynamic_range_is_tone_mapped(transfer, codes, name):
    picture = load(png16([[code] * 3 for code in (*codes, 1)], cicp(9, transfer, 0, 1)))
    dark, white = hdr.tone_curve(np.array([100.0, 203.0]), hdr.PEAK) / hdr.WHITE  # as in videos
    assert 0.45 < dark < 100 / 203
    assert 0.75 < white < 0.85
    np.testing.assert_allclose(row(picture)[:3, 0], encoded([0, dark, white]), atol=2e-3)
    np.testing.assert_allclose(row(picture)[3, 0], 1, atol=2e-3)  # the brightest there is
    assert picture.note == f"high dynamic range ({name}) was tone-mapped to sRGB"


def test_tone_mapping_keeps_order_and_hue():
    light = np.array([[0.3, 0.12, 0.06], [1, 0.4, 0.2], [4, 1.6, 0.8]], np.float32)
    mapped = colorspace._compressed(light)
    np.testing.assert_allclose(mapped[0], light[0], rtol=1e-6)
    assert (mapped <= 1).all()
    assert (np.diff(mapped[:, 0]) > 0).all()
    np.testing.assert_allclose(mapped[:, 1] / mapped[:, 0], 0.4, rtol=1e-5)


def test_cicp_counts_before_a_profile():
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = load(png(grey(128), cicp(1, 8, 0, 1), icc_profile=icc))
    assert float(picture.rgb[0, 0, 0, 0]) == pytest.approx(encoded([128 / 255])[0], abs=1e-6)


@pytest.mark.parametrize("code", [(200, 13, 0, 1), (1, 200, 0, 1), (1, 13, 1, 1), (1, 13)])
def test_unknown_code_points_are_ignored_with_a_note(code):
    picture = load(png(grey(10, 20), cicp(*code)))
    assert picture.numpy()[0, :, 0].tolist() == [10, 20]
    assert picture.note == colorspace.UNKNOWN


# --- Integers in TIFF ---


def tiff(array, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def tag(value, channels=1):
    return {"extratags": [(281, "H", channels, (value,) * channels, True)]}


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.int32])
def test_integers_are_scaled_by_the_bits_they_hold(bits, dtype):
    top = 2**bits - 1
    picture = load(tiff(np.array([[0, top // 3, top - 2]], dtype), photometric="minisblack"))
    wanted = np.array([0, top // 3, top - 2]) / top
    np.testing.assert_allclose(row(picture)[:, 0], wanted, atol=1 / 65535)
    most = np.iinfo(dtype).max
    assert picture.note == f"its values go up to {top - 2}: {top} of {most} was taken as white"


def test_16_bits_in_32():
    picture = load(tiff(np.array([[0, 32760, 65520]], np.int32), photometric="minisblack"))
    np.testing.assert_allclose(row(picture)[:, 0], np.array([0, 32760, 65520]) / 65535, atol=1e-5)


@pytest.mark.parametrize("kind", ["L", "RGB"])
def test_12_bits_in_16_that_only_pillow_reads(kind):
    values = np.array([[0, 1000, 4000]], np.uint16)
    if kind == "L":
        out = io.BytesIO()
        Image.fromarray(values).save(out, "TIFF", compression="tiff_lzw")
        data = out.getvalue()
    else:
        data = tiff(np.repeat(values[..., None], 3, 2), photometric="rgb", compression="lzma")
    picture = load(data)
    np.testing.assert_allclose(row(picture)[:, 0], np.array([0, 1000, 4000]) / 4095, atol=1 / 65535)
    assert "4095 of 65535" in picture.note


def test_white_that_a_file_names():
    values = np.array([[0, 500, 1000]], np.uint16)
    np.testing.assert_allclose(
        row(load(tiff(values, photometric="minisblack", **tag(2000))))[:, 0],
        [0, 0.25, 0.5],
        atol=1e-4,
    )
    whole = load(tiff(values, photometric="minisblack", **tag(65535)))
    np.testing.assert_allclose(row(whole)[:, 0], np.array([0, 500, 1000]) / 65535, atol=1e-7)
    assert whole.note == ""


def test_what_uses_its_whole_range():
    values = np.array([[0, 500, 1000]], np.uint16)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wanted = np.array([0, 500, 1000]) / 65535
    managed = tiff(np.repeat(values[..., None], 3, 2), photometric="rgb", iccprofile=icc)
    np.testing.assert_allclose(row(load(managed))[:, 0], wanted, atol=1e-7)
    frame = load(tiff(values, photometric="minisblack"), full_range=True)
    np.testing.assert_allclose(row(frame)[:, 0], wanted, atol=1e-7)
    assert frame.note == ""


def test_a_dark_picture_of_ours_stays_dark(tmp_path):
    dark = Picture(torch.full((1, 3, 4, 5), 0.01))
    save(dark, tmp_path / "dark.tif", depth=16)
    assert float((load(tmp_path / "dark.tif").rgb - 0.01).abs().max()) <= 0.5 / 65535 + 1e-7


def test_black_and_negative_integers():
    assert load(tiff(np.zeros((2, 3), np.uint16), photometric="minisblack")).note == ""
    picture = load(tiff(np.array([[-5, 0, 32767]], np.int16), photometric="minisblack"))
    assert row(picture)[:, 0].tolist() == [0, 0, 1]
    assert picture.note == "negative values were taken as black"


def test_alpha_of_the_whole_range_beside_colours_of_12_bits():
    values = np.zeros((1, 2, 4), np.uint16)
    values[..., :3], values[..., 3] = 4095, (65535, 32768)
    picture = load(tiff(values, photometric="rgb", extrasamples=["unassalpha"]))
    np.testing.assert_allclose(row(picture), 1)
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha[0, 0, 0], [1, 32768 / 65535], atol=1e-6)
