"""Pictures in and out: formats, depth, alpha, orientation, profiles, damage, atomic writes."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms, ImageOps

from helpers import chunk
from impasto import image
from impasto.errors import ImpastoError, InputError
from impasto.image import Image as Picture
from impasto.image import color, files, load, save


def noise(shape, dtype=np.uint8, seed=0):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(dtype)


def smooth(height=12, width=17):
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 / (width - 1), y * 255 / (height - 1), 255 - x * 255 / (width - 1)]
    return np.stack(channels, axis=2).astype(np.uint8)


def file_of(img, kind="PNG", **options):
    out = io.BytesIO()
    img.save(out, kind, **options)
    return out.getvalue()


def tiff_of(array, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def png16(array, color_type, extra=b"", tail=b""):
    """An unfiltered 16-bit PNG, independent of the package's own writer."""
    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + tail
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def words(picture):
    """16-bit samples of a Picture, (H, W, C)."""
    planes = picture.rgb if picture.alpha is None else torch.cat([picture.rgb, picture.alpha], 1)
    return (planes[0].permute(1, 2, 0).double() * 65535).round().numpy().astype(np.uint16)


def profile(swap=True, gamma=2.2, space=b"RGB "):
    """A minimal ICC v2 profile of curves and a matrix; `swap` exchanges red's and blue's tags."""

    def xyz(*values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    first, last = (b"b", b"r") if swap else (b"r", b"b")
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        first + b"XYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        last + b"XYZ": xyz(0.1431, 0.0606, 0.7142),
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    if space == b"GRAY":
        tags = {b"desc": tags[b"desc"], b"wtpt": tags[b"wtpt"], b"kTRC": curve}
    table, data, offset = b"", b"", 132 + 12 * len(tags)
    for name, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, offset + len(data), len(body))
        data += padded
    size = offset + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def input_error(source, *, match=None, **options):
    with pytest.raises(InputError, match=match) as caught:
        load(source, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


# --- Reading: modes and depths ---


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_reads_rgb_exactly(kind):
    pixels = noise((9, 7, 3))
    picture = load(
        file_of(Image.fromarray(pixels), kind, **({"lossless": True} if kind == "WEBP" else {}))
    )
    assert picture.rgb.shape == (1, 3, 9, 7)
    assert picture.rgb.dtype == torch.float32
    assert picture.rgb.is_contiguous()
    assert picture.alpha is None
    assert picture.note == ""
    assert (picture.height, picture.width, picture.size) == (9, 7, (7, 9))
    np.testing.assert_array_equal(picture.numpy(), pixels)


def test_reads_jpeg_as_pillow_does():
    data = file_of(Image.fromarray(smooth()), "JPEG", quality=90)
    np.testing.assert_array_equal(load(data).numpy(), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_reads_every_mode(mode):
    base = Image.fromarray(noise((8, 6, 4)))
    if mode == "LAB":
        grey = Image.new("LAB", (6, 8), (128, 128, 128))  # L = 50 %, a = b = 0
        picture = load(file_of(grey, "TIFF"))
        np.testing.assert_allclose(picture.numpy(), 119, atol=2)
        return
    img = (base if mode in ("RGBA", "LA") else base.convert("RGB")).convert(mode)
    # Pillow 12 cannot read the YCbCr that it writes without compression
    tiff = {"kind": "TIFF", "compression": "tiff_lzw"} if mode in ("CMYK", "YCbCr") else {}
    picture = load(file_of(img, **{"kind": "PNG", **tiff}))
    expected = np.asarray(img.convert("RGBA" if picture.alpha is not None else "RGB"))
    np.testing.assert_allclose(picture.numpy().astype(int), expected, atol=2 * (mode == "YCbCr"))
    assert (picture.alpha is not None) == (mode in ("RGBA", "LA"))
    assert ("CMYK" in picture.note) == (mode == "CMYK")


def test_palette_and_color_key_transparency():
    pal = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    pal.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture = load(file_of(pal, transparency=bytes([0, 128, 255])))
    np.testing.assert_array_equal(
        picture.numpy(), [[[255, 0, 0, 0], [0, 255, 0, 128], [0, 0, 255, 255]]]
    )
    keyed = load(file_of(pal.convert("RGB"), transparency=(0, 255, 0)))
    np.testing.assert_array_equal(keyed.numpy()[0, :, 3], [255, 0, 255])
    gif = load(file_of(pal, "GIF", transparency=1))
    np.testing.assert_array_equal(gif.numpy()[0, :, 3], [255, 0, 255])


def test_opaque_alpha_is_none():
    pixels = noise((4, 4, 4))
    pixels[..., 3] = 255
    assert load(file_of(Image.fromarray(pixels))).alpha is None
    assert load(png16(np.full((2, 2, 4), 65535, np.uint16), 6)).alpha is None


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits_keeps_all_of_them(color_type, channels):
    a = noise((11, 7, channels), np.uint16)
    got = words(load(png16(a, color_type)))
    if channels < 3:
        a = np.concatenate([np.repeat(a[..., :1], 3, axis=2), a[..., 1:]], axis=2)
    np.testing.assert_array_equal(got, a)


def test_png_of_16_bits_color_key():
    a = noise((2, 3, 3), np.uint16)
    key = chunk(b"tRNS", a[1, 2].astype(">u2").tobytes())
    alpha = load(png16(a, 2, extra=key)).alpha
    assert alpha is not None
    assert alpha[0, 0].tolist() == [[1, 1, 1], [1, 1, 0]]
    grey = load(png16(a[..., :1], 0, extra=chunk(b"tRNS", a[1, 2, :1].astype(">u2").tobytes())))
    assert grey.alpha is not None
    assert grey.alpha[0, 0].tolist() == [[1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzma"},  # by way of Pillow's libtiff, as LZW is
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "zlib"},
        {"byteorder": ">", "compression": "lzma"},
        {"tile": (16, 16)},
        {"planarconfig": "separate"},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [3, 4])
def test_tiff_of_16_bits_keeps_all_of_them(options, channels):
    a = noise((21, 18, channels), np.uint16)
    data = np.moveaxis(a, -1, 0) if "planarconfig" in options else a
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    picture = load(tiff_of(data, photometric="rgb", **extra, **options))
    assert picture.note == ""
    np.testing.assert_array_equal(words(picture), a)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}], ids=str)
