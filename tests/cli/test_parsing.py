"""What users write: weights of paintings, sizes, times."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import impasto
from impasto.cli import parsing
from impasto.errors import InputError


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("styles", "paths", "weights"),
    [
        (["a.jpg"], ["a.jpg"], None),
        (["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"], None),
        (["a.jpg:2"], ["a.jpg"], [2.0]),
        (["a.jpg:.5", "b.jpg:1e-1"], ["a.jpg", "b.jpg"], [0.5, 0.1]),
        (["a.jpg", "b.jpg:0.3"], ["a.jpg", "b.jpg"], [1.0, 0.3]),
        (["a.jpg:-1"], ["a.jpg"], [-1.0]),  # refused later, in words
        (["sample:swirls"], ["sample:swirls"], None),
        (["sample:swirls:0.5"], ["sample:swirls"], [0.5]),
        ([r"C:\art\a.jpg"], [r"C:\art\a.jpg"], None),
        ([r"C:\art\a.jpg:0.5"], [r"C:\art\a.jpg"], [0.5]),
        (["a.jpg:nan"], ["a.jpg:nan"], None),
        (["a.jpg:inf"], ["a.jpg:inf"], None),
        (["a.jpg:"], ["a.jpg:"], None),
        ([":3"], [":3"], None),
        (["-:2"], ["-"], [2.0]),
    ],
)
def test_weighted(styles, paths, weights):
    assert parsing.split_weights(styles) == (paths, weights)


def test_a_file_whose_name_ends_like_a_weight_is_a_file(tmp_path):
    (tmp_path / "study:2").touch()
    assert parsing.split_weights(["study:2", "study:3"]) == (["study:2", "study"], [1.0, 3.0])


@pytest.mark.parametrize(
    ("text", "size"),
    [(None, None), ("256", 256), ("320x200", (320, 200)), ("320X200", (320, 200)), ("0", 0)],
)
def test_sides(text, size):
    assert parsing.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "12y", "1x2x3", "-5", "3.5", "x5", "5x", "²", "1e3"])
def test_no_sides(text):
    with pytest.raises(InputError, match="write 256 or 320x200"):
        parsing.parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, None), ("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)]
)
def test_seconds(text, seconds):
    assert parsing.parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "-5m", "nan", "inf", "h", "3d"])
def test_no_seconds(text):
    with pytest.raises(InputError, match="write 90s, 20m or 8h"):
        parsing.parse_seconds(text)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("leave `method` out", "leave --method out"),
        (
            "try a smaller `size`: `size=512` is large enough",
            "try a smaller --size: --size 512 is large enough",
        ),
        ("such as `size=(64, 32)`", "such as --size 64x32"),
        ('use `precision="float32"`', "use --precision float32"),
        ("or `restart=True` to start again", "or --restart to start again"),
        ("or `resume=False` to start again", "or --restart to start again"),
        ("add `auth_file`", "add --auth-file"),
        ("a file called `A b`", "a file called `A b`"),
    ],
)
def test_the_command_line_names_options(message, shown):
    assert parsing.as_options(message) == shown


def test_no_message_of_the_library_names_an_option():
    source = Path(impasto.__file__).parent
    theirs = {"cli", "methods", "models", "video/fingerprint.py", "batch/job.py", "studio/theme.py"}
    found = [
        f"{path.relative_to(source)}: {line.strip()}"
        for path in source.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"[\"' ]--[a-z]", line)
        and not theirs & {path.relative_to(source).parts[0], str(path.relative_to(source))}
    ]
    # help texts of options, the candidates' docstring, what a server is started with, and npm's
    known = (
        "evaluation/candidates.py",
        "api/options.py",
        "studio/origins.py",
        "web/runtime_files.py",
    )
    assert [line for line in found if not line.startswith(known)] == []
