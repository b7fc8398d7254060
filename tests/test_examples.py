"""The examples of the guide for students: each runs on small pictures and draws its sheet."""

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from impasto.image import load

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run an example on words, of which the last is the picture that it writes; return that."""
    Image.fromarray(data.astronaut()).crop((170, 20, 370, 228)).save(tmp_path / "photo.png")
    Image.fromarray(data.coffee()).resize((120, 96)).save(tmp_path / "painting.png")
    monkeypatch.chdir(tmp_path)

    def of(name, *words, out="out.jpg"):
        monkeypatch.setattr(sys, "argv", [name, *words])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return load(tmp_path / out)

    return of


@pytest.mark.parametrize("new", [(), pytest.param(("new.safetensors",), marks=pytest.mark.slow)])
def test_digits_are_read_again_after_adabn(run, capsys, new):
    run("adabn_digits.py", "out.jpg", *new)
    assert all(Path(one).exists() for one in new)
    shares = [float(line.split()[-2][:-1]) for line in capsys.readouterr().out.splitlines()]
    learned, before, after = shares
    assert learned > 93
    assert before < 60
    assert after > 90


@pytest.mark.parametrize(
    ("name", "tiles"),
    [
        ("adain_target.py", (4, 2)),
        pytest.param("wct_levels.py", (5, 4), marks=pytest.mark.slow),
    ],
)
def test_sheets_of_features(run, name, tiles):
    Image.open("photo.png").resize((64, 64)).save("photo.png")
    sheet = run(name, "photo.png", "painting.png", "out.jpg")
    columns, rows = tiles
    assert sheet.width > 64 * columns
    assert sheet.height > 64 * rows


def test_models_of_one_factor_side_by_side(run, capsys):
    names = ["upscale-x4-pixel", "upscale-x4"]
    sheet = run("upscale_losses.py", "photo.png", "out.jpg", *names)
    assert sheet.width > 3 * 320
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in told] == ["bicubic x4", *names]


@pytest.mark.slow
def test_branches_of_the_shipped_stylebank(run, capsys):
    Image.open("photo.png").resize((64, 64)).save("photo.png")
    sheet = run("stylebank_branches.py", "photo.png", "udnie", "painting.png", "out.jpg")
    assert sheet.width > 8 * 96
    assert "RMS error" in capsys.readouterr().out
