"""The command line: every wrong input is one line and exit code 2, and every right one a picture.

Most runs call ``main`` in this process; those about signals and imports start one of their own.
"""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from helpers import chunk
from impasto._version import __version__
from impasto.losses.objective import Objective
from impasto.methods.optimization.gatys import Gatys, GatysConfig

SHALLOW = (  # two blocks of the network see enough for a test
    *("--set", "content_layers=relu2_1", "--set", "style_layers=relu1_1,relu2_1"),
    *("--set", "style_weights=1,1"),
)
QUICK = ("--steps", "2", *SHALLOW)
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


def pixels(width, height, seed=0):
    """Coarse coloured noise, which is photo enough for a network."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder of good and bad files, beside the folder that commands run in."""
    folder = tmp_path_factory.mktemp("shelf")
    pixels(64, 48).save(folder / "photo.png")
    pixels(64, 48, seed=1).save(folder / "painting.png")
    pixels(64, 48, seed=2).save(folder / "other.png")
    pixels(1, 1).save(folder / "dot.png")
    pixels(16, 16).save(folder / "tiny.png")
    pixels(64, 48).save(folder / "whole.jpg")
    (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:200])
    (folder / "text.jpg").write_text("dear diary")
    (folder / "empty.png").write_bytes(b"")
    bomb = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", bomb)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    Image.new("L", (64, 48), 0).save(folder / "black.png")
    Image.new("L", (64, 48), 255).save(folder / "white.png")
    (folder / "weights.pth").write_bytes(b"no weights at all")
    (folder / "folder").mkdir()
    return folder


