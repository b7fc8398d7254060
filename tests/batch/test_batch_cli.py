"""``impasto batch``: exit codes, words, and options that reach the job."""

import json

import pytest
from test_batch_running import results

from impasto.batch import Job
from impasto.image import load


def test_all_good(impasto, folder, tmp_path, inline, networks):
    done = impasto("batch", folder, "-s", networks["starry-night"], "-o", "out", "--size", "16")
    assert (done.code, done.out) == (0, b"")
    assert done.err.startswith("out  4 pictures  ")
    assert load("out/a.jpg").size == (16, 12)
    again = impasto("batch", folder, "-s", networks["starry-night"], "-o", "out", "--size", "16")
    assert (again.code, "0 pictures (4 more were there)" in again.err) == (0, True)


def test_some_failed(impasto, folder, inline, networks):
    (folder / "broken.jpg").write_text("dear diary")
    done = impasto("batch", folder, "-s", networks["starry-night"], "-o", "out", "--size", "16")
    assert done.code == 1
    _, listed, last = done.err.splitlines()
    assert listed.startswith("impasto: broken.jpg, starry-night: ")
    assert last == "impasto: 1 of 5 pictures failed: see out/manifest.jsonl"


def test_every_option_reaches_the_job(impasto, folder, tmp_path, inline):
    options = {
        "size": 48,
        "style_scale": 1.5,
        "colors": "luminance",
        "strength": 0.25,
        "match_histogram": True,
        "median": True,
        "seed": 3,
    }
    flags = [f"--{name.replace('_', '-')}" for name in options]
    values = [() if value is True else (value,) for value in options.values()]
    pairs = [part for flag, value in zip(flags, values, strict=True) for part in (flag, *value)]
    done = impasto(
        *("batch", folder, "-s", "sample:wave", "-s", "sample:ink", "-o", "out", *pairs),
        *("--random", "--format", "PNG", "--method", "gatys", "--steps", "1"),
        *("--set", "levels=1", "--precision", "float32", "--preset", "paper", "--quiet"),
    )
    assert not done.err
    assert done.code == 0
    job = Job.parse((tmp_path / "out" / "batch.json").read_text())
    assert {name: getattr(job.controls, name) for name in options} == options
    assert (job.random, job.ending, job.method, job.preset) == (True, ".png", "gatys", "paper")
    assert job.settings == {"steps": 1, "levels": "1"}
    assert [one.label for one in job.styles] == ["wave", "ink"]
    assert set(results(tmp_path / "out")) == {
        *("a~jpg.png", "a.png", "sub/b~gif.png", "sub/deep/c.png")
    }
    lines = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").open()]
    assert {line["styles"][0] for line in lines} <= {"sample:wave", "sample:ink"}
    assert len({line["seed"] for line in lines}) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", "-s", "starry-night", "-o", "out"), "is no folder"),
        ((".", "-s", "nothing", "-o", "out"), "there is no style nothing"),
        ((".", "-s", "starry-night", "-o", "out"), "holds no pictures"),
        ((".", "-s", "starry-night", "-o", "out", "--format", "bmp"), "cannot write pictures"),
        ((".", "-s", "starry-night", "-o", "out", "--strength", "2"), "strength is 2"),
        ((".", "-s", "starry-night", "-o", "out", "--engine", "x"), "unknown engine"),
    ],
)
def test_bad_input_is_one_line(impasto, arguments, words):
    done = impasto("batch", *arguments)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_what_is_passed_over_is_told(impasto, folder, inline, networks):
    (folder / "notes.json").write_text("{}")
    done = impasto("batch", folder, "-s", networks["starry-night"], "-o", "out", "--size", "16")
    assert done.code == 3
    assert "all pictures are painted; passed over: 1 x text file" in done.err
    with open("out/manifest.jsonl") as file:
        assert json.loads(file.readline()) == {"passed_over": {"text file": 1}}
