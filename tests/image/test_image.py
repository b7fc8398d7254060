"""The class of images: arrays, Pillow's images, sizes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from image_files import file_of, noise, profile, smooth, words
from impasto.errors import InputError
from impasto.image import Image as Picture
from impasto.image import load


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
