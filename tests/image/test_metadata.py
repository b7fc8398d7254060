"""EXIF and dots per inch from a photo's file to the painted one, and 16 bits of a painting."""

import io

import numpy as np
import pytest
import tifffile
import torch
from PIL import ExifTags, Image

from impasto.api import stylize
from impasto.core.device import Runtime
from impasto.image import Image as Picture
from impasto.image import load
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig

BASE, IFD = ExifTags.Base, ExifTags.IFD
TAKEN = "2024:05:06 07:08:09"
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def exif():
    made = Image.Exif()
    made[BASE.Make], made[BASE.Orientation], made[BASE.Software] = "Maker", 6, "a raw converter"
    made[IFD.Exif] = {
        BASE.DateTimeOriginal: TAKEN,
        BASE.FNumber: 2.8,
        BASE.MakerNote: b"bound to its place",
        BASE.ExifImageWidth: 30,
        BASE.ColorSpace: 65535,
    }
    made[IFD.GPSInfo] = {1: "N", 2: (52.0, 31.0, 12.0)}
    return made


def photo(kind="JPEG"):
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, kind, exif=exif().tobytes(), dpi=(300, 300))
    return out.getvalue()


def written(picture, path, **options):
    picture.save(path, **options)
    with Image.open(path) as image:
        image.load()
        return image.getexif(), image.info


@pytest.mark.parametrize(
    ("name", "depth"),
    [("a.jpg", 8), ("a.png", 8), ("a.webp", 8), ("a.tif", 8), ("a.png", 16)],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_metadata_is_kept_on_request(tmp_path, kind, name, depth):
    picture = load(photo(kind))
    assert picture.size == (20, 30)  # turned upright
    tags, info = written(picture, tmp_path / name, depth=depth, keep_metadata=True)
    details = tags.get_ifd(IFD.Exif)
    assert details[BASE.DateTimeOriginal] == TAKEN
    assert float(details[BASE.FNumber]) == pytest.approx(2.8)
    assert tags[BASE.Make] == "Maker"
    assert tags[BASE.Orientation] == 1
    assert tags.get_ifd(IFD.GPSInfo)[1] == "N"
    assert details[BASE.ColorSpace] == 1
    assert not {BASE.MakerNote, BASE.ExifImageWidth} & set(details)
    assert BASE.Software not in tags
    if name != "a.webp":
        np.testing.assert_allclose([float(one) for one in info["dpi"]], 300, atol=0.01)
    assert load(tmp_path / name).size == (20, 30)  # and is not turned again


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_nothing_is_kept_unasked(tmp_path, name):
    tags, info = written(load(photo()), tmp_path / name)
    assert not {BASE.Make, BASE.Orientation, IFD.Exif, IFD.GPSInfo} & set(tags)
    assert "dpi" not in info or name == "a.tif"


def test_a_tiff_of_16_bits_keeps_date_maker_and_dpi(tmp_path):
    load(photo()).save(tmp_path / "a.tif", depth=16, keep_metadata=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages.first.tags
        assert tags["DateTime"].value == TAKEN
        assert tags["Make"].value == "Maker"
        assert tags["XResolution"].value == (300, 1)
    again = load(tmp_path / "a.tif").metadata
    assert again is not None
    assert again.dpi == (300, 300)
    assert again.exif[BASE.DateTime] == TAKEN


def test_deep_and_pillow_pictures_have_theirs():
    out = io.BytesIO()
    words = PIXELS.astype(np.uint16) * 257
    tifffile.imwrite(out, words, photometric="rgb", resolution=(150, 150), resolutionunit="INCH")
    found = load(out.getvalue()).metadata
    assert found is not None
    assert found.dpi == (150, 150)
    with Image.open(io.BytesIO(photo())) as image:
        found = Picture.from_pil(image).metadata
    assert found is not None
    assert found.exif[BASE.Make] == "Maker"


def test_damaged_exif_is_left(tmp_path):
    data = photo()
    start = data.index(b"Exif\0\0") + 6
    broken = (
        data[:start] + bytes(len(exif().tobytes()) - 6) + data[start + len(exif().tobytes()) - 6 :]
    )
    picture = load(broken)
    tags, info = written(picture, tmp_path / "a.jpg", keep_metadata=True)
    assert len(tags) == 0
    assert info["dpi"] == (300, 300)  # of the JFIF header


def test_pictures_without_metadata(tmp_path):
    plain = Picture(torch.zeros(1, 3, 4, 4))
    assert len(written(plain, tmp_path / "a.jpg", keep_metadata=True)[0]) == 0


def test_a_painting_of_16_bits_has_them_and_the_photos_metadata(tmp_path):
    torch.manual_seed(0)
    network = Johnson(JohnsonConfig(width=4, blocks=1), Runtime(torch.device("cpu"), torch.float32))
    painted = stylize.stylize(photo(), network.own_style(), method=network, size=24)
    assert painted.metadata is not None
    assert painted.metadata.dpi == (300, 300)
    painted.save(tmp_path / "a.png", depth=16)
    words = load(tmp_path / "a.png").rgb
    assert float((words - painted.rgb).abs().max()) <= 0.5 / 65535 + 1e-7
    painted.save(tmp_path / "b.png")
    assert float((load(tmp_path / "b.png").rgb - painted.rgb).abs().max()) > 1 / 65535
