"""Every wrong input is one line and exit code 2, before the work."""

from __future__ import annotations

import os
import sys

import pytest

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
    "texture painting.png --seamless -m resample",
    "texture painting.png --seamless --size 72x64",
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
