"""One picture after another: the same as ``stylize``, with less work."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from batch_pictures import draw
from impasto.api import load as building
from impasto.api import stylize
from impasto.batch.plan import plan
from impasto.batch.worker import Worker, rounded_pixels
from impasto.errors import InputError
from impasto.image import load
from impasto.methods.arbitrary.adain import AdaIn


def painted(job, out):
    worker = Worker(job, out)
    return [worker.paint(item) for item in plan(job, out)]


@pytest.fixture
def encoded(monkeypatch):
    """The sizes of the paintings that are encoded."""
    sizes, encode = [], AdaIn.encode

    def count(self, picture):
        sizes.append(tuple(picture.shape[-2:]))
        return encode(self, picture)

    monkeypatch.setattr(AdaIn, "encode", count)
    return sizes


@pytest.mark.parametrize(
    "options", [{"style_scale": 0.7, "strength": 0.5}, {"colors": "luminance"}, {"median": True}]
)
def test_a_photo_of_usual_sides_is_painted_as_stylize_paints_it(make, folder, tmp_path, options):
    job = make(["sample:wave"], method="adain", size=32, **options)
    assert not any(one.error for one in painted(job, tmp_path / "out"))
    for name, result in (("a.png", "a.png"), ("sub/b.gif", "sub/b~gif.png")):
        direct = stylize.stylize(
            folder / name, "sample:wave", method="adain", size=32, precision="float32", **options
        )
        there = load(tmp_path / "out" / result).rgb
        assert (there - direct.rgb).abs().max() <= 0.6 / 255


def test_16_bits_and_metadata_are_written(make, folder, tmp_path):
    with Image.open(folder / "a.jpg") as photo:
        photo.save(folder / "a.jpg", dpi=(300, 300))
    job = make(size=16)
    painted(replace(job, bits=16, keep_metadata=True), tmp_path / "deep")
    painted(job, tmp_path / "plain")
    deep, plain = load(tmp_path / "deep/a~jpg.png"), load(tmp_path / "plain/a.png")
    assert deep.metadata is not None
    np.testing.assert_allclose(deep.metadata.dpi, 300, atol=0.01)
    assert load(tmp_path / "plain/a.jpg").metadata is None
    for picture, whole in ((deep, False), (plain, True)):  # whether all are 8-bit levels
        levels = picture.rgb * 255
        assert bool(((levels - levels.round()).abs() < 1e-3).all()) == whole


def test_a_style_is_encoded_once_for_photos_of_all_usual_shapes(make, folder, tmp_path, encoded):
    for index, sides in enumerate(((64, 36), (36, 64), (64, 64), (60, 40))):
        draw(folder / "shapes" / f"{index}.png", *sides)
    draw(folder / "shapes" / "panorama.png", 64, 12)
    assert not any(one.error for one in painted(make(["sample:wave"], method="adain"), tmp_path))
    assert len(encoded) == 2
    large, small = sorted(height * width for height, width in encoded)[::-1]
    assert large / small == pytest.approx(4, rel=0.1)


def test_a_style_that_takes_the_photos_colours_is_encoded_for_each(make, tmp_path, encoded):
    painted(make(["sample:wave"], method="adain", colors="match"), tmp_path / "out")
    assert len(encoded) == 4


def test_models_are_opened_once(make, tmp_path, monkeypatch):
    opened, open_learned = [], building.load_learned

    def count(learned, **options):
        opened.append(learned.path)
        return open_learned(learned, **options)

    monkeypatch.setattr("impasto.api.resolve.load_learned", count)
    painted(make(["adele", "gray-tree", "starry-night"], size=16), tmp_path / "out")
    assert len(opened) == len(set(opened)) == 2


def test_memory_and_runtime_reach_the_networks(make, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(
        "impasto.api.resolve.load_learned",
        lambda learned, **options: given.append(options) or 1 / 0,
    )
    (first, *_) = painted(make(memory=5 << 20, runtime="onnx"), tmp_path / "out")
    assert first.error == "ZeroDivisionError('division by zero')"
    assert (given[0]["memory"], given[0]["runtime"]) == (5 << 20, "onnx")


@pytest.mark.parametrize(("width", "height"), [(512, 384), (384, 512), (512, 512), (512, 288)])
def test_usual_pixels(width, height):
    assert rounded_pixels(height * width, 512 * 384) == 512 * 384
    assert rounded_pixels(height * width, 256 * 192) == 4 * 256 * 192


def test_what_is_there_is_left_alone(make, tmp_path):
    job = make()
    first, *_ = plan(job, tmp_path / "out")
    draw(tmp_path / "out" / first.output)
    before = (tmp_path / "out" / first.output).read_bytes()
    outcome = Worker(job, tmp_path / "out").paint(first)
    assert (outcome.seconds, outcome.error) == (None, "")
    assert (tmp_path / "out" / first.output).read_bytes() == before


def test_an_error_is_told_in_a_line(make, folder, tmp_path):
    (folder / "a.jpg").write_text("dear diary")
    outcome, *others = painted(make(), tmp_path / "out")
    assert "a.jpg" in outcome.error
    assert "\n" not in outcome.error
    assert not any(one.error for one in others)


@pytest.mark.parametrize(
    ("named", "options", "words"),
    [
        (["starry-night"], {"method": "adain"}, "leave `method` out"),
        (["starry-night"], {"quality": "good"}, "leave the quality good out"),
        (["starry-night"], {"match_histogram": True}, "no picture to take the histogram of"),
        (["sample:wave"], {"method": "nothing"}, "nothing"),
        (["sample:wave"], {"settings": {"no_such": "1"}}, "no_such"),
        (["broken.png"], {}, "broken.png"),
    ],
)
def test_what_makes_no_sense_is_found_before_the_work(
    make, tmp_path, monkeypatch, named, options, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(InputError, match=words):
        Worker(make(named, **options), tmp_path / "out").check()


def test_a_broken_painting_among_others_is_left_to_its_pictures(make, tmp_path):
    (tmp_path / "broken.png").write_text("no picture")
    Worker(make([tmp_path / "broken.png", "sample:wave"], method="adain"), tmp_path).check()