def test_grey_tiff_of_16_bits_keeps_all_of_them(options):
    a = noise((21, 18, 1), np.uint16)
    picture = load(tiff_of(a[..., 0], photometric="minisblack", **options))
    np.testing.assert_array_equal(words(picture), np.repeat(a, 3, axis=2))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", None])
def test_tiff_lzw_grey_of_16_bits(compression):
    a = noise((5, 6), np.uint16)
    data = file_of(
        Image.fromarray(a), "TIFF", **({"compression": compression} if compression else {})
    )
    np.testing.assert_array_equal(words(load(data))[..., 0], a)


def test_tiff_of_12_bits():
    tags = [
        (256, 2),
        (257, 1),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 200),
        (277, 1),
        (278, 1),
        (279, 3),
    ]
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = (b"II*\0\x08\0\0\0" + directory + bytes(4)).ljust(200, b"\0") + b"\x80\x0f\xff"
    got = load(data).rgb[0, 0, 0]
    torch.testing.assert_close(got, torch.tensor([0x800 / 4095, 1.0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
def test_tiff_white_is_zero(compression):
    a = noise((5, 6), np.uint16)
    got = words(load(tiff_of(a, photometric="miniswhite", compression=compression)))
    np.testing.assert_array_equal(got[..., 0], 65535 - a)


@pytest.mark.parametrize("compression", [None, "lzma"])
def test_tiff_premultiplied_alpha(compression):
    a = np.array([[[10000, 20000, 30000, 32768], [5, 5, 5, 0]]], np.uint16)
    data = tiff_of(a, photometric="rgb", extrasamples=["assocalpha"], compression=compression)
    got = words(load(data))
    np.testing.assert_allclose(got[0, 0].astype(int), [19999, 39999, 59998, 32768], atol=1)
    assert got[0, 1, 3] == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_tiff_is_clipped(dtype):
    a = np.array([[[0.25, 0.5, 1.0], [-1.0, 2.0, np.nan]]], dtype)
    picture = load(tiff_of(a, photometric="rgb"))
    assert picture.rgb[0, :, 0].T.tolist() == [[0.25, 0.5, 1], [0, 1, 0]]
    assert "clipped" in picture.note
    within = load(tiff_of(np.full((2, 2), 0.25, dtype), photometric="minisblack"))
    assert within.note == ""
    assert torch.equal(within.rgb, torch.full((1, 3, 2, 2), 0.25))


def test_tiff_of_32_bits():
    a = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    got = load(tiff_of(a, photometric="minisblack")).rgb[0, 0, 0]
    torch.testing.assert_close(got, torch.tensor([0, 0.5, 1]))


def test_animations_and_pages_give_the_first_frame():
    frames = [Image.fromarray(np.full((4, 5, 3), v, np.uint8)) for v in (10, 120, 250)]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = file_of(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        picture = load(data)
        assert picture.note == "animated: first frame of 3 taken"
        assert set(np.unique(picture.numpy())) == {10}
    data = file_of(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert load(data).note == "several pages: first of 3 taken"
    deep = tiff_of(noise((3, 4, 5), np.uint16), photometric="minisblack")
    assert load(deep).note == "several pages: first of 3 taken"


def test_several_jpegs_in_one_are_no_animation():
    a, b = (Image.fromarray(np.full((4, 5, 3), v, np.uint8)) for v in (10, 120))
    assert load(file_of(a, "MPO", save_all=True, append_images=[b])).note == ""


def test_one_pixel():
    picture = load(file_of(Image.new("RGB", (1, 1), (1, 2, 3))))
    assert picture.numpy().tolist() == [[[1, 2, 3]]]


# --- Orientation ---


# every one in one format, and in the others the one whose turn and mirroring both show
TURNS = [*(("PNG", n) for n in range(1, 9)), ("JPEG", 6), ("WEBP", 6), ("TIFF", 7)]


@pytest.mark.parametrize(("kind", "orientation"), TURNS)
def test_orientation_of_8_bits(kind, orientation):
    img = Image.fromarray(smooth())
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_of(img, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    np.testing.assert_array_equal(load(data).numpy(), np.asarray(expected))
    if kind != "JPEG":  # against Pillow's own turning of the source as well
        source = img.copy()
        source.getexif()[0x0112] = orientation
        np.testing.assert_array_equal(load(data).numpy(), ImageOps.exif_transpose(source))


@pytest.mark.parametrize(
    ("where", "orientation"),
    [*(("png", n) for n in range(1, 9)), ("tiff", 5), ("tiff", 6), ("tiff in lzma", 7)],
)
def test_orientation_of_16_bits(where, orientation):
    a = noise((4, 6, 4), np.uint16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    if where == "png":  # behind the pixels, where PNG allows it
        data = png16(a, 6, tail=chunk(b"eXIf", exif.tobytes()[6:]))
    else:
        data = tiff_of(
            a,
            photometric="rgb",
            extrasamples=["unassalpha"],
            compression="lzma" if "lzma" in where else None,
            extratags=[(274, 3, 1, orientation, True)],
        )
    turned = []
    for plane in range(4):
        source = Image.fromarray(a[..., plane].astype(np.int32))
        source.getexif()[0x0112] = orientation
        turned.append(np.asarray(ImageOps.exif_transpose(source)))
    np.testing.assert_array_equal(words(load(data)), np.stack(turned, axis=2))


def test_damaged_exif_is_ignored():
    data = file_of(Image.fromarray(smooth()), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff junk")
    assert load(data).size == (17, 12)


# --- Colour profiles ---


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


def table_profile(space, grid):
    """A profile of one A2B table to CIELAB, with two grid points a channel."""
    inks = len(space.strip())
    identity = bytes(range(256))
    body = b"mft1\0\0\0\0" + bytes([inks, 3, 2, 0])
    body += struct.pack(">9i", *(65536 * (i in (0, 4, 8)) for i in range(9)))
    body += identity * inks + bytes(v for node in grid for v in node) + identity * 3
    data = body + bytes(-len(body) % 4)
    header = struct.pack(">I4sI4s4s4s", 144 + len(data), b"", 0x02400000, b"prtr", space, b"Lab ")
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(body)) + data


def cmyk_profile():
    grid = []
    for i in range(16):
        c, m, y, k = (i >> shift & 1 for shift in (3, 2, 1, 0))
        light = 0 if k else 255 - 80 * (c + m + y)
        grid.append((light, 128 + 60 * (m - c) * (1 - k), 128))
    return table_profile(b"CMYK", grid)


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


# --- Writing ---


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("name", "depth"), [("a.png", 8), ("a.tif", 8), ("a.webp", 8), ("a.png", 16), ("a.TIFF", 16)]
)
def test_round_trips_are_exact(tmp_path, name, depth, channels):
    a = noise((13, 6, channels), np.uint8 if depth == 8 else np.uint16)
    save(Picture.from_numpy(a), tmp_path / name, depth=depth, quality=100)
    back = load(tmp_path / name)
    np.testing.assert_array_equal(back.numpy() if depth == 8 else words(back), a)
    assert back.note == ""
    assert not Image.open(tmp_path / name).getexif().get(0x0112)


def test_16_bit_png_is_sound_for_pillow(tmp_path):
    a = smooth(40, 50).astype(np.uint16) * 257
    save(Picture.from_numpy(a), tmp_path / "a.png", depth=16)
    with Image.open(tmp_path / "a.png") as img:
        img.verify()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), smooth(40, 50))
    assert (tmp_path / "a.png").stat().st_size < a.nbytes / 2  # the filters work


def test_equal_pictures_are_equal_files(tmp_path):
    for name in ("a.png", "b.png"):
        save(torch.full((3, 4, 4), 0.5), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_jpeg_lays_alpha_on_white(tmp_path):
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, 8:, 3] = 255
    Picture.from_numpy(pixels).save(tmp_path / "a.jpg")
    got = load(tmp_path / "a.jpg")
    assert got.alpha is None
    assert got.numpy()[:, :7].min() > 245
    assert got.numpy()[:, 9:].max() < 10


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_save_takes_tensors(tmp_path, shape, dtype):
    tensor = torch.full(shape, 0.5, dtype=dtype, requires_grad=True)
    save(tensor, tmp_path / "a.png")
    assert load(tmp_path / "a.png").numpy().tolist() == np.full((4, 5, 3), 128).tolist()


def test_values_are_clipped_and_rounded(tmp_path):
    values = torch.tensor([-1.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.2]).expand(3, 1, 5)
    save(values, tmp_path / "a.png")
    assert load(tmp_path / "a.png").numpy()[0, :, 0].tolist() == [0, 0, 1, 255, 255]


def test_quality_matters(tmp_path):
    picture = Picture.from_numpy(noise((64, 64, 3)))
    for suffix in ("jpg", "webp"):
        for quality in (20, 95):
            save(picture, tmp_path / f"{quality}.{suffix}", quality=quality)
        sizes = [(tmp_path / f"{quality}.{suffix}").stat().st_size for quality in (20, 95)]
        assert sizes[0] * 2 < sizes[1]


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("a.xyz", {}, r"\.xyz.*\.png, \.jpg"),
        ("a", {}, r"no ending.*\.png"),
        ("a.png", {"format": "heic"}, "heic.*png"),
        ("a.jpg", {"depth": 16}, "16 bits.*png"),
        ("a.webp", {"depth": 16}, "16 bits.*tif"),
        ("a.png", {"depth": 12}, "8 or 16"),
        ("a.jpg", {"quality": 0}, "1 to 100"),
        ("a.jpg", {"quality": 95.5}, "1 to 100"),
        ("missing/a.png", {}, "missing.*create"),
        ("folder.png", {}, "is a folder"),
        ("a\0.png", {}, "name"),
        ("x" * 300 + ".png", {}, "too long"),
    ],
)
def test_save_refuses_in_words(tmp_path, name, options, match):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=match) as caught:
        save(torch.zeros(3, 2, 2), f"{tmp_path}/{name}", **options)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["folder.png"]


@pytest.mark.parametrize(
    ("kind", "shape"), [("webp", (1, 16384)), ("jpg", (65501, 1))], ids=["webp", "jpeg"]
)
def test_too_long_a_side_for_the_format(tmp_path, kind, shape):
    with pytest.raises(InputError, match="at most"):
        save(torch.zeros(3, *shape), tmp_path / f"a.{kind}")


@pytest.mark.parametrize(
    "bad",
    [
        torch.full((3, 2, 2), torch.nan),
        torch.full((3, 2, 2), torch.inf),
        torch.zeros(2, 3, 4, 4),
        torch.zeros(4, 4),
        torch.zeros(1, 2, 2),
        torch.zeros(3, 0, 2),
        torch.zeros(3, 2, 2, dtype=torch.uint8),
        "not a picture",
    ],
)
def test_save_refuses_bad_tensors(tmp_path, bad):
    with pytest.raises(ImpastoError):
        save(bad, tmp_path / "a.png")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", ["open", "replace"])
def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch, failure, at):
    (tmp_path / "a.png").write_bytes(b"old")
    real_open = open

    def failing_open(path, mode):
        file = real_open(path, mode)
        file.write(b"half")

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *exc):
                file.close()

            def write(self, data):
                raise failure

        return Full()

    def failing_replace(*args):
        raise failure

    if at == "open":
        monkeypatch.setattr(files, "open", failing_open, raising=False)
    else:
        monkeypatch.setattr(files.os, "replace", failing_replace)
    expected = InputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        save(torch.zeros(3, 2, 2), tmp_path / "a.png")
    monkeypatch.undo()
    if expected is InputError:
        assert "disk is full" in str(caught.value)
    assert os.listdir(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_follow_the_umask_and_the_old_file(tmp_path):
    before = os.umask(0o022)
    try:
        save(torch.zeros(3, 2, 2), tmp_path / "a.png")
        assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o644
        (tmp_path / "a.png").chmod(0o600)
        save(torch.zeros(3, 2, 2), tmp_path / "a.png")
        assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "deep" / "real.png")
    for value in (0.0, 1.0):  # first a dangling link, then a sound one
        save(torch.full((3, 2, 2), value), tmp_path / "link.png")
        assert (tmp_path / "link.png").is_symlink()
        assert load(tmp_path / "deep" / "real.png").rgb.mean() == value


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX devices")
def test_a_device_is_written_to_and_not_replaced():
    save(torch.zeros(3, 2, 2), os.devnull, format="png")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_permissions_are_respected(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    (tmp_path / "a.png").chmod(0o400)
    with pytest.raises(InputError, match="protected"):
        save(torch.zeros(3, 2, 2), tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    input_error(tmp_path / "a.png", match="may not be read")


def test_write_protected_and_unreadable_by_what_the_system_says(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")
    monkeypatch.setattr(files.os, "access", lambda *a: False)
    with pytest.raises(InputError, match="protected"):
        save(torch.zeros(3, 2, 2), tmp_path / "a.png")

    def refuse(*args):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, "open", refuse, raising=False)
    input_error(tmp_path / "a.png", match=r"a\.png may not be read")


def test_check_target(tmp_path):
    image.check_target(tmp_path / "a.png", depth=16)
    image.check_target("-")
    for name, options in (("a.xyz", {}), ("no/a.png", {}), ("a.jpg", {"depth": 16})):
        with pytest.raises(InputError):
            image.check_target(tmp_path / name, **options)
    assert os.listdir(tmp_path) == []


# --- Streams ---


class Pipe:
    """Standard input or output with the given buffer."""

    def __init__(self, buffer):
        self.buffer = buffer

    def isatty(self):
        return False


def test_standard_streams(monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Pipe(out))
    save(torch.full((3, 2, 2), 1.0), "-")
    assert out.getvalue().startswith(b"\x89PNG")
    monkeypatch.setattr(sys, "stdin", Pipe(io.BytesIO(out.getvalue())))
    assert load("-").rgb.min() == 1
    input_error("-", match="standard input is empty")
    monkeypatch.setattr(sys, "stdin", None)
    input_error("-", match="standard input")


def test_a_terminal_gets_no_picture(monkeypatch):
    terminal = Pipe(io.BytesIO())
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(InputError, match="redirect"):
        save(torch.zeros(3, 2, 2), "-")


def test_a_reader_that_has_gone(monkeypatch):
    class Gone(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Pipe(Gone()))
    with pytest.raises(InputError, match="reader has gone"):
        save(torch.zeros(3, 2, 2), "-")


def test_open_files_stay_open(tmp_path):
    with open(tmp_path / "a.jpg", "w+b") as file:
        save(torch.full((3, 8, 8), 1.0), file)
        file.seek(0)
        assert file.read(3) == b"\xff\xd8\xff"  # by its name
        file.seek(0)
        assert load(file).size == (8, 8)
        assert not file.closed
    input_error(file, match="closed")
    with open(tmp_path / "t.txt", "w+") as text:
        with pytest.raises(InputError, match="'wb'"):
            save(torch.zeros(3, 2, 2), text)
        input_error(text, match="'rb'")
    out = io.BytesIO()
    save(torch.zeros(3, 2, 2), out, format="WebP")
    assert out.getvalue()[8:12] == b"WEBP"


def test_a_stream_that_gives_little_at_a_time():
    data = file_of(Image.fromarray(noise((60, 60, 3))))

    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1000))

    assert load(Slow(data)).size == (60, 60)


