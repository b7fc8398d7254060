"""The command line: pictures, messages, signals.

Most runs call ``main`` in this process; those about signals and imports start one of their own.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys

import pytest
from PIL import ExifTags, Image

from helpers import QUICK, SHALLOW, pixels
from impasto._version import __version__

COMMANDS = (
    (),
    ("stylize",),
    ("texture",),
    ("invert",),
    ("demo",),
    ("compare",),
    ("evaluate",),
    ("gap",),
    ("styles",),
    ("methods",),
    ("weights",),
    ("weights", "list"),
    ("weights", "fetch"),
    ("weights", "path"),
    ("weights", "verify"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(command, impasto):
    done = impasto(*command, "--help")
    assert done.code == 0
    assert "Usage: " in done.out.decode()


def test_version(impasto):
    assert impasto("--version").out.decode() == f"impasto {__version__}\n"


@pytest.mark.slow
def test_help_imports_nothing_heavy():
    code = """
import sys
sys.argv = ["impasto", "stylize", "--help"]
from impasto.__main__ import main
try:
    main()
except SystemExit:
    pass
print([name for name in ("torch", "numpy", "PIL", "scipy", "skimage") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_stylize_writes_a_picture_and_says_where(impasto, shelf, tmp_path):
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)
    assert done.code == 0
    assert done.err.startswith("photo-painting.png  64x48  ")
    assert done.out == b""
    assert os.listdir(tmp_path) == ["photo-painting.png"]
    assert Image.open(tmp_path / "photo-painting.png").size == (64, 48)


def test_weighted_styles_and_masks(impasto, shelf, tmp_path):
    styles = ("-s", f"{shelf / 'painting.png'}:0.3", "-s", f"{shelf / 'other.png'}:0.7")
    blend = impasto("stylize", shelf / "photo.png", *styles, *QUICK, "-o", "blend.png", "-q")
    mask = ("--mask", shelf / "white.png", "--mask", shelf / "white.png")
    both = impasto("stylize", shelf / "photo.png", *styles, *mask, *QUICK, "-o", "b.webp", "-q")
    assert (blend.code, both.code) == (0, 0)
    assert sorted(os.listdir(tmp_path)) == ["b.webp", "blend.png"]


def test_standard_input_and_output(impasto, shelf, tmp_path):
    data = (shelf / "photo.png").read_bytes()
    done = impasto("stylize", "-", "-s", shelf / "painting.png", *QUICK, "-o", "-", stdin=data)
    assert done.code == 0
    assert Image.open(io.BytesIO(done.out)).size == (64, 48)
    assert done.err.startswith("-  64x48")
    assert os.listdir(tmp_path) == []


def test_json_lines(impasto, shelf):
    done = impasto(
        *("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "-o", "out.png"),
        *("--steps", "3", "--json", *SHALLOW),
    )
    *steps, last = [json.loads(line) for line in done.out.splitlines()]
    assert [line["step"] for line in steps] == [1, 2, 3]
    assert {line["total"] for line in steps} == {3}
    assert all(line["losses"]["total"] > 0 for line in steps)
    assert (last["output"], last["width"], last["height"]) == ("out.png", 64, 48)
    assert last["cancelled"] is False
    assert done.err == ""


def test_json_lines_make_room_for_a_picture_on_standard_output(impasto, shelf):
    done = impasto(
        "stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK, "--json", "-o", "-"
    )
    assert Image.open(io.BytesIO(done.out)).size == (64, 48)
    assert [json.loads(line).get("step") for line in done.err.splitlines()] == [1, 2, None]


def test_json_steps_of_a_method_that_paints_each_region_rise_to_the_total(impasto, shelf):
    done = impasto(
        *("stylize", shelf / "photo.png", "-m", "cnnmrf", "-o", "out.png"),
        *("-s", shelf / "painting.png", "-s", shelf / "other.png"),
        *("--mask", shelf / "white.png", "--mask", shelf / "white.png"),
        *("--json", "--steps", "2", "--set", "style_layers=relu2_1"),
        *("--set", "content_layers=relu2_1"),
    )
    steps = [json.loads(line) for line in done.out.splitlines()[:-1]]
    assert [(line["step"], line["total"]) for line in steps] == [(n, 4) for n in (1, 2, 3, 4)]


def test_quiet_is_silent(impasto, shelf):
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK, "-q")
    assert (done.code, done.out, done.err) == (0, b"", "")


def test_note_of_an_animation_is_passed_on(impasto, shelf, tmp_path):
    frames = [pixels(64, 48, seed) for seed in (1, 2)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    done = impasto("stylize", "moving.gif", "-s", shelf / "painting.png", *QUICK)
    assert "first frame of 2" in done.err


def test_16_bits_and_the_photos_metadata(impasto, shelf, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", 6
    pixels(64, 48).save("photo.jpg", exif=exif, dpi=(300, 300))
    command = ("stylize", "photo.jpg", "-s", shelf / "painting.png", *QUICK)
    assert impasto(*command, "--bits", "16", "--keep-metadata", "-o", "deep.png").code == 0
    assert (tmp_path / "deep.png").read_bytes()[24] == 16  # of its header
    with Image.open("deep.png") as image:
        assert image.size == (48, 64)
        assert image.getexif()[ExifTags.Base.Make] == "Maker"
        assert image.getexif()[ExifTags.Base.Orientation] == 1
        assert image.info["dpi"][0] == pytest.approx(300, abs=0.01)
    assert impasto(*command, "-o", "plain.png").code == 0
    assert (tmp_path / "plain.png").read_bytes()[24] == 8
    with Image.open("plain.png") as image:
        assert not dict(image.getexif())


def test_a_format_without_16_bits_is_refused_before_the_work(impasto, shelf, tmp_path):
    done = impasto(
        "stylize", shelf / "photo.png", "-s", "sample:wave", "--bits", "16", "-o", "a.jpg"
    )
    assert (done.code, os.listdir(tmp_path)) == (2, [])
    assert "JPEG cannot hold 16 bits a channel" in done.err


def test_save_every(impasto, shelf, tmp_path):
    done = impasto(
        *("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "-o", "out.png"),
        *("--steps", "5", "--save-every", "2", *SHALLOW),
    )
    assert done.code == 0
    assert sorted(os.listdir(tmp_path)) == ["out-00002.png", "out-00004.png", "out.png"]
    assert {Image.open(tmp_path / name).size for name in os.listdir(tmp_path)} == {(64, 48)}


def test_a_dry_run_paints_nothing(impasto, shelf, tmp_path):
    how = ("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "--dry-run")
    done = impasto(*how, "-m", "gatys", "--size", "64", "--steps", "2")
    assert done.code == 0
    assert re.match(r"gatys  64x48  \S+ \S+  about [\d.]+ s, about \d+ MiB", done.out.decode())
    found = json.loads(impasto(*how, "-m", "gatys", "--json").out)
    assert found["method"] == "gatys"
    assert min(found["seconds"], found["memory"]) > 0
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_texture(impasto, shelf, tmp_path):
    done = impasto("texture", shelf / "painting.png", "--size", "48x40", "--steps", "2")
    assert done.code == 0
    assert Image.open(tmp_path / "painting-texture.png").size == (48, 40)


def test_invert(impasto, shelf, tmp_path):
    done = impasto("invert", shelf / "photo.png", "--layer", "relu2_1", "--steps", "2")
    assert done.code == 0
    assert Image.open(tmp_path / "photo-inverted.png").size == (64, 48)


def test_ladder(impasto, shelf, tmp_path):
    done = impasto(
        *("invert", shelf / "photo.png", "--ladder", "--steps", "2", "--json"),
        *("--layer", "relu1_1", "--layer", "relu2_1"),
    )
    *steps, last = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["step"], line["total"]) for line in steps] == [(n, 4) for n in (1, 2, 3, 4)]
    assert [line["stage"] for line in steps] == ["relu1_1"] * 2 + ["relu2_1"] * 2
    assert last["output"] == "photo-ladder.png"
    assert Image.open(tmp_path / "photo-ladder.png").size[0] > 3 * 64


def test_demo(impasto, tmp_path):
    done = impasto("demo", "--size", "64")
    assert done.code == 0
    assert done.err.startswith("impasto-demo.png  64x64")
    assert Image.open(tmp_path / "impasto-demo.png").size == (64, 64)


def test_methods(impasto):
    from impasto.methods.registry import list_methods

    plain = impasto("methods").out.decode()
    rows = json.loads(impasto("methods", "--json").out)
    assert [row["name"] for row in rows] == [entry.name for entry in list_methods()]
    assert all(row["summary"] in plain and row["papers"] for row in rows)


def test_weights(impasto):
    listed = impasto("weights", "list")
    assert (listed.code, listed.err) == (0, "")
    assert "vgg19-caffe-q8" in listed.out.decode()
    path = impasto("weights", "path", "vgg19-caffe-q8").out.decode().strip()
    assert os.path.isfile(path)
    assert impasto("weights", "verify", "vgg19-caffe-q8").out.decode() == "vgg19-caffe-q8: ok\n"
    assert impasto("weights", "fetch", "vgg19-caffe-q8").out.decode().strip() == path


def test_damaged_weights_are_told(impasto, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "vgg16-00b39a1b.pth").write_bytes(b"half a fi")
    monkeypatch.setenv("IMPASTO_CACHE", str(cache))
    done = impasto("weights", "verify", "vgg16-caffe")
    assert done.code == 2
    assert "damaged" in done.err


def test_unfetched_weights_name_the_command_that_fetches_them(impasto, tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    done = impasto("weights", "path", "vgg16-caffe")
    assert "run 'impasto weights fetch vgg16-caffe'" in done.err


@pytest.mark.slow
def test_a_file_that_is_read_is_replaced_only_if_told(impasto, shelf, tmp_path):
    photo, painting = tmp_path / "photo.png", tmp_path / "painting.png"
    for path in (photo, painting):
        path.write_bytes((shelf / path.name).read_bytes())
    (tmp_path / "link.png").symlink_to(photo)
    before = photo.read_bytes()
    for output in ("photo.png", "link.png", "painting.png"):
        done = impasto("stylize", photo, "-s", painting, "-m", "adain", "-o", output)
        assert (done.code, done.err) == (
            2,
            f"impasto: {output} is read as well: --overwrite replaces it, or give another name\n",
        )
    for command in ("invert", "upscale", "texture"):
        done = impasto(command, photo, "-o", photo)
        assert (done.code, "--overwrite" in done.err) == (2, True), done.err
    assert photo.read_bytes() == before
    line = ("-s", "sample:wave", "-m", "adain", "-o", "photo.png", "--overwrite")
    assert impasto("stylize", photo, *line).code == 0
    assert photo.read_bytes() != before


def test_jpeg_says_what_becomes_of_transparency(impasto, tmp_path):
    Image.new("RGBA", (32, 24), (200, 100, 50, 99)).save(tmp_path / "clear.png")
    line = ("stylize", "clear.png", "-s", "sample:wave", "-m", "adain", "--strength", "0", "-o")
    done = impasto(*line, "out.jpg")
    assert done.code == 0, done.err
    assert "JPEG has no transparency: the picture is laid on white" in done.err
    with Image.open(tmp_path / "out.jpg") as picture:
        red = picture.getpixel((16, 12))[0]
    assert abs(red - (200 * 99 + 255 * 156) / 255) < 4  # and so it is
    assert "transparency" not in impasto(*line, "out.png").err
    assert "transparency" not in impasto(*line, "quiet.jpg", "--quiet").err


def test_evaluate_and_gap_tell_what_they_pass_over(impasto, shelf, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("photo", "painting"):  # pictures by what they hold
        (folder / name).write_bytes((shelf / f"{name}.png").read_bytes())
    (folder / "notes").write_text("dear diary")
    done = impasto("evaluate", folder, shelf / "other.png", "--methods", "photo", "--size", "48")
    assert done.code == 0, done.err
    assert "impasto: passed over: 1 x text file\n" in done.err
    line = ("--layers", "relu1_1", "--size", "48", "--permutations", "2", "--json", "-")
    done = impasto("gap", folder, folder, *line)
    assert done.code == 0, done.err
    assert "impasto: passed over: 2 x text file\n" in done.err
    assert json.loads(done.out)["passed"] == {"text file": 2}
