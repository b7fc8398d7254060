"""The gap between folders of pictures: batches, bad files, before and after."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.api.inputs import find_all_images, read_image, resize_long_edge
from impasto.errors import CancelledError, InputError
from impasto.evaluation import folder_distance as gaps
from impasto.evaluation.folder_distance import gap
from impasto.losses.moments import moments
from impasto.losses.two_sample import frechet_distance

LAYERS = ("relu2_1", "relu1_1")
QUICK = {"layers": LAYERS, "size": 32, "permutations": 99}


def noise(seed, coarse, sides, tint):
    """Coloured noise with grains of one size: a style, as far as a network sees."""
    random = np.random.default_rng(seed)
    grains = random.uniform(0, 1, (coarse, coarse, 3)) * (1 - tint) + tint * np.array([1, 0.5, 0])
    shown = Image.fromarray((255 * grains).astype(np.uint8))
    return shown.resize(sides)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Folders a and b of unlike pictures, `same` like a, and `towards`: a mixed with b."""
    folder = tmp_path_factory.mktemp("gap")
    sides = [(48, 36), (36, 48), (40, 40)]
    for name in ("a", "b", "same", "towards"):
        (folder / name).mkdir()
    for i in range(12):
        size = sides[i % 3]
        a, b = noise(i, 16, size, 0.0), noise(100 + i, 4, size, 0.5)
        a.save(folder / "a" / f"{i:02}.png")
        b.save(folder / "b" / f"{i:02}.png")
        noise(200 + i, 16, size, 0.0).save(folder / "same" / f"{i:02}.png")
        Image.blend(a, b, 0.7).save(folder / "towards" / f"{i:02}.png")
    (folder / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff, and nothing more")
    Image.new("RGB", (400, 8)).save(folder / "a" / "ribbon.png")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(scope="module")
def found(shelf):
    return gap(shelf / "a", shelf / "b", shelf / "towards", **QUICK)


def test_a_shift_is_found_and_chance_is_not(shelf, found):
    assert [layer.name for layer in found.layers] == ["relu1_1", "relu2_1"]
    assert all(layer.before.p == 0.01 for layer in found.layers)
    same = gap(shelf / "a", shelf / "same", **QUICK)
    for layer, far in zip(same.layers, found.layers, strict=True):
        assert layer.before.p > 0.05
        assert layer.before.mmd2 < far.before.mmd2 / 10
        assert layer.before.frechet < far.before.frechet
        assert layer.after is None


@pytest.mark.parametrize("kernel", gaps.KERNELS)
def test_a_third_set_that_moves_towards_the_second_lowers_the_gap(shelf, kernel):
    for layer in gap(shelf / "a", shelf / "b", shelf / "towards", kernel=kernel, **QUICK).layers:
        assert layer.after.mmd2 < layer.before.mmd2
        assert layer.after.frechet < layer.before.frechet


def test_before_does_not_depend_on_after(shelf, found):
    alone = gap(shelf / "a", shelf / "b", **QUICK)
    assert [one.before for one in alone.layers] == [one.before for one in found.layers]
    first = gap(shelf / "a", shelf / "b", shelf / "a", **QUICK)
    assert [one.after for one in first.layers] == [one.before for one in first.layers]


def test_what_cannot_be_used_is_listed_and_left_out(shelf, found):
    assert found.counts == (12, 12, 12)
    assert sorted(path.split("/")[-1] for path in found.skipped) == ["broken.jpg", "ribbon.png"]
    assert "too small for relu2_1" in found.skipped[str(shelf / "a" / "ribbon.png")]


def test_numbers_are_those_of_one_picture_at_a_time(shelf, found, encoder):
    """Batches of one shape give what single pictures give, in the order of the files."""

    def vectors(place):
        rows = []
        for path in find_all_images(shelf / place).files:
            if path not in found.skipped:
                shown = resize_long_edge(read_image(path), 32, None).rgb
                with torch.inference_mode():
                    one = moments(encoder(shown, ["relu2_1"])["relu2_1"])
                rows.append(torch.cat([one.mean, one.std], 1).double())
        return torch.cat(rows)

    a, b = vectors("a"), vectors("b")
    both = torch.cat([a, b])
    unit = float((both - both.mean(0)).square().sum(1).mean().sqrt())
    layer = found.layers[1]
    assert layer.unit == pytest.approx(unit, rel=1e-5)
    assert layer.before.frechet == pytest.approx(frechet_distance(a / unit, b / unit), rel=1e-4)


@pytest.mark.parametrize(("batch", "waiting"), [(1, 1 << 23), (1 << 19, 3000), (1200, 2000)])
def test_batches_change_nothing(shelf, found, monkeypatch, batch, waiting):
    monkeypatch.setattr(gaps, "_BATCH_PIXELS", batch)
    monkeypatch.setattr(gaps, "_MAX_WAITING_PIXELS", waiting)
    again = gap(shelf / "a", shelf / "b", **QUICK)
    for one, other in zip(again.layers, found.layers, strict=True):
        assert one.before.mmd2 == pytest.approx(other.before.mmd2, rel=1e-4)
        assert one.before.p == other.before.p


def test_pictures_of_one_shape_go_together(shelf, monkeypatch):
    seen = []
    vectors = gaps._FeatureCollector._vectors

    def note(self, batch):
        seen.append(tuple(batch.shape))
        return vectors(self, batch)

    monkeypatch.setattr(gaps._FeatureCollector, "_vectors", note)
    gap(shelf / "same", shelf / "b", **QUICK)
    assert sorted(seen) == sorted([(4, 3, 24, 32), (4, 3, 32, 24), (4, 3, 32, 32)] * 2)


def test_every_picture_is_reported_and_may_be_the_last(shelf):
    steps = []
    gap(shelf / "a", shelf / "b", **QUICK, callback=lambda p: steps.append((p.step, p.total)))
    assert steps == [(i, 26) for i in range(1, 27)]
    with pytest.raises(CancelledError):
        gap(shelf / "a", shelf / "b", **QUICK, callback=lambda p: p.cancel())


def test_bad_places_and_options_are_errors_in_words(shelf, tmp_path):
    a, b = shelf / "a", shelf / "b"
    for name in ("broken.jpg", "00.png"):
        (tmp_path / name).write_bytes((a / name).read_bytes())
    wrong = {
        "no such folder": {"first": shelf / "nowhere"},
        "holds no pictures": {"second": shelf / "empty"},
        "1 pictures that can be used, and needs 2 at least: .*broken": {"first": tmp_path},
        "unknown kernel 'cubic'": {"kernel": "cubic"},
        "unknown layer 'relu9_1'": {"layers": ("relu9_1",)},
        "unknown layer ''": {"layers": ()},
        "permutations is 0": {"permutations": 0},
        "size is 0": {"size": 0},
    }
    for words, options in wrong.items():
        with pytest.raises(InputError, match=words):
            gap(**{"first": a, "second": b, **QUICK, **options})
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (40, 40), "red").save(tmp_path / name / f"{i}.png")
    with pytest.raises(InputError, match="all pictures are the same at relu1_1"):
        gap(tmp_path / "one", tmp_path / "other", **QUICK)


@pytest.mark.slow
def test_on_the_command_line(impasto, shelf, tmp_path):
    options = ("--layers", "relu1_1, relu2_1", "--size", 32, "--permutations", 99)
    done = impasto("gap", shelf / "a", shelf / "b", *options, "--json", "gap.json")
    assert done.code == 0, done.err
    assert "relu2_1" in done.out.decode()
    assert "0.010" in done.out.decode()
    assert done.err.count("impasto: skipped") == 2
    told = json.loads((tmp_path / "gap.json").read_text())
    assert [one["name"] for one in told["layers"]] == ["relu1_1", "relu2_1"]
    assert len(told["skipped"]) == 2
    line = ("gap", shelf / "a", shelf / "b", "--after", shelf / "towards", *options)
    both = impasto(*line).out.decode()
    assert "Fréchet after" in both
    assert "%" in both
    assert json.loads(impasto(*line, "--json", "-").out)["counts"] == [12, 12, 12]
    nowhere = impasto("gap", shelf / "a", shelf / "nowhere")
    assert (nowhere.code, nowhere.err.count("\n")) == (2, 1)