def test_no_file_stays_open(tmp_path, recwarn):
    save(torch.zeros(3, 4, 4), tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    warnings.simplefilter("always", ResourceWarning)
    load(tmp_path / "a.png")
    with pytest.raises(InputError):
        load(tmp_path / "bad.png")
    if os.path.isdir("/proc/self/fd"):
        held = [os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")]
        assert not [path for path in held if path.startswith(str(tmp_path))]
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


# --- Bad input ---


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "empty"),
        (b"hello, this is no picture\n", "text, not a picture"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'></svg>", "SVG.*PNG"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        (b"\0\0\0\x14ftypheic\0\0\0\0mif1", "HEI[CF]"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42", "video"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"8BPS\0\1", "Photoshop"),
        (b"PK\x03\x04....", "archive"),
        (bytes(5000), "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "PNG file"),
        (b"\xff\xd8\xff", "JPEG file"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WEBP file"),
        (b"II*\0\x08\0\0\0", "TIFF file"),
        (b"BM is how a word may begin", "text, not a picture"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "BMP file"),
        (b"P6 9 9 255\n", "PPM file"),
        (b"\0\0\2" + bytes(9) + b"\x09\0\x09\0\x18\0", "TGA file"),
        (b"\0\0\1\0\1\0\x10\x10" + bytes(40), "not a picture"),  # an icon
        (b"GIF89a", "GIF file"),
    ],
)
def test_what_is_not_a_picture_is_named(tmp_path, data, match):
    (tmp_path / "a.jpg").write_bytes(data)
    assert "a.jpg" in input_error(tmp_path / "a.jpg", match=match)
    input_error(data)
    input_error(io.BytesIO(data))


def test_missing_files_and_folders(tmp_path):
    input_error(tmp_path / "no.png", match=r"no\.png does not exist")
    input_error(tmp_path, match="is a folder")
    input_error("", match="does not exist")
    input_error("a\0b.png", match="cannot open")
    input_error("https://example.org/a.png", match="download")
    with pytest.raises(InputError, match="int"):
        load(5)


def test_too_many_pixels_are_refused_by_the_header():
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    input_error(bomb, match="limit of 200000000")
    small = file_of(Image.fromarray(noise((20, 20, 3))))
    input_error(small, match="20 x 20.*limit of 399", max_pixels=399)
    assert load(small, max_pixels=400).size == (20, 20)
    deep = tiff_of(noise((20, 20), np.uint16), photometric="minisblack")
    input_error(deep, match="20 x 20", max_pixels=399)
    gif = file_of(Image.new("P", (300, 300)), "GIF")
    input_error(gif, match="pixels", max_pixels=100)


def test_our_limit_takes_the_place_of_pillows_and_goes_again(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    data = file_of(Image.fromarray(noise((20, 20, 3))))
    assert load(data).size == (20, 20)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_deflated_tiff_that_swells_is_refused():
    data = bytearray(
        tiff_of(np.zeros((64, 64), np.float32), photometric="minisblack", compression="zlib")
    )
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        page = file.pages.first
        count, offset = page.tags["StripByteCounts"], page.tags["StripOffsets"]
        where = [(tag.valueoffset, tag.dtype) for tag in (count, offset)]
    bomb = zlib.compress(bytes(10**6))
    for (position, kind), value in zip(where, (len(bomb), len(data)), strict=True):
        form = "<H" if kind == 3 else "<I"
        struct.pack_into(form, data, position, value)
    input_error(bytes(data) + bomb, match="more pixel data")


def test_a_cut_short_deep_tiff_is_refused():
    for compression in (None, "zlib"):
        data = tiff_of(noise((50, 50, 3), np.uint16), photometric="rgb", compression=compression)
        input_error(data[:-500], match="TIFF")


def test_out_of_memory_is_told(monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr(image.decode, "_decode", full)
    input_error(file_of(Image.new("RGB", (2, 2))), match="memory")


def test_interrupts_pass_through(monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(image.decode, "_decode", stop)
    with pytest.raises(KeyboardInterrupt):
        load(file_of(Image.new("RGB", (2, 2))))


def specimens():
    """Small files of every kind."""
    rgb, rgba = Image.fromarray(smooth()), Image.fromarray(noise((10, 9, 4)))
    pal = rgb.quantize(16)
    exif = Image.Exif()
    exif[0x0112] = 6
    deep, icc = noise((9, 8, 3), np.uint16), profile()
    return [
        file_of(rgb, icc_profile=icc, exif=exif),
        file_of(rgba),
        file_of(pal, transparency=bytes(range(16))),
        file_of(rgb, save_all=True, append_images=[rgba.convert("RGB").resize(rgb.size)]),
        png16(deep, 2, extra=chunk(b"iCCP", b"x\0\0" + zlib.compress(icc))),
        png16(noise((5, 5, 2), np.uint16), 4),
        file_of(rgb, "JPEG", icc_profile=icc, exif=exif),
        file_of(rgb, "JPEG", progressive=True),
        file_of(rgb.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        file_of(rgba, "WEBP", icc_profile=icc, lossless=True),
        file_of(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)]),
        file_of(rgb, "TIFF", compression="tiff_lzw", icc_profile=icc),
        file_of(rgba, "TIFF"),
        tiff_of(deep, photometric="rgb", iccprofile=icc),
        tiff_of(deep, photometric="rgb", compression="zlib", predictor=True),
        tiff_of(deep, photometric="rgb", compression="lzma"),
        tiff_of(deep.astype(np.float32) / 65535, photometric="rgb", compression="zlib"),
        file_of(rgb, "BMP"),
        file_of(pal, "GIF", transparency=0),
        file_of(pal, "GIF", save_all=True, append_images=[pal.rotate(180)]),
    ]


def damaged(data, seed):
    """The file cut short, with bits turned in its headers and anywhere, and with noise in it."""
    random = np.random.default_rng(seed)
    yield data[: int(random.integers(0, len(data)))]
    for count, end in ((5, min(len(data), 300)), (9, len(data))):
        a = bytearray(data)
        for _ in range(count):
            a[int(random.integers(0, end))] ^= 1 << int(random.integers(0, 8))
        yield bytes(a)
    yield data[:8] + random.bytes(32) + data[40:]
    yield data[:12] + random.bytes(200)


@pytest.mark.parametrize(
    ("number", "data"), [pytest.param(n, data, id=str(n)) for n, data in enumerate(specimens())]
)
def test_damaged_files_load_or_are_refused_in_one_line(number, data, capfd):
    messages = []
    assert load(data).note in ("", "animated: first frame of 2 taken")
    for broken in damaged(data, number):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing may leak
            try:
                picture = load(broken, max_pixels=1_000_000)
            except InputError as error:
                messages.append(str(error))
            else:
                assert bool(((picture.rgb >= 0) & (picture.rgb <= 1)).all())
    assert messages  # at least one of them is refused
    assert all(message.isprintable() for message in messages)  # and so in one line
    assert capfd.readouterr() == ("", "")


def test_loads_in_threads():
    data = [d for d in specimens() for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(load, data))
    for picture, one in zip(together, data, strict=True):
        assert torch.equal(picture.rgb, load(one).rgb)


# --- The Picture itself ---


def test_pillow_and_numpy_there_and_back():
    pixels = noise((5, 6, 4))
    picture = Picture.from_pil(Image.fromarray(pixels))
    assert picture.pil().mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(picture.pil()), pixels)
    np.testing.assert_array_equal(Picture.from_numpy(pixels).numpy(), pixels)
    rgb = Picture.from_numpy(pixels[..., :3])
    assert rgb.pil().mode == "RGB"
    assert load(rgb._repr_png_()).size == (6, 5)


def test_from_pil_applies_orientation_and_profile_and_reads_deep_modes():
    exif = Image.Exif()
    exif[0x0112] = 6
    img = Image.open(
        io.BytesIO(file_of(Image.fromarray(smooth()), exif=exif, icc_profile=profile()))
    )
    picture = Picture.from_pil(img)
    assert picture.size == (12, 17)
    a = noise((3, 3), np.uint16)
    np.testing.assert_array_equal(words(Picture.from_pil(Image.fromarray(a)))[..., 0], a)
    halves = Picture.from_pil(Image.fromarray(np.full((2, 2), 0.5, np.float32)))
    assert halves.rgb.unique().tolist() == [0.5]
    with pytest.raises(InputError):
        Picture.from_pil(Image.open(io.BytesIO(file_of(Image.fromarray(noise((90, 90, 3))))[:300])))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[True, False]]), [1.0, 0.0]),
        (np.array([[0, 255]], np.uint8), [0.0, 1.0]),
        (np.array([[[0], [65535]]], np.uint16), [0.0, 1.0]),
        (np.array([[0.25, 7.0]]), [0.25, 1.0]),
    ],
)
def test_from_numpy_takes_grey_of_any_type(array, expected):
    picture = Picture.from_numpy(array)
    assert picture.rgb[0, :, 0].tolist() == [expected] * 3


