"""Random squares of all kinds of pictures."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import InputError
from impasto.image import Image as Picture
from impasto.training.crops import box, crop
from impasto.training.sources import Source


def random(seed=0):
    return np.random.default_rng(seed)


def source(crop=16, zoom=1.5, flip=False):
    return Source(("a.png",), crop, zoom, flip)


def packed(picture, kind="PNG", **options):
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def plain(color=(200, 100, 50), width=40, height=30, mode="RGB"):
    return Image.new("RGB", (width, height), color).convert(mode)


def ramp(width, height):
    """Red grows to the right, green downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("size", "zoom"),
    [
        ((100, 80), 1.0),
        ((80, 100), 1.5),
        ((17, 300), 4.0),
        ((16, 16), 4.0),
        ((5, 7), 1.5),
        ((1, 1), 1.0),
    ],
)
def test_the_square_lies_in_the_picture_and_shows_what_zoom_says(size, zoom):
    short, side = min(size), 16
    shown = []
    for seed in range(200):
        left, top, right, bottom = box(size, source(side, zoom), random(seed))
        assert right - left == bottom - top
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        shown.append(right - left)
    # the short side becomes a length in [side, zoom * side], never more than it has
    least = short if short < side else short * side / min(zoom * side, short)
    assert min(shown) == pytest.approx(least, abs=0.04 * short + 1)
    assert max(shown) == pytest.approx(short, abs=0.04 * short + 1)


def test_every_place_comes_up():
    boxes = [box((40, 20), source(16, 1.0), random(seed)) for seed in range(300)]
    assert {left for left, *_ in boxes} == set(range(21))
    assert {top for _, top, *_ in boxes} == {0}


def test_a_picture_of_the_crops_size_is_taken_as_it_is():
    picture = ramp(16, 16)
    out = crop(packed(picture), "a", source(zoom=3.0), random())
    assert torch.equal(out, torch.from_numpy(np.array(picture)).permute(2, 0, 1))


def test_half_are_mirrored():
    data = packed(ramp(16, 16))
    mirrored = [
        bool(out[0, 0, 0] > out[0, 0, -1])
        for out in (crop(data, "a", source(flip=True), random(seed)) for seed in range(100))
    ]
    assert 30 < sum(mirrored) < 70
    upright = crop(data, "a", source(flip=False), random(mirrored.index(True)))
    assert upright[0, 0, 0] < upright[0, 0, -1]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[(kind, "RGB") for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP")],
        *[("PNG", mode) for mode in ("L", "1", "P", "RGBA", "LA", "I;16")],
        *[("TIFF", "CMYK"), ("TIFF", "I;16"), ("JPEG", "L"), ("GIF", "P"), ("WEBP", "RGBA")],
    ],
)
def test_every_kind_and_mode_keeps_its_colour(kind, mode):
    picture = plain((255, 255, 255), mode="I" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.full((30, 40), 65535, np.uint16))
    out = crop(packed(picture, kind), "a", source(), random())
    assert (out.dtype, out.shape) == (torch.uint8, (3, 16, 16))
    assert out.min() >= 250


def test_colours_stay():
    for kind in ("PNG", "TIFF"):
        out = crop(packed(plain(), kind), "a", source(), random())
        assert torch.equal(
            out, torch.tensor([200, 100, 50], dtype=torch.uint8).expand(16, 16, 3).permute(2, 0, 1)
        )


def test_a_picture_with_holes():
    picture = plain(mode="RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    out = crop(packed(picture), "a", source(), random()).float()
    assert (out - torch.tensor([200.0, 100.0, 50.0])[:, None, None]).abs().max() <= 2


def test_a_picture_that_was_held_sideways_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # its rows are columns
    data = packed(ramp(16, 16), "PNG", exif=exif)
    assert torch.equal(
        crop(data, "a", source(), random()),
        torch.from_numpy(np.array(ramp(16, 16).transpose(Image.Transpose.ROTATE_270))).permute(
            2, 0, 1
        ),
    )


@pytest.fixture
def held(monkeypatch):
    """The sizes of pictures that are held as floats."""
    sizes = []
    made = Picture.from_pil.__func__
    monkeypatch.setattr(
        Picture, "from_pil", classmethod(lambda cls, p: sizes.append(p.size) or made(cls, p))
    )
    return sizes


def test_a_huge_jpeg_is_decoded_small_and_looks_the_same(held):
    data = packed(ramp(6000, 4000), "JPEG", quality=95)
    out = crop(data, "a", source(zoom=1.0), random())
    assert max(*held[0]) <= 4000 // 8
    large = packed(ramp(6000, 4000), "PNG", compress_level=1)
    same = crop(large, "a", source(zoom=1.0), random())
    assert max(*held[1]) <= 4 * 16
    assert (out.float() - same.float()).abs().mean() < 3


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "RGBA", "LA", "I;16"])
def test_large_pictures_of_every_mode_are_shrunk_before_they_are_floats(held, mode):
    picture = plain((255, 255, 255), 300, 200, mode="I" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.full((200, 300), 65535, np.uint16))
    data = packed(picture, "JPEG" if mode == "CMYK" else "PNG")
    assert crop(data, "a", source(zoom=1.0), random()).min() >= 250
    assert max(held[0]) < 64


def test_more_pixels_than_memory_is_for(monkeypatch):
    monkeypatch.setattr("impasto.training.crops._MOST_PIXELS", 1000)
    with pytest.raises(InputError, match="more than 1000 pixels"):
        crop(packed(plain()), "a.png", source(), random())


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 20_000)])
def test_a_long_strip_takes_no_more_than_its_square(held, size):
    out = crop(packed(plain(width=size[0], height=size[1])), "a", source(256), random())
    assert out.shape == (3, 256, 256)
    assert held == [(min(size), min(size))]


def test_a_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match="bomb"):
        crop(packed(plain()), "a.png", source(), random())


def test_what_is_no_picture_is_refused_in_one_line():
    sound = packed(plain(width=200, height=200, color=(1, 2, 3)), "JPEG")
    for data in (
        b"",
        b"text",
        sound[: len(sound) // 2],
        sound[:30],
        b"\x89PNG\r\n\x1a\n" + b"x" * 99,
    ):
        with pytest.raises(InputError, match=r"a\.jpg") as refused:
            crop(data, "a.jpg", source(), random())
        assert "\n" not in str(refused.value)
