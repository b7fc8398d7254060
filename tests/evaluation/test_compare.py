"""Comparisons side by side: who takes part, the sheet, the page, what is written where."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image
from skimage import data

from impasto import image
from impasto.api import stylize, visualize
from impasto.api.inputs import read_image
from impasto.errors import InputError
from impasto.evaluation import compare as comparing
from impasto.evaluation import worker
from impasto.evaluation.candidates import Entrant
from impasto.evaluation.compare import SideBySide, compare
from impasto.evaluation.results import Comparison, Failure, Row
from impasto.image import Image as Picture

QUICK = "gatys:steps=2:levels=1"
BROKEN = "mmd:style_layers=relu9_1"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A photo of 90x60 and a painting."""
    folder = tmp_path_factory.mktemp("compare")
    Image.fromarray(data.coffee()).resize((90, 60)).save(folder / "cup.png")
    Image.fromarray(data.chelsea()).resize((80, 60)).save(folder / "cat.png")
    return folder


def inline(job):
    """Paint in this process; that there is another one is tested with evaluations."""
    outcomes = []
    worker.stylize_pairs(job, outcomes.append)
    yield from outcomes


@pytest.fixture(scope="module")
def found(shelf):
    options = {"size": 48, "precision": "float32"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "run", inline)
        return compare(
            str(shelf / "cup.png"), shelf / "cat.png", [QUICK, BROKEN, "photo"], **options
        )


def side(labels=("gatys", "wct"), failures=()):
    """A comparison without the work: flat pictures, green and blue."""
    shown = [Picture(torch.full((1, 3, 30, 40), value)) for value in (0.25, 0.5)]
    colors = [torch.tensor(c).view(1, 3, 1, 1) for c in ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0))]
    pictures = [Picture(color.expand(1, 3, 30, 40).contiguous()) for color in colors]
    numbers = dict.fromkeys(("style", "gram", "content", "edges", "edge_ssim"), 0.5)
    rows = [Row(label, "p", "s", numbers, {}, 1.5, 2 * 10**9) for label in labels]
    failed = [Failure(label, "p", "s", why) for label, why in failures]
    told = Comparison(40, 7, tuple(rows), tuple(failed))
    return SideBySide(
        *shown, ("dir/<b>.jpg", "sample:swirls"), dict(zip(labels, pictures, strict=False)), told
    )


