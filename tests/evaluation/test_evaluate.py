"""Comparisons: processes of their own, failing pairs, learned styles, tables."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from PIL import Image
from skimage import data

from helpers import fresh_johnson
from impasto.api import stylize as pipeline
from impasto.api.card import thumbnail
from impasto.api.inputs import find_all_images, read_image, resize_long_edge, resize_to_same_pixels
from impasto.errors import InputError
from impasto.evaluation import candidates, evaluate, metrics, worker
from impasto.evaluation.candidates import Entrant
from impasto.image import Image as Picture
from impasto.image import load
from impasto.models import checkpoint, zoo

QUICK = "gatys:steps=2:levels=1"
SIZE = 48


@pytest.fixture
def folders(tmp_path):
    """Two photos and a file that is none; one painting."""
    photos, paintings = tmp_path / "photos", tmp_path / "paintings"
    photos.mkdir()
    paintings.mkdir()
    for name in ("astronaut", "coffee"):
        Image.fromarray(getattr(data, name)()).resize((90, 60)).save(photos / f"{name}.png")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff, and nothing more")
    read_image("sample:chelsea").resized(60, 80).save(paintings / "cat.png")
    return str(photos), str(paintings)


@pytest.fixture
def network(tmp_path):
    """A johnson that learned nothing, and says it learned the cat."""
    shown = {"cat": thumbnail(read_image("sample:chelsea"))}
    return str(fresh_johnson(tmp_path / "cat.safetensors", "cat", thumbnails=shown))


def test_files_of_labels_stay_apart():
    """Signs that no file's name may have, long labels, and systems that know no capitals."""
    long = "gatys:style_layers=" + ",".join(f"relu{n}_1" for n in range(1, 6)) * 2
    labels = ["mmd:losses=a+b", "mmd:losses=a b", f"{long},x", f"{long},y", "A", "a"]
    names = evaluate.file_names(labels)
    assert names[:2] == ["mmd-losses=a-b", "mmd-losses=a-b-2"]
    assert len({name.lower() for name in names}) == len(labels)


@pytest.mark.slow
def test_a_comparison(folders, network, tmp_path, encoder):
    seen = []
    found = evaluate.evaluate(
        *folders,
        ["photo", QUICK, network],
        size=SIZE,
        folder=tmp_path / "out",
        precision="float32",
        callback=lambda p: seen.append((p.step, p.total)),
    )
    assert list(dict.fromkeys(seen)) == [(step, 24) for step in range(1, 25)]
    assert [(row.method, row.content.split("/")[-1]) for row in found.rows] == [
        (name, photo)
        for name in ("photo", "painting", QUICK, network)
        for photo in ("astronaut.png", "coffee.png")
    ]
    assert [row.sentinel for row in found.rows] == [True] * 4 + [False] * 4
    assert [(one.method, one.content.split("/")[-1]) for one in found.failures] == [
        (name, "broken.jpg") for name in ("photo", "painting", QUICK, network)
    ]
    assert all("broken.jpg" in one.error for one in found.failures)
    _check_photo(found.rows[0])
    _check_painting(found.rows[2])
    _check_painted(found.rows[4], folders, tmp_path, encoder)
    told = json.loads(found.json())
    marked = [("photo", True), ("painting", True), (QUICK, False), (network, False)]
    assert [(line["method"], line["sentinel"]) for line in told["summary"]] == marked
    assert told["rows"][4]["metrics"] == found.rows[4].metrics
    assert told["sliced_weights"] == "vgg19-caffe-q8"
    assert not list((tmp_path / "out").glob("photo*"))
    assert not list((tmp_path / "out").glob("painting*"))


def _check_photo(row):
    expected = {"style": 1, "gram": 1, "content": 0, "edges": 1, "edge_ssim": 1, "sliced": 1}
    rest = dict(row.metrics)
    assert rest.pop("layout") == pytest.approx(0, abs=1e-6)
    assert rest.pop("color") > 1
    assert rest == pytest.approx(expected, abs=1e-9)
    assert (row.seconds, row.memory, row.picture) == (None, None, "")


