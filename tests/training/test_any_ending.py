"""Folders are searched by what files hold, not by what they are called."""

from pathlib import Path

import pytest
from PIL import Image, features

from impasto.image import load
from impasto.training.sources import find, search


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jfif", "JPEG"),
        ("a.JPE", "JPEG"),
        ("a.mpo", "MPO"),
        ("a.ppm", "PPM"),
        ("a.jp2", "JPEG2000"),
        ("a.avif", "AVIF"),
        ("a", "PNG"),
        ("a.dat", "PNG"),
    ],
)
def test_a_picture_of_any_ending_is_found_and_read(tmp_path: Path, name: str, kind: str) -> None:
    needs = {"AVIF": "avif", "JPEG2000": "jpg_2000"}.get(kind)
    if needs and not features.check(needs):
        pytest.skip(f"this Pillow has no {kind}")
    Image.new("RGB", (16, 8), (200, 100, 50)).save(tmp_path / name, format=kind)
    assert find(tmp_path) == (str(tmp_path / name),)
    picture = load(tmp_path / name)
    assert picture.size == (16, 8)
    assert abs(float(picture.rgb[0, 0].mean()) - 200 / 255) < 0.03


def test_linked_folders_are_entered_once_and_the_rest_is_counted(tmp_path: Path) -> None:
    folder, other = tmp_path / "in", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    Image.new("RGB", (8, 8)).save(other / "b.png")
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / "linked").symlink_to(other)
    (folder / "loop").symlink_to(folder)
    (other / "back").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    (folder / "notes.txt").write_text("BM is how a text may begin")
    (folder / "side.json").write_text("{}")
    (folder / ".hidden.png").write_bytes(b"")
    found = search(folder)
    assert found.files == (str(folder / "a.png"), str(folder / "linked" / "b.png"))
    assert found.passed == {
        "dangling link": 1,
        "hidden file or folder": 1,
        "link to a folder that is read already": 2,
        "text file": 2,
    }