def test_from_numpy_copies():
    array = np.ones((2, 2, 3), np.float32)
    picture = Picture.from_numpy(array)
    array[:] = 0
    assert picture.rgb.min() == 1


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3),
        np.zeros((2, 2, 5)),
        np.zeros((0, 2)),
        np.array([[np.nan]]),
        np.zeros((2, 2), int),
    ],
)
def test_from_numpy_refuses_the_rest(array):
    with pytest.raises(InputError):
        Picture.from_numpy(array)


def test_picture_checks_its_shapes():
    with pytest.raises(InputError):
        Picture(torch.zeros(3, 2, 2))
    with pytest.raises(InputError, match="alpha"):
        Picture(torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 3, 2))


def test_resized():
    flat = Picture(torch.full((1, 3, 30, 40), 0.3), note="kept")
    small = flat.resized(7, 9)
    assert small.size == (9, 7)
    assert small.note == "kept"
    torch.testing.assert_close(small.rgb, torch.full((1, 3, 7, 9), 0.3))
    assert flat.resized(30, 40) is flat
    stripes = Picture((torch.arange(64) % 2).float().expand(1, 3, 64, 64))
    inner = stripes.resized(8, 8).rgb[..., 1:-1]  # no moiré: it becomes grey
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5), atol=0.02, rtol=0)
    big = stripes.resized(100, 100).rgb
    assert 0 <= big.min() <= big.max() <= 1
    with pytest.raises(InputError):
        flat.resized(0, 5)


def test_resized_keeps_hidden_colors_out():
    rgb, alpha = torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    rgb[..., :8], alpha[..., :8] = 1, 1  # white where it shows, black where it hides
    small = Picture(rgb, alpha).resized(5, 5)
    assert small.alpha is not None
    shown = small.rgb[(small.alpha > 0.02).expand_as(small.rgb)]
    assert shown.min() > 0.99