class Reader(HTMLParser):
    """Everything that a test asks of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_pictures_are_the_pipelines_and_failures_are_listed(found, shelf):
    assert list(found.pictures) == [QUICK]
    again = stylize.stylize(
        shelf / "cup.png",
        shelf / "cat.png",
        settings={"steps": 2, "levels": 1},
        size=48,
        precision="float32",
    )
    assert (found.pictures[QUICK].rgb - again.rgb).abs().max() < 3 / 255
    assert found.photo.size == (48, 32)
    (failure,) = found.numbers.failures
    assert (failure.method, failure.content) == (BROKEN, str(shelf / "cup.png"))
    assert "relu9_1" in failure.error
    assert [row.method for row in found.numbers.rows] == ["photo", "painting", QUICK]
    assert {row.picture for row in found.numbers.rows} == {""}  # the files are gone


def test_the_sheet_has_every_picture_and_what_failed():
    plain = side().sheet()
    failed = side(failures=[("mmd", "no memory")]).sheet()
    for sheet in (plain, failed):
        for color in ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
            same = sheet.rgb[0] == torch.tensor(color).view(3, 1, 1)
            assert int(same.all(0).sum()) == 30 * 40
    assert failed.height > plain.height  # a fifth picture begins a row


def test_the_page_is_whole_and_needs_nothing_from_elsewhere():
    text = side(("gatys", 'a<i>"&'), [("mmd", "no <memory>")]).page()
    page = Reader(text)
    assert page.open == []  # every element is closed
    assert "http:" not in text
    assert "https:" not in text
    assert not {"link", "iframe", "base", "object"} & {tag for tag, _ in page.tags}
    assert all(one["src"].startswith("data:image/webp;base64,") for one in page.all("img"))
    assert all("src" not in one for one in page.all("script"))
    assert "url(data:" in text
    assert text.count("url(") == 1  # the photo, once for all sliders
    assert "i" not in {tag for tag, _ in page.tags}  # names are words, not elements
    for words in ("<b>.jpg in the style of swirls", 'a<i>"&', "no <memory>", "seed 7"):
        assert words in page.text
    assert any("default-src 'none'" in one.get("content", "") for one in page.all("meta"))


def test_the_page_works_from_the_keyboard_and_on_a_phone():
    page = Reader(side().page())
    sliders = page.all("input")
    assert [one["type"] for one in sliders] == ["range"] * 2  # which arrow keys move
    assert [one["aria-label"].split(":")[0] for one in sliders] == ["gatys", "wct"]
    assert all(one["alt"] for one in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"
    assert any(one.get("name") == "viewport" for one in page.all("meta"))


def test_the_pages_pictures_are_those_that_were_painted():
    uri = Reader(side().page()).all("img")[0]["src"]
    shown = image.load(base64.b64decode(uri.partition(",")[2]))
    assert shown.size == (40, 30)
    assert (shown.rgb[0, :, 15, 20] - torch.tensor([0.0, 1.0, 0.0])).abs().max() < 0.05


def test_a_target_gets_what_its_name_asks_for(tmp_path):
    side().write(tmp_path / "one.html")
    side().write(tmp_path / "two.jpg")
    side(("gatys", "mmd:losses=a/b")).write(tmp_path / "all")
    assert (tmp_path / "one.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert Image.open(tmp_path / "two.jpg").format == "JPEG"
    names = ["comparison.html", "comparison.json", "comparison.png", "gatys.png"]
    assert sorted(os.listdir(tmp_path / "all")) == [*names, "mmd-losses=a-b.png"]
    assert json.loads((tmp_path / "all" / "comparison.json").read_text())["seed"] == 7
    assert sorted(os.listdir(tmp_path)) == ["all", "one.html", "two.jpg"]


def test_pictures_of_a_sweep_are_each_in_their_file(tmp_path):
    side(("mmd:losses=a + b", "mmd:losses=a b")).write(tmp_path / "sweep")
    found = sorted(os.listdir(tmp_path / "sweep"))
    assert found[3:] == ["mmd-losses=a-b-2.png", "mmd-losses=a-b.png"]
    side(("comparison", "x")).write(tmp_path / "name of the sheet")
    assert sorted(os.listdir(tmp_path / "name of the sheet"))[0] == "comparison-2.png"


def test_the_page_and_the_sheet_show_what_differs_in_a_sweep():
    common = "style_layers=relu1_1,relu2_1,relu3_1,relu4_1"
    labels = [f"mmd:{common}:losses={loss}" for loss in ("gram", "moments")]
    page = Reader(side(labels, [(f"mmd:{common}:losses=linear", "no memory")]).page())
    for loss in ("gram", "moments"):
        assert page.text.count(f"mmd:losses={loss}:…") == 2  # under the picture, and in the table
    titles = [one["title"] for one in page.all("figcaption") if "title" in one]
    assert titles == labels
    tiles = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "contact_sheet", lambda given, **_: tiles.extend(given))
        side(labels, [(f"mmd:{common}:losses=linear", "no memory")]).sheet()
    firsts = [label.splitlines()[0] for label, _ in tiles]
    assert firsts[2:] == [f"mmd:losses={loss}:…" for loss in ("gram", "moments", "linear")]


def test_labels_of_a_sheet_are_wrapped_and_not_cut():
    labels = [f"wct:levels={levels}" for levels in ("relu4_1,relu3_1,relu2_1,relu1_1", "relu1_1")]
    tiles = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "contact_sheet", lambda given, **_: tiles.extend(given))
        side(labels).sheet()
    lines = tiles[2][0].splitlines()
    assert "".join(lines[:2]) == labels[0]
    assert max(map(len, lines[:2])) <= 36


def test_bad_targets_are_found_before_the_work(tmp_path):
    (tmp_path / "there").mkdir()
    for good in ("there", "new", "page.html", "sheet.png"):
        comparing.check_target(tmp_path / good)
    for bad in ("none/new", "none/page.html", "none/sheet.png", "sheet.gif"):
        with pytest.raises(InputError):
            comparing.check_target(tmp_path / bad)


def numbers(methods, quality, steps=None):
    found = comparing._with_quality_settings(methods, ["sample:rocket"], quality, steps)
    return {one.label: dict(one.settings) for one in found}


def test_a_quality_is_numbers_of_what_optimises():
    good = numbers(["all"], "good")
    assert set(good) >= {"cnnmrf", "gatys", "mmd", "adain", "wct"}
    assert good["gatys"] == good["mmd"] == {"steps": "20", "coarse_steps": "60"}
    assert good["wct"] == {}
    assert numbers(["mmd"], "best", 7)["mmd"] == {"steps": "7", "coarse_steps": "150"}
    assert numbers([QUICK], "good")[QUICK] == {"steps": "2", "levels": "1", "coarse_steps": "60"}
    assert "gatys" not in numbers(["all"], "fast")
    assert numbers(["all", "gatys"], "fast")["gatys"] == {}
    candidate = Entrant("gatys", {"steps": "9"}, "mine")
    assert numbers([candidate], "good") == {"mine": {"steps": "9", "coarse_steps": "60"}}
    with pytest.raises(InputError, match="unknown quality"):
        numbers(["all"], "better")


def test_what_cannot_be_is_known_before_the_work(shelf):
    cup, cat = shelf / "cup.png", shelf / "cat.png"
    wrong = {
        "starry-night is what a network has learned": (cup, "starry-night", ["gatys"]),
        "does not exist": (cup, shelf / "none.png", ["gatys"]),
        "unknown method 'gatyss'": (cup, cat, ["gatyss"]),
        "painting of great-wave is not among": (cup, cat, ["great-wave"]),
        "no methods are named": (cup, cat, []),
    }
    for words, given in wrong.items():
        with pytest.raises(InputError, match=words):
            compare(*given, size=48)


def test_on_the_command_line(impasto, shelf, tmp_path, monkeypatch):
    asked = {}

    def made(photo, style, methods, **options):
        asked.update(options, methods=methods)
        return side(failures=[("mmd", "no memory")])

    monkeypatch.setattr(comparing, "compare", made)
    sweep = "adain:alpha=0.2,alpha=0.5,wct:levels=relu2_1,relu1_1"
    impasto("compare", "-", "-s", "cat.png", "--methods", sweep, "-o", tmp_path / "x.html")
    assert asked["methods"] == [
        "adain:alpha=0.2",
        "adain:alpha=0.5",
        "wct:levels=relu2_1,relu1_1",
    ]
    (tmp_path / "x.html").unlink()
    done = impasto("compare", "-", "-s", "cat.png", "--methods", "gatys, mmd", "--steps", 3)
    assert done.code == 0, done.err
    assert (asked["methods"], asked["steps"], asked["quality"]) == (["gatys", "mmd"], 3, "good")
    assert "gatys" in done.out.decode()
    assert "±" not in done.out.decode()
    assert "impasto: mmd, p, s: no memory" in done.err
    assert os.listdir(tmp_path) == ["picture-cat-compared"]
    assert len(os.listdir(tmp_path / "picture-cat-compared")) == 5
    monkeypatch.undo()
    wrong = impasto("compare", shelf / "cup.png", "-s", shelf / "none.png", "-o", shelf / "x.html")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert not (shelf / "x.html").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.slow
@pytest.mark.parametrize("command", ["compare", "evaluate"])
def test_control_c_writes_what_is_finished(impasto, shelf, tmp_path, monkeypatch, command):
    """The second method would take an hour; the first is in the file."""
    long = "gatys:steps=1000000:levels=1"
    photo, painting = shelf / "cup.png", shelf / "cat.png"
    given = {
        "compare": [photo, "-s", painting, "-o", tmp_path / "out"],
        "evaluate": [photo, painting, "--json", tmp_path / "out.json"],
    }[command]
    first = {"compare": QUICK, "evaluate": "photo"}[command]

    def interrupted(job):
        if job.settings["steps"] == "1000000":
            signal.raise_signal(signal.SIGINT)
            yield None  # a beat, at which the job looks up
        yield from inline(job)

    monkeypatch.setattr(worker, "run", interrupted)
    done = impasto(command, *given, "--methods", f"{first},{long}", "--size", 48)
    assert done.code == 130, done.err
    assert "impasto: cancelled; what was finished is in " in done.err
    told = tmp_path / ("out.json" if command == "evaluate" else "out/comparison.json")
    rows = [row["method"] for row in json.loads(told.read_text())["rows"]]
    assert rows == list(dict.fromkeys(["photo", "painting", first]))


def test_a_sheet_of_styles(impasto, shelf, tmp_path):
    seen = []
    sheet = visualize.styles(
        shelf / "cup.png",
        ["adele", "great-wave", "gray-tree"],
        size=24,
        columns=2,
        callback=lambda p: seen.append((p.step, p.total, p.stage)),
    )
    ends = seen[7::8]  # each is painted at eight shifts
    assert ends == [(8, 24, "adele"), (16, 24, "great-wave"), (24, 24, "gray-tree")]
    shown = read_image(shelf / "cup.png").resized(16, 24)
    found = sheet.rgb.unfold(2, 16, 1).unfold(3, 24, 1)  # every window of the sheet
    for name in ("photo", "adele", "great-wave", "gray-tree"):
        one = shown if name == "photo" else stylize.stylize(shown, name)
        apart = (found - one.rgb[:, :, None, None]).abs().amax((0, 1, 4, 5))
        assert apart.min() < 2 / 255, name
    few = visualize.styles(shelf / "cup.png", size=24, callback=lambda p: p.cancel())
    assert few.width < 4 * 24
    with pytest.raises(InputError, match="no model 'adelle'"):
        visualize.styles(shelf / "cup.png", ["adelle"])
    with pytest.raises(InputError, match="columns is 0"):
        visualize.styles(shelf / "cup.png", columns=0)


def test_a_sheet_of_styles_on_the_command_line(impasto, shelf, monkeypatch, tmp_path):
    monkeypatch.setattr(visualize, "styles", lambda photo, **options: read_image(photo))
    done = impasto("styles", "--sheet", shelf / "cup.png")
    assert (done.code, os.listdir(tmp_path)) == (0, ["cup-styles.png"])
    wrong = impasto("styles", "-o", "x.png")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert impasto("styles").code == 0
