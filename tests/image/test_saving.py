"""Writing: formats, depths, values, refusals, atomic writes."""

from __future__ import annotations

import errno
import os
import stat

import numpy as np
import pytest
import torch
from PIL import Image

from image_files import input_error, noise, smooth, words
from impasto import image
from impasto.errors import ImpastoError, InputError
from impasto.image import Image as Picture
from impasto.image import files, load, save


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
