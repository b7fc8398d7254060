"""Reading: colour profiles, and the curves in them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from helpers import chunk
from image_files import (
    cmyk_profile,
    file_of,
    noise,
    png16,
    profile,
    smooth,
    table_profile,
    tiff_of,
    words,
)
from impasto.image import Image as Picture
from impasto.image import color, load, save


def test_a_profile_is_applied():
    pixels = smooth()
    data = file_of(Image.fromarray(pixels), icc_profile=profile())
    got = load(data).numpy().astype(int)
    linear = (pixels[..., ::-1] / 255.0) ** 2.2  # the primaries change places
    expected = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    np.testing.assert_allclose(got, expected * 255, atol=2.5)
    assert load(data).note == ""


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_a_profile_is_applied_in_every_format(kind):
    img = Image.new("RGB", (8, 8), (200, 100, 40))
    plain = load(file_of(img, kind)).numpy()[4, 4].astype(int)
    got = load(file_of(img, kind, icc_profile=profile())).numpy()[4, 4]
    np.testing.assert_allclose(got, plain[::-1], atol=6)


@pytest.mark.parametrize(("swap", "gamma"), [(False, 1.0), (True, 1.8), (True, 2.2)])
def test_16_bit_profile_agrees_with_littlecms(swap, gamma):
    pixels, icc = smooth(), profile(swap, gamma)
    deep = pixels.astype(np.uint16) * 257
    packed = zlib.compress(icc)
    png = load(png16(deep, 2, extra=chunk(b"iCCP", b"x\0\0" + packed)))
    tif = load(tiff_of(deep, photometric="rgb", iccprofile=icc))
    eight = load(file_of(Image.fromarray(pixels), icc_profile=icc)).numpy().astype(int)
    np.testing.assert_allclose(png.numpy().astype(int), eight, atol=1)
    np.testing.assert_array_equal(png.numpy(), tif.numpy())
    assert png.note == tif.note == ""


def test_16_bit_profile_is_applied_with_16_bits():
    ramp = np.repeat(np.arange(30000, 30064, dtype=np.uint16)[None, :, None], 3, axis=2)
    picture = load(tiff_of(ramp, photometric="rgb", iccprofile=profile(gamma=1.8)))
    assert len(torch.unique(picture.rgb[0, 1])) == 64


def test_grey_profiles():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    icc = profile(gamma=1.0, space=b"GRAY")
    eight = load(file_of(Image.fromarray(pixels), icc_profile=icc))
    linear = pixels / 255.0
    expected = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    np.testing.assert_allclose(eight.numpy()[..., 0], expected * 255, atol=1.5)
    deep = load(tiff_of(pixels.astype(np.uint16) * 257, photometric="minisblack", iccprofile=icc))
    np.testing.assert_allclose(deep.numpy()[..., 0], expected * 255, atol=0.6)
    # A grey picture under an RGB profile, which many cameras write.
    assert load(file_of(Image.fromarray(pixels), icc_profile=profile())).note == ""


@pytest.mark.parametrize(
    "icc", [b"junk", profile()[:140], profile(space=b"CMYK"), profile(space=b"GRAY"), bytes(300)]
)
def test_a_broken_or_unfit_profile_is_ignored_with_a_note(icc):
    pixels = noise((4, 5, 3))
    picture = load(file_of(Image.fromarray(pixels), icc_profile=icc))
    np.testing.assert_array_equal(picture.numpy(), pixels)
    assert picture.note == color.BROKEN
    deep = pixels.astype(np.uint16) * 257
    picture = load(tiff_of(deep, photometric="rgb", iccprofile=icc))
    np.testing.assert_array_equal(words(picture), deep)
    assert picture.note == color.BROKEN


def test_a_profile_of_tables_is_applied_to_16_bits_at_8():
    icc = table_profile(b"RGB ", [(85 * i.bit_count(), 128, 128) for i in range(8)])  # all greys
    pixels = smooth()
    deep = load(tiff_of(pixels.astype(np.uint16) * 257, photometric="rgb", iccprofile=icc))
    eight = load(file_of(Image.fromarray(pixels), icc_profile=icc))
    assert deep.note == color.EIGHT_BITS
    np.testing.assert_array_equal(deep.numpy(), eight.numpy())
    assert np.ptp(deep.numpy().astype(int), axis=2).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_profiles(kind):
    img = Image.new("CMYK", (8, 8), (0, 255, 0, 0))
    with_profile = load(file_of(img, kind, icc_profile=cmyk_profile()))
    without = load(file_of(img, kind))
    assert with_profile.note == ""
    assert "without a colour profile" in without.note
    assert np.abs(with_profile.numpy().astype(int) - without.numpy()).max() > 20


def test_a_file_says_that_it_is_srgb(tmp_path):
    picture = Picture(torch.rand(1, 3, 8, 8))
    for name in ("a.png", "a.jpg", "a.webp", "a.tif"):
        save(picture, tmp_path / name)
        icc = Image.open(tmp_path / name).info["icc_profile"]
        assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    for name in ("b.png", "b.tif"):
        save(picture, tmp_path / name, depth=16)
        assert Image.open(tmp_path / name).info["icc_profile"] == color.srgb_profile()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_tone_curves(count):
    points = {0: [], 1: [512], 3: [0, 16384, 65535]}[count]
    tag = b"curv\0\0\0\0" + struct.pack(f">I{count}H", count, *points)
    x = np.linspace(0, 1, 65536)
    expected = {0: x, 1: x**2, 3: np.interp(x, [0, 0.5, 1], [0, 16384 / 65535, 1])}[count]
    np.testing.assert_allclose(color._curve(tag), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "values", "formula"),
    [
        (0, [2.0], lambda x: x**2),
        (1, [2.0, 1.25, -0.25], lambda x: np.where(x >= 0.2, (1.25 * x - 0.25) ** 2, 0)),
        (2, [2.0, 1.0, -0.25, 0.25], lambda x: np.where(x >= 0.25, (x - 0.25) ** 2 + 0.25, 0.25)),
        (3, [2.0, 1.0, 0.0, 0.25, 0.25], lambda x: np.where(x >= 0.25, x**2, 0.25 * x)),
        (
            4,
            [2.0, 0.5, 0.0, 0.25, 0.5, 0.25, 0.125],
            lambda x: np.where(x >= 0.5, (x / 2) ** 2 + 0.25, 0.25 * x + 0.125),
        ),
    ],
)
def test_parametric_curves(kind, values, formula):
    tag = b"para\0\0\0\0" + struct.pack(">HH", kind, 0)
    tag += struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))
    np.testing.assert_allclose(color._curve(tag), formula(np.linspace(0, 1, 65536)), atol=1e-6)
