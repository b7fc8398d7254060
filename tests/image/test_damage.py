"""Files that cannot be read: no image, too many pixels, damage."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from helpers import chunk
from image_files import cmyk_profile, file_of, input_error, noise, png16, profile, smooth, tiff_of
from impasto import image
from impasto.errors import InputError
from impasto.image import load


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


@pytest.mark.slow
def test_loads_in_threads():
    data = [d for d in specimens() for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(load, data))
    for picture, one in zip(together, data, strict=True):
        assert torch.equal(picture.rgb, load(one).rgb)
