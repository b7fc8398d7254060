"""Folders are searched by what files hold, not by what they are called."""

import importlib.util
import random
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, features

from impasto.errors import InputError
from impasto.image import load
from impasto.image.kinds import explain_unreadable, kind_of
from impasto.training.sources import find_images, image_paths, search, search_flat

NEEDS = {"AVIF": "avif", "JPEG2000": "jpg_2000"}


def draw(path: Path, kind: str = "PNG") -> Path:
    """A picture of 16 x 8 in one colour."""
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if kind in NEEDS and not features.check(NEEDS[kind]):
        pytest.skip(f"this Pillow has no {kind}")
    Image.new("RGB", (16, 8), (200, 100, 50)).save(path, format=kind)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jfif", "JPEG"),
        ("a.JPE", "JPEG"),
        ("a.mpo", "MPO"),
        ("a.ppm", "PPM"),
        ("a.tga", "TGA"),
        ("a.jp2", "JPEG2000"),
        ("a.avif", "AVIF"),
        ("a.heic", "HEIF"),
        ("a.txt", "TGA"),
        ("a", "PNG"),
        ("a.dat", "PNG"),
        ("a.bin", "BMP"),
    ],
)
def test_a_picture_of_any_ending_is_found_and_read(tmp_path: Path, name: str, kind: str) -> None:
    draw(tmp_path / name, kind)
    assert image_paths(tmp_path) == search_flat(tmp_path).files == (str(tmp_path / name),)
    picture = load(tmp_path / name)
    assert picture.size == (16, 8)
    assert abs(float(picture.rgb[0, 0].mean()) - 200 / 255) < 0.03


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("packed", [None, "tga_rle"])
def test_every_tga_is_told_by_its_header(mode: str, packed: str | None) -> None:
    Image.new(mode, (300, 7)).save(file := BytesIO(), "TGA", compression=packed)
    assert kind_of(file.getvalue(), "a") == "TGA"


def test_an_avif_under_the_brand_of_its_container_is_no_heic(tmp_path: Path) -> None:
    data = bytearray(draw(tmp_path / "a.avif", "AVIF").read_bytes())
    data[8:12] = b"mif1"
    assert kind_of(data, "a") == "AVIF"
    assert load(bytes(data)).size == (16, 8)


def test_heic_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"a is an HEIC picture.*pillow-heif: pip install .*heif"):
        kind_of(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a")


def test_heic_without_its_library_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.HEIC").write_bytes(b"\0\0\0\x14ftypheic\0\0\0\0mif1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (kind,) = search(tmp_path).passed
    assert kind == "HEIC picture, which needs pillow-heif: pip install 'impasto[heif]'"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty file"),
        (b"BM is how a text may begin", "text file"),
        (b"P6 is one as well", "text file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<html></html>", "web page"),
        (b"<svg></svg>", "SVG drawing"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42", "video"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video"),
        (b"\x1a\x45\xdf\xa3\xa3B\x86", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"\0\0\x01\xbaD\0", "video"),
        (b"OggS\0\x02", "sound or a video"),
        (b"PK\x03\x04", "archive"),
        (b"G" * 5000, "text file"),
        (b"GATTACA" * 700, "text file"),
        (b"G\0\xff" * 1500, "other file"),
        (bytes(range(256)), "other file"),
    ],
)
def test_kinds_of_what_is_no_picture(tmp_path: Path, data: bytes, kind: str) -> None:
    (tmp_path / "a").write_bytes(data)
    assert explain_unreadable(tmp_path / "a") == kind
    (tmp_path / "claims.png").write_bytes(data)  # whoever reads it shall say what is wrong
    assert image_paths(tmp_path) == (str(tmp_path / "claims.png"),)


@pytest.mark.parametrize("length", [188, 192, 204])
@pytest.mark.parametrize("damage", ["none", "bytes", "start", "cut"])
def test_a_damaged_transport_stream_is_a_video(tmp_path: Path, length: int, damage: str) -> None:
    """Damaged in half of its packets' first bytes; in its first 300 bytes; cut within a packet."""
    chance = random.Random(length)
    data = bytearray()
    for packet in range(40):
        data += bytes([0x00 if damage == "bytes" and packet % 2 else 0x47])
        data += chance.randbytes(length - 1)
    if damage == "start":
        data[:300] = chance.randbytes(300)
    (tmp_path / "a.ts").write_bytes(data[100:] if damage == "cut" else data)
    assert search(tmp_path).passed == {"video": 1}


def test_noise_is_no_transport_stream(tmp_path: Path) -> None:
    for seed in range(50):
        (tmp_path / f"{seed}.ts").write_bytes(b"\xff\xff" + random.Random(seed).randbytes(4096))
    assert search(tmp_path).passed == {"other file": 50}


def test_linked_folders_are_entered_once_and_the_rest_is_counted(tmp_path: Path) -> None:
    folder, other = tmp_path / "in", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    draw(other / "b.png")
    draw(folder / "a.png")
    (folder / "linked").symlink_to(other)
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (other / "back").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    (folder / "notes.txt").write_text("hello")
    (folder / "side.json").write_text("{}")
    (folder / ".hidden.png").write_bytes(b"")
    found = search(folder)
    assert found.files == (str(folder / "a.png"), str(folder / "linked" / "b.png"))
    assert found.passed == {
        "dangling link": 1,
        "hidden file or folder": 1,
        "link to a folder around this one": 1,
        "link to a folder that is read already": 2,
        "text file": 2,
    }
    assert search_flat(folder).files == (str(folder / "a.png"),)


def test_a_folder_of_results_does_not_count(tmp_path: Path) -> None:
    out = tmp_path / "in" / "out"
    (out / "deep").mkdir(parents=True)
    draw(tmp_path / "in" / "a.png")
    draw(out / "deep" / "a.png")
    (out / "manifest.jsonl").write_text("{}")
    (tmp_path / "in" / "linked").symlink_to(out / "deep")
    assert search(tmp_path / "in", out) == ((str(tmp_path / "in" / "a.png"),), {})
    assert len(search(out, out).files) == 1  # all of the search lies in it


def test_an_empty_folder_is_told_with_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("hello")
    with pytest.raises(InputError, match=r"holds no pictures \(passed over: 1 x text file\)"):
        image_paths(tmp_path)


def test_what_is_neither_picture_nor_list(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0mp42")
    with pytest.raises(InputError, match=r"no list of pictures \(video\)"):
        find_images(tmp_path / "film")