def _check_painting(row):
    assert max(row.metrics[name] for name in ("style", "gram", "sliced")) < 0.3
    assert (row.seconds, row.memory, row.picture) == (None, None, "")


def _check_painted(row, folders, tmp_path, encoder):
    """What was measured is what the pipeline makes and the metrics say, up to 8 bits a pixel."""
    photo, style = f"{folders[0]}/astronaut.png", f"{folders[1]}/cat.png"
    (kept,) = tmp_path.glob("out/gatys-*/001-astronaut--*cat.png")
    again = pipeline.stylize(
        photo, style, settings={"steps": 2, "levels": 1}, size=SIZE, precision="float32"
    )
    assert (load(kept).rgb - again.rgb).abs().max() < 1.01 / 255
    shown = resize_long_edge(read_image(photo), SIZE, None)
    views = [
        metrics.encode_view(encoder, one.rgb)
        for one in (load(kept), shown, resize_to_same_pixels(read_image(style), shown))
    ]
    scores = metrics.measure(*views)
    assert row.metrics == pytest.approx(scores.means(), rel=1e-4)
    assert row.layers["gram"] == pytest.approx(scores.gram, rel=1e-4)
    assert row.metrics["style"] < 1
    assert row.seconds > 0
    assert row.memory is None or 1e8 < row.memory < 1e10


@pytest.mark.slow
def test_sentinels_lose(folders):
    """The photo in all that is measured against the painting, the painting against the photo."""
    photo = f"{folders[0]}/astronaut.png"
    found = evaluate.evaluate(photo, folders[1], ["style-prediction"], size=96)
    lines = {line["method"]: line for line in found.summary()}
    painted, *sentinels = (lines[name] for name in ("style-prediction", "photo", "painting"))
    assert (painted["sentinel"], [one["sentinel"] for one in sentinels]) == (False, [True, True])
    for names, sentinel in zip(
        (("style", "gram", "sliced", "color"), ("content", "layout")), sentinels, strict=True
    ):
        for name in names:
            assert sentinel[name]["mean"] > painted[name]["mean"], name
    assert lines["painting"]["edges"]["mean"] < painted["edges"]["mean"]


def test_flicker_is_measured_if_asked_for(monkeypatch, tmp_path, folders):
    sizes = []

    def stylize(photo, style, *, size, **options):
        shown = (
            photo if not isinstance(photo, str) else resize_long_edge(read_image(photo), size, None)
        )
        sizes.append((shown.size, size))
        fixed = 0.1 * (torch.arange(shown.width) % 2)  # stands still: columns
        return Picture(shown.rgb * 0.5 + fixed)

    monkeypatch.setattr(pipeline, "stylize", stylize)
    pairs = ((f"{folders[0]}/coffee.png", "s", str(tmp_path / "x.png")),)
    outcomes = []
    for flicker in (False, True):
        job = worker.WorkerRequest("gatys", {}, pairs, 60, flicker=flicker)
        worker.stylize_pairs(job, outcomes.append)
    assert outcomes[0].flicker is None
    assert outcomes[1].flicker == pytest.approx(25.5, abs=0.01)
    assert sizes == [((60, 40), 60)] * 2 + [((59, 39), 59)] * 2


def test_sentinels_are_measured_on_the_pairs_of_the_others(folders, network):
    read_image("sample:rocket").resized(60, 80).save(f"{folders[1]}/rocket.png")
    paintings = list(find_all_images(folders[1]).files)
    given = [Entrant("photo"), Entrant(network), Entrant("painting")]
    assert candidates.style_images_of(given, paintings, {}) == [paintings[:1]] * 3
    assert candidates.style_images_of(given[::2], paintings, {}) == [paintings] * 2


