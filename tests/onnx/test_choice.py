"""The automatic choice of a runtime: by measured time, within a bound on the difference."""

from __future__ import annotations

import json

import pytest
import torch

from impasto.api import load as loading
from impasto.errors import InputError, WeightsError
from impasto.methods.network import NetworkMethod
from impasto.onnx import choice
from impasto.onnx.runtime import Exported
from small_graphs import write

SECONDS = {"torch": 1.0, "onnxruntime": 0.8, "openvino": 0.5}


@pytest.mark.parametrize(
    ("seconds", "differences", "chosen"),
    [
        (SECONDS, {}, "openvino"),
        (SECONDS, {"openvino": 1.01 / 255}, "onnxruntime"),
        (SECONDS, {"openvino": 0.99 / 255}, "openvino"),
        (SECONDS, {"openvino": 0.1, "onnxruntime": 0.1}, "torch"),
        (SECONDS, {"openvino": float("nan"), "onnxruntime": float("nan")}, "torch"),
        ({"torch": 1.0, "openvino": 0.96}, {}, "torch"),
        ({"torch": 1.0, "openvino": 0.94}, {}, "openvino"),
        ({"torch": 1.0}, {}, "torch"),
    ],
)
def test_the_fastest_that_paints_the_same(seconds, differences, chosen):
    assert choice.choose(seconds, differences) == chosen


class Painter:
    """A method that adds a number to the photo."""

    def __init__(self, more):
        self.more = more

    def own_style(self):
        return None

    def stylize(self, content, _style):
        return content + self.more

    def synthesize(self, _style, height, width):
        return torch.full((1, 3, height, width), self.more)

    def upscale(self, picture):
        return picture.repeat(1, 1, 4, 4) + self.more


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """trial(kind, key) chooses; it counts what is built, and times as in SECONDS."""
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "x.safetensors"
    model.write_bytes(b"weights")
    more = {"torch": 0.0, "onnxruntime": 0.001, "openvino": 0.002}
    versions = dict.fromkeys(SECONDS, "1")
    built = []

    def build(name):
        built.append(name)
        if more[name] is None:
            raise WeightsError("it has no graph")
        return Painter(more[name])

    def seconds(_kind, method, _photo):
        (name,) = (name for name, own in more.items() if own == method.more)
        return SECONDS[name]

    monkeypatch.setattr(choice, "_version", versions.get)
    monkeypatch.setattr(choice, "_seconds", seconds)

    def choose(kind="style", key=""):
        return choice.fastest(model, kind, build, key=key)

    choose.built, choose.more, choose.versions, choose.model = built, more, versions, model
    return choose


@pytest.mark.parametrize("kind", ["style", "texture", "upscale"])
def test_it_is_measured_once(trial, kind, tmp_path):
    assert [trial(kind) for _ in range(2)] == ["openvino"] * 2
    assert len(trial.built) == 3
    (record,) = (tmp_path / "cache").rglob("speed-*.json")
    saved = json.loads(record.read_text())
    assert saved["seconds"] == SECONDS
    assert saved["differences"]["openvino"] == pytest.approx(0.002, rel=1e-3)


def test_it_is_measured_again_when_anything_changes(trial, monkeypatch):
    def changed(count):
        trial()
        return len(trial.built) == 3 * count

    assert changed(1)
    trial.model.write_bytes(b"others")
    assert changed(2)
    trial.versions["openvino"] = "2"
    assert changed(3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert changed(4)
    assert trial(key="bfloat16") == "openvino"
    assert len(trial.built) == 15


def test_what_differs_or_fails_is_not_taken(trial, monkeypatch):
    trial.more["openvino"] = 0.1
    assert trial() == "onnxruntime"
    trial.more |= {"openvino": None, "onnxruntime": None}
    assert trial(key="again") == "torch"


def test_nothing_is_measured_where_nothing_else_is_installed(trial):
    trial.versions |= {"onnxruntime": "", "openvino": ""}
    assert trial() == "torch"
    assert not trial.built


def test_a_damaged_record_and_no_cache(trial, tmp_path, monkeypatch):
    trial()
    (record,) = (tmp_path / "cache").rglob("speed-*.json")
    for text in ("", "[]", '{"fastest": "other"}'):
        record.write_text(text)
        assert trial() == "openvino"
    assert len(trial.built) == 12
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "file"))
    assert trial() == "openvino"


def test_torch_where_an_export_can_do_less(monkeypatch):
    monkeypatch.setattr(choice, "fastest", lambda *_, **__: "openvino")
    monkeypatch.setattr(loading, "open_model", lambda found, **_: found.name)
    monkeypatch.setattr(loading, "cached_export", lambda _: 1 / 0)
    assert loading.get_method("resample", runtime="auto").name == "resample"  # no network
    for name in ("adain", "wct"):  # reads encoded styles; cannot be exported
        assert loading.load_model(name, runtime="auto") == name
    for options in ({"memory": 1 << 30}, {"preset": "paper"}, {"settings": {"alpha": 1}}):
        assert loading.load_model("starry-night", runtime="auto", **options) == "starry-night"
    with pytest.raises(ZeroDivisionError):
        loading.load_model("starry-night", runtime="auto")


def test_the_choice_is_opened(monkeypatch, tmp_path):
    pytest.importorskip("onnxruntime")
    graph = write(tmp_path / "x.onnx")
    monkeypatch.setattr(loading, "cached_export", lambda _: graph)
    asked = []

    def fastest(path, kind, build, *, key):
        asked.append((path.name, kind, key, type(build("torch")), type(build("onnxruntime"))))
        return "onnxruntime"

    monkeypatch.setattr(choice, "fastest", fastest)
    method = loading.load_model("starry-night", runtime="auto", precision="float32")
    assert isinstance(method, Exported)
    ((name, kind, key, first, second),) = asked
    assert (name, kind, key) == ("starry-night.safetensors", "style", "torch.float32")
    assert issubclass(first, NetworkMethod)
    assert second is Exported
    assert isinstance(loading.load_model(graph, runtime="auto"), Exported)
    assert len(asked) == 1, "an ONNX file has no network in torch to compare with"


def test_an_unknown_runtime():
    for source in ("starry-night", "x.onnx"):
        with pytest.raises(InputError):
            loading.load_model(source, runtime="tf")