# Each begins with a command; PHOTO, STYLE and the names on the shelf are put in by the test.
STYLIZE = "stylize photo.png -s painting.png"
BAD = [
    # files that are no pictures
    "stylize missing.jpg -s painting.png",
    "stylize photo.png -s missing.jpg",
    "stylize text.jpg -s painting.png",
    "stylize cut.jpg -s painting.png",
    "stylize empty.png -s painting.png",
    "stylize folder -s painting.png",
    "stylize dot.png -s painting.png -m gatys",
    "stylize photo.png -s dot.png --style-scale 0.01 -m gatys",
    "stylize bomb.png -s painting.png",
    "stylize - -s painting.png",
    "stylize http://example.org/photo.jpg -s painting.png",
    "stylize sample:nobody -s painting.png",
    "stylize photo.png -s sample:nobody",
    "texture missing.png",
    "invert missing.png",
    # places that cannot be written
    f"{STYLIZE} -o nowhere/out.png",
    f"{STYLIZE} -o out.xyz",
    f"{STYLIZE} -o folder",
    f"{STYLIZE} -o - --save-every 1",
    f"{STYLIZE} --save-every -1",
    "texture painting.png -o out.xyz",
    "invert photo.png -o nowhere/out.png",
    "demo -o out.xyz",
    # methods and their numbers
    f"{STYLIZE} -m monet",
    f"{STYLIZE} -m texture",
    "texture painting.png -m gatys",
    f"{STYLIZE} --preset mine",
    "texture painting.png -m cnnmrf --preset mine",
    "texture painting.png -m resample --preset authors",
    f"{STYLIZE} --set colour=3",
    f"{STYLIZE} --set levels",
    f"{STYLIZE} --set levels=many",
    f"{STYLIZE} --set levels=0",
    f"{STYLIZE} --set coarse_steps=0",
    f"{STYLIZE} --set style_weight=nan",
    f"{STYLIZE} --set learning_rate=-1",
    f"{STYLIZE} --set optimizer=sgd",
    f"{STYLIZE} --set start=middle",
    f"{STYLIZE} --set style_weights=1,2",
    f"{STYLIZE} --set style_layers=relu9_9,relu1_1,relu2_1,relu3_1,relu4_1",
    f"{STYLIZE} --set content_layers=eyes",
    f"{STYLIZE} --set content_reduction=product",
    f"{STYLIZE} --set gram_reduction=product",
    f"{STYLIZE} --set pooling=median",
    f"{STYLIZE} --set arch=vgg11",
    f"{STYLIZE} --set weights=vgg20",
    f"{STYLIZE} --set weights=weights.pth",
    f"{STYLIZE} --set weights=missing.pth",
    f"{STYLIZE} --set flavor=torchvision",
    f"{STYLIZE} --set arch=vgg16",
    f"{STYLIZE} --steps 0",
    f"{STYLIZE} --steps many",
    f"{STYLIZE} -m mmd --set losses=gram+",
    f"{STYLIZE} -m mmd --set losses=magic",
    f"{STYLIZE} -m mmd --set losses=gaussian(scale=0)",
    f"{STYLIZE} -m mmd --set losses=gram@relu9_1",
    f"{STYLIZE} -m mmd --set scaling=huge",
    f"{STYLIZE} -m cnnmrf --set patch_size=0",
    f"{STYLIZE} -m cnnmrf --set scales=-1",
    f"{STYLIZE} -m cnnmrf -s other.png",
    "texture painting.png -m resample --set algorithm=magic",
    "texture painting.png -m resample --set window=4",
    "texture painting.png -m resample --set window=99",
    "texture tiny.png -m resample --set window=25",
    "texture painting.png -m resample --steps 3",
    "texture painting.png --set histogram=maybe",
    # controls
    f"{STYLIZE} --size 0",
    f"{STYLIZE} --size 1000000",
    f"{STYLIZE} --size big",
    f"{STYLIZE} --size 8",
    f"{STYLIZE} --strength 2",
    f"{STYLIZE} --strength nan",
    f"{STYLIZE} --style-scale 0",
    f"{STYLIZE} --style-scale 100",
    f"{STYLIZE} --colors rainbow",
    f"{STYLIZE} --seed 99999999999999999999999",
    f"{STYLIZE} --seed -1",
    f"{STYLIZE} --device abacus",
    f"{STYLIZE} --device cuda:99",
    f"{STYLIZE} --precision float7",
    "stylize photo.png -s painting.png:-1",
    "stylize photo.png -s painting.png:0 -s other.png:0",
    "stylize photo.png -s painting.png:1 -s other.png:-1",
    "stylize photo.png -s painting.png:",
    f"{STYLIZE} --mask white.png --mask white.png",
    "stylize photo.png -s painting.png -s other.png -s other.png --mask white.png",
    f"{STYLIZE} --mask black.png",
    f"{STYLIZE} -s other.png --mask white.png",
    f"{STYLIZE} --mask alpha",
    f"{STYLIZE} --mask missing.png",
    f"{STYLIZE} --mask text.jpg",
    "texture painting.png --size 12y",
    "texture painting.png --size 0",
    "texture painting.png --size ²",
    "texture painting.png --size 99999",
    "texture painting.png --size 16",
    "texture painting.png --sample-size 0",
    "texture painting.png --size 64 --sample-size 8",
    "texture painting.png -m cnnmrf --size 4",
    "texture painting.png -m resample --size 0",
    "invert photo.png --layer relu9_9",
    "invert photo.png --layer relu1_1 --layer nose --ladder --json --steps 2",
    "invert photo.png --kind essence",
    "invert photo.png --size 0",
    "invert photo.png --size 99999",
    "invert photo.png --size 8 --ladder",
    "demo --size 0",
    # weights
    "weights path vgg20",
    "weights path vgg16-caffe",
    "weights verify vgg16-caffe",
    # networks
    "stylize photo.png -s missing.safetensors",
    "stylize photo.png -s painting.png -m johnson",
    "stylize photo.png -s painting.png -m superres",
    "texture painting.png -m texture-net",
    "upscale photo.png --model nobody",
    "upscale missing.png",
    "train gatys -o x.safetensors",
    "train johnson -o x.safetensors -s painting.png",
    "train johnson -o x.jpg -s painting.png --content .",
    "train johnson -o x.safetensors -s painting.png --content missing",
    "train johnson -o x.safetensors -s text.jpg --content .",
    "train johnson -o x.safetensors --content .",
    "train johnson -o x.safetensors -s painting.png --content . --max-time soon",
    "train johnson -o x.safetensors -s painting.png --content . --set stepps=5",
    "train johnson -o x.safetensors -s painting.png --content . --set steps",
    "train johnson -o x.safetensors -s painting.png --content . --start missing.safetensors",
    "train missing.toml -o x.safetensors",
    "train johnson",
    # usage
    "stylize",
    "stylize photo.png",
    "texture",
    "invert",
    "weights path",
    "paint photo.png",
    f"{STYLIZE} --no-such-option",
    f"{STYLIZE} extra.png",
]
# What only the network can tell comes after it has been loaded; the descent never begins.
USAGE = "Usage: "


@pytest.mark.parametrize("line", BAD)
def test_wrong_input_is_one_line_and_exit_code_2(line, impasto, shelf, tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "no-cache"))
    # a run that begins all the same shall not take long, and shall be seen
    steps = ("--steps", "2") if line.startswith(STYLIZE) and "--steps" not in line else ()
    words = [_on(shelf, word) for word in line.split(" ")]
    done = impasto(*words, *steps)
    assert done.code == 2, done
    assert "Traceback" not in done.err
    assert os.listdir(tmp_path) == []
    assert done.out == b""
    if USAGE not in done.err:
        assert done.err.startswith("impasto: "), done.err
        assert done.err.count("\n") == 1, done.err
        assert len(done.err) < 400