def test_a_process_that_dies_is_told_of_and_leaves_its_pairs(monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    job = worker.WorkerRequest("gatys", {}, (("a", "b", "c"), ("d", "e", "f")), 32)
    outcomes = [one for one in worker.run(job) if one is not None]
    assert [one.error for one in outcomes] == ["its process ended with exit code 1"] * 2


def test_last_words(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"Traceback\n  in torch\nMemoryError\n\n")
    with log.open("rb") as file:
        assert worker.describe_exit(1, file) == "its process ended with exit code 1: MemoryError"
        assert "signal 9 (out of memory?)" in worker.describe_exit(-9, file)


def test_what_goes_wrong_inside_a_method_costs_one_pair(monkeypatch, tmp_path):
    calls = []

    def stylize(photo, style, **options):
        calls.append(photo)
        if len(calls) == 1:
            raise ZeroDivisionError("by zero\nin one line")
        return read_image("sample:chelsea").resized(8, 8)

    monkeypatch.setattr(pipeline, "stylize", stylize)
    pairs = tuple((name, "s", str(tmp_path / f"{name}.png")) for name in "ab")
    outcomes = []
    worker.stylize_pairs(worker.WorkerRequest("gatys", {}, pairs, 32), outcomes.append)
    assert outcomes[0].error == r"ZeroDivisionError('by zero\nin one line')"
    assert not outcomes[1].error
    assert (tmp_path / "b.png").is_file()
    worker.stylize_pairs(worker.WorkerRequest("gatys", {"stepps": "1"}, pairs, 32), outcomes.append)
    assert [one.error[:24] for one in outcomes[2:]] == ["unknown setting 'stepps'"] * 2


def test_memory_is_the_processs_own():
    own = worker.peak_memory()
    assert own is None or 1e8 < own < 1e11


def test_cancelling_keeps_what_there_is(folders):
    found = evaluate.evaluate(*folders, ["photo", QUICK], size=SIZE, callback=lambda p: p.cancel())
    assert {row.method for row in found.rows} == {"photo"}
    assert len(found.rows) + len(found.failures) == 1


def test_a_job_is_cancelled_while_a_method_paints(folders):
    """Not only between its pictures: this one would take an hour."""

    def impatient(progress):
        if progress.step == 4 and progress.stage == "gatys, painting":  # a beat
            progress.cancel()

    photo = f"{folders[0]}/coffee.png"
    methods = ["photo", "gatys:steps=100000:levels=1"]
    found = evaluate.evaluate(photo, folders[1], methods, size=SIZE, callback=impatient)
    assert [row.method for row in found.rows] == ["photo", "painting"]
    assert not found.failures


def test_all_is_everyone_who_can_paint_these_paintings(folders, monkeypatch, network):
    (learned,) = zoo.learned_in(network)
    shipped = (learned, *zoo.shipped())
    monkeypatch.setattr(zoo, "shipped", lambda: shipped)
    cat = find_all_images(folders[1]).files
    found = [one.name for one in candidates.all_candidates(cat)]
    models = [one.name for one in shipped if one.kind == "any"]
    assert {"adain", "wct"} <= set(models)
    assert found == ["cnnmrf", "gatys", "mmd", "nnst", *models, "cat"]
    assert "cat" not in [one.name for one in candidates.all_candidates(["sample:rocket"])]
    given = ["photo", "gatys", "all", Entrant("gatys", {"steps": "3"})]
    both = [one.label for one in candidates.parse_candidates(given, cat)]
    assert both == ["photo", "gatys", "cnnmrf", "mmd", "nnst", *models, "cat", "gatys:steps=3"]


def test_a_learned_style_wants_its_own_painting(folders, network, monkeypatch):
    read_image("sample:rocket").resized(60, 80).save(f"{folders[1]}/rocket.png")
    (learned,) = zoo.learned_in(network)
    paintings = list(find_all_images(folders[1]).files)
    assert [path.split("/")[-1] for path in paintings] == ["cat.png", "rocket.png"]
    small = candidates._load_small([*paintings, f"{folders[0]}/broken.jpg"])
    assert list(small) == paintings
    assert candidates._matching_images(learned, small) == paintings[:1]
    with pytest.raises(InputError, match="painting of cat is not among the styles"):
        evaluate.evaluate(folders[0], paintings[1:], [network], size=SIZE)
    known = checkpoint.load(network)
    checkpoint.save(
        checkpoint.Model(known.method, known.config, known.state, known.styles), network
    )
    with pytest.raises(InputError, match="has no thumbnail of its painting"):
        evaluate.evaluate(folders[0], paintings, [network], size=SIZE)


def test_what_cannot_be_is_known_before_the_work(folders, network, tmp_path):
    wrong = {
        "gatyss": "unknown method 'gatyss'",
        "gatys:stepps=1": "unknown setting 'stepps'",
        "texture": "texture cannot stylize",
        "johnson": "name a style",
        "photo:x=1": "photo has no settings",
        f"{network}:x=1": "has no settings",
    }
    for candidate, words in wrong.items():
        with pytest.raises(InputError, match=words):
            evaluate.evaluate(*folders, ["photo", candidate], size=SIZE)
    with pytest.raises(InputError, match="no methods are named"):
        evaluate.evaluate(*folders, [])
    with pytest.raises(InputError, match="no pictures are named"):
        evaluate.evaluate([], folders[1], ["photo"])
    with pytest.raises(InputError, match="no such folder"):
        evaluate.evaluate("nowhere", folders[1], ["photo"])
    with pytest.raises(InputError, match="size is 0"):
        evaluate.evaluate(*folders, ["photo"], size=0)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot make the folder"):
        evaluate.evaluate(*folders, ["photo"], size=SIZE, folder=tmp_path / "file")


def test_a_photo_in_its_own_style_has_no_unit(folders):
    photo = f"{folders[0]}/coffee.png"
    found = evaluate.evaluate(photo, photo, ["photo"], size=SIZE)
    assert not found.rows
    assert "photo and style are the same" in found.failures[0].error


def test_pictures_of_several_places(folders):
    found = find_all_images(["sample:astronaut", folders[0]]).files
    assert [name.split("/")[-1] for name in found] == [
        "sample:astronaut",
        "astronaut.png",
        "broken.jpg",
        "coffee.png",
    ]


@pytest.mark.slow
def test_on_the_command_line(impasto, folders, tmp_path, monkeypatch):
    def inline(job):
        outcomes = []
        worker.stylize_pairs(job, outcomes.append)
        yield from outcomes

    monkeypatch.setattr(worker, "run", inline)
    line = ["evaluate", *folders, "--methods", f"photo,{QUICK}", "--size", SIZE]
    done = impasto(*line, "--json", "out.json", "--keep", "kept")
    assert done.code == 0, done.err
    assert "the painting itself" in done.out.decode()
    assert QUICK in done.out.decode()
    assert done.err.count("broken.jpg") >= 2
    told = json.loads((tmp_path / "out.json").read_text())
    assert len(told["rows"]) == 6
    assert len(list(tmp_path.glob("kept/*/*.png"))) == 2


@pytest.mark.slow
def test_the_command_line_prints_json_and_errors(impasto, folders):
    done = impasto("evaluate", *folders, "--methods", "photo", "--size", SIZE, "--json", "-")
    assert done.code == 0, done.err
    assert json.loads(done.out)["size"] == SIZE
    nothing = impasto("evaluate", f"{folders[0]}/broken.jpg", folders[1], "--methods", "photo")
    assert nothing.code == 1
    assert "nothing could be measured" in nothing.err
    broken = impasto("evaluate", *folders, "--methods", "mmd:style_layers=relu9_1", "--size", SIZE)
    assert broken.code == 1
    assert "nothing could be measured" in broken.err
    wrong = impasto("evaluate", *folders, "--methods", "gatyss")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    place = impasto("evaluate", *folders, "--methods", "photo", "--json", "none/out.json")
    assert place.code == 2
    assert "does not exist" in place.err
