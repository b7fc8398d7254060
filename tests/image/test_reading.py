"""Reading: modes, depths, transparency, orientation."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from helpers import chunk
from image_files import file_of, noise, png16, smooth, tiff_of, words
from impasto.image import load


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