def _on(shelf, word):
    """A word of a command with the files on the shelf named in full."""
    head, equals, name = word.rpartition("=")
    stem = name.rpartition(":")[0] if ".png:" in name else name
    if stem and not stem.startswith(".") and (shelf / stem).exists():
        return f"{head}{equals}{shelf / stem}{name[len(stem) :]}"
    return word


def test_protected_target_is_found_before_the_work(impasto, shelf, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    target = tmp_path / "kept.png"
    target.touch(mode=0o444)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "-o", target)
    assert (done.code, target.read_bytes()) == (2, b"")


def test_terminal_as_target_is_found_before_the_work(impasto, shelf, monkeypatch):
    started = []
    monkeypatch.setattr("impasto.api.stylize.stylize", lambda *a, **k: started.append(1))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "-o", "-")
    assert (done.code, started) == (2, [])
    assert "terminal" in done.err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(command, impasto):
    done = impasto(*command, "--help")
    assert done.code == 0
    assert "Usage: " in done.out.decode()


def test_version(impasto):
    assert impasto("--version").out.decode() == f"impasto {__version__}\n"


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


def test_demo(impasto, tmp_path, monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Quick(GatysConfig):
        steps: int = 2
        coarse_steps: int = 2

    monkeypatch.setattr(Gatys, "Config", Quick)
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


@pytest.fixture
def runaway(monkeypatch):
    """runaway(n): the objective gives NaN from its n-th evaluation on."""

    def break_after(count):
        seen, whole = [], Objective.__call__

        def call(self, image):
            seen.append(1)
            losses = whole(self, image)
            if len(seen) < count:
                return losses
            return {**losses, "total": losses["total"] * torch.nan}

        monkeypatch.setattr(Objective, "__call__", call)

    return break_after


@pytest.mark.parametrize("size", [64, 160])  # 160 px has a coarser level, where it breaks
def test_runaway_keeps_the_last_good_picture(size, impasto, shelf, tmp_path, runaway):
    runaway(3)
    done = impasto(
        *("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "-o", "out.png"),
        *("--steps", "6", "--size", size, *SHALLOW),
    )
    assert done.code == 1
    assert done.err.startswith("impasto: the loss ran away")
    assert "out-last-good.png" in done.err
    assert done.err.count("\n") == 1
    assert os.listdir(tmp_path) == ["out-last-good.png"]
    assert Image.open(tmp_path / "out-last-good.png").size == (size, size * 3 // 4)


def test_runaway_at_once_keeps_nothing(impasto, shelf, tmp_path, runaway):
    runaway(1)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)
    assert (done.code, os.listdir(tmp_path)) == (1, [])
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to")],
)
def test_too_little_memory_is_one_line(error, impasto, shelf, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(Objective, "__call__", fail)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)
    assert done.code == 1
    assert done.err == "impasto: not enough memory for this: try a smaller --size\n"


def test_a_mistake_of_ours_is_not_hidden(impasto, shelf, monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Objective, "__call__", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_control_c_keeps_what_there_is(impasto, shelf, tmp_path, monkeypatch):
    whole, calls = Objective.__call__, []

    def interrupted(self, image):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(self, image)

    monkeypatch.setattr(Objective, "__call__", interrupted)
    line = ("stylize", shelf / "photo.png", "-s", shelf / "painting.png", "--json", *SHALLOW)
    done = impasto(*line, "-o", "out.png", "--steps", "5000")
    assert done.code == 130
    assert done.err == "impasto: cancelled; the result so far is in out.png\n"
    assert json.loads(done.out.splitlines()[-1])["cancelled"] is True
    assert os.listdir(tmp_path) == ["out.png"]
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()
        assert picture.size == (64, 48)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_second_control_c_writes_nothing(impasto, shelf, tmp_path, monkeypatch):
    whole = Objective.__call__

    def interrupted_twice(self, image):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return whole(self, image)

    monkeypatch.setattr(Objective, "__call__", interrupted_twice)
    before = signal.getsignal(signal.SIGINT)
    done = impasto("stylize", shelf / "photo.png", "-s", shelf / "painting.png", *QUICK)
    assert (done.code, done.err) == (130, "impasto: cancelled, nothing written\n")
    assert os.listdir(tmp_path) == []
    assert signal.getsignal(signal.SIGINT) is before


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
