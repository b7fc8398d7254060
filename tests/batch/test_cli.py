"""``impasto batch``: exit codes, words, and options that reach the job."""

import json

import pytest
from PIL import Image, features

from batch_pictures import results
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
        *("--bits", "16", "--keep-metadata"),
    )
    assert not done.err
    assert done.code == 0
    job = Job.parse((tmp_path / "out" / "batch.json").read_text())
    assert {name: getattr(job.controls, name) for name in options} == options
    assert (job.random, job.ending, job.method, job.preset) == (True, ".png", "gatys", "paper")
    assert (job.bits, job.keep_metadata) == (16, True)
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
        ((".", "-s", "starry-night", "-o", "out", "--bits", "9"), "depth is 9"),
        (
            (".", "-s", "starry-night", "-o", "out", "--bits", "16", "--format", "jpg"),
            "JPEG cannot hold 16 bits",
        ),
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


def test_a_picture_under_any_ending_is_painted(impasto, tmp_path, inline, networks):
    """The kinds that cameras and tools write, and a folder that a link leads to."""
    mixed, apart = tmp_path / "mixed", tmp_path / "apart"
    mixed.mkdir()
    apart.mkdir()
    picture = Image.new("RGB", (32, 24), (200, 100, 50))
    names = {"one.jpg": "JPEG", "three.mpo": "MPO", "four.ppm": "PPM", "six.jfif": "JPEG"}
    names |= {"seven.JPE": "JPEG", "eight.tga": "TGA", "nine": "PNG"}
    names |= {"two.avif": "AVIF"} if features.check("avif") else {}
    names |= {"five.jp2": "JPEG2000"} if features.check("jpg_2000") else {}
    for name, kind in names.items():
        picture.save(mixed / name, format=kind)
    picture.save(apart / "ten.png")
    (mixed / "linked").symlink_to(apart)
    done = impasto("batch", mixed, "-s", networks["starry-night"], "-o", "out", "--size", "16")
    assert done.code == 0, done.err
    with open("out/manifest.jsonl") as file:
        lines = [json.loads(line) for line in file]
    assert {line["picture"] for line in lines} == {*names, "linked/ten.png"}


def test_hidden_files_alone_are_told_but_no_failure(impasto, folder, inline, networks):
    (folder / ".DS_Store").write_bytes(b"\0")
    done = impasto("batch", folder, "-s", networks["starry-night"], "-o", "out", "--size", "16")
    assert done.code == 0
    assert "passed over: 1 x hidden file or folder" in done.err


def test_notes_of_pictures_reach_the_manifest(impasto, tmp_path, inline, networks):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    frames = [Image.new("RGB", (32, 24), color) for color in ("red", "blue")]
    frames[0].save(shelf / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("CMYK", (32, 24)).save(shelf / "print.jpg")
    Image.new("RGBA", (32, 24), (9, 9, 9, 99)).save(shelf / "clear.png")
    Image.new("RGB", (32, 24)).save(shelf / "plain.png")
    options = ("-o", "out", "--size", "16", "--format", "jpg")
    done = impasto("batch", shelf, "-s", networks["starry-night"], *options)
    assert done.code == 0, done.err
    with open("out/manifest.jsonl") as file:
        notes = {line["picture"]: line.get("note") for line in map(json.loads, file)}
    assert notes == {
        "moving.gif": "animated: first frame of 2 taken",
        "print.jpg": "CMYK without a colour profile: its colours are a guess",
        "clear.png": "JPEG has no transparency: the picture is laid on white",
        "plain.png": None,
    }
