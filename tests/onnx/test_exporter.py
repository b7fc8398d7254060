"""Exporting: what a file says of its model, what is not written, what goes wrong."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from exports import EXACT, LAYERS, painted, photo, save
from impasto.api import specialize
from impasto.core.device import choose
from impasto.errors import (
    CancelledError,
    ImpastoError,
    InputError,
    MissingExtraError,
)
from impasto.methods import config
from impasto.methods.arbitrary.meta_network import MetaNetwork
from impasto.methods.graphs import Graph, Input, picture, uniform
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import get
from impasto.models import checkpoint, onnx_file, zoo
from impasto.nn.fast import instance_norm
from impasto.onnx import exporter as export
from impasto.onnx import graph as tracing

pytestmark = pytest.mark.slow  # ten networks are exported

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def test_what_a_file_tells(exported):
    _, target, (one,) = exported("cin")
    assert (one.path, one.names) == (target, ("style0", "style1", "style2"))
    assert one.size == target.stat().st_size
    proto = onnx.load(target)
    onnx.checker.check_model(proto, full_check=True)
    told = {entry.key: entry.value for entry in proto.metadata_props}
    assert (told["method"], told["kind"], told["licence"]) == ("cin", "style", "CC0")
    assert json.loads(told["styles"]) == ["style0", "style1", "style2"]
    numbers = {key: int(told[key]) for key in ("multiple", "smallest", "factor", "opset")}
    assert numbers == {"multiple": 4, "smallest": 16, "factor": 1, "opset": 18}
    assert json.loads(told["card"]) == {"kind": "style", "licence": "CC0"}
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 18)]
    assert b".py" not in target.read_bytes(), "no places of the machine that made it"
    assert b"stack_trace" not in target.read_bytes()
    shapes = [
        [side.dim_param or side.dim_value for side in end.type.tensor_type.shape.dim]
        for end in (*proto.graph.input, *proto.graph.output)
    ]
    assert shapes == [[1, 3, "4*h", "4*w"], [1, 3], [1, 3, "4*h", "4*w"]]
    assert [learned.name for learned in zoo.learned_in(target)] == json.loads(told["styles"])


def test_borders_that_wrap_around_want_a_newer_opset(exported):
    _, target, _ = exported("texture")
    proto = onnx.load(target)
    modes = {part.s for node in proto.graph.node for part in node.attribute if part.name == "mode"}
    assert b"wrap" in modes
    assert (proto.opset_import[0].version, proto.ir_version) == (19, 9)
    assert onnx_file.read_metadata(target)["opset"] == 19


def test_names_of_shipped_models():
    assert zoo.model_of("bricks") == zoo.folder() / "bricks.safetensors"
    assert zoo.model_of("adele") == zoo.model_of("cin")


def test_two_files_of_which_one_is_named(exported):
    _, target, written = exported("style-prediction")
    predictor = target.with_name("style-prediction-predictor.onnx")
    assert [one.path for one in written] == [predictor, target]
    assert onnx_file.read_metadata(target)["predictor"] == predictor.name
    with pytest.raises(InputError, match=r"is a part of style-prediction\.onnx: name that file"):
        zoo.learned_in(predictor)


def test_the_network_that_meta_network_writes(tmp_path):
    path, small = tmp_path / "big.safetensors", tmp_path / "small.safetensors"
    settings = {"width": 4, "blocks": 0, "slice_width": 8, "style_layers": LAYERS}
    save(path, "meta-network", "default", settings)
    with pytest.raises(InputError, match="make one with 'impasto specialize'"):
        export.export(path, tmp_path / "x.onnx")
    specialize.specialize(path, photo(40, 33, "chelsea"), small, name="cat", **EXACT)
    (graph,) = MetaNetwork.open(checkpoint.load(small), choose("cpu", "float32")).graphs()
    assert [one.name for one in graph.inputs] == ["content"]


class Wrong(torch.nn.Module):
    """Paints otherwise where it is exported."""

    def forward(self, content):
        return content * (0.99 if torch.onnx.is_in_onnx_export() else 1.0)


class Stubborn(torch.nn.Module):
    """Needs what ONNX does not have."""

    def forward(self, content):
        return content * torch.linalg.svdvals(content).amax()


@pytest.mark.parametrize(
    ("module", "said"), [(Wrong(), "differ by"), (Stubborn(), "torch.onnx knows no graph")]
)
def test_what_paints_otherwise_is_not_written(exported, tmp_path, monkeypatch, module, said):
    path, _, _ = exported("johnson")
    graph = Graph(module, (picture("content", 4),))
    monkeypatch.setattr(get("johnson").build, "graphs", lambda _: (graph,))
    with pytest.raises(ImpastoError, match=said) as caught:
        export.export(path, tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_are_far_apart(monkeypatch):
    graph = Graph(torch.nn.Identity(), (Input("content", (1, 2), uniform),), "numbers")

    class Session:
        def run(self, _, feeds):
            return [feeds["content"] * np.float32("nan")]

    monkeypatch.setattr(onnx_file, "session", lambda _: Session())
    assert tracing.compare(graph, b"")[0] > 1


def test_a_new_method_needs_nothing_but_the_ability(exported):
    """The default graph takes the photo alone."""
    assert get("johnson").build.graphs is NetworkMethod.graphs
    assert onnx_file.read_metadata(exported("johnson")[1])["smallest"] == 16
    wide = config.change(config.preset(get("johnson").build.Config, "paper"), {"width": 4})
    (graph,) = get("johnson").build(wide, choose("cpu", "float32")).graphs()
    (content,) = graph.inputs
    assert [side.unit * side.least for side in content.shape[2:]] == [44, 44], "mirrored 40 wide"


@pytest.mark.parametrize("shape", [(1, 3, 8, 6), (2, 3, 8, 6)])
@pytest.mark.parametrize("rows", [1, None])
def test_the_norm_is_the_same_in_its_exported_form(monkeypatch, shape, rows):
    x, (weight, bias) = torch.rand(shape), torch.rand(2, 3)
    if rows:
        weight, bias = (one.expand(shape[0], 3) for one in (weight, bias))
    expected = instance_norm(x, weight, bias)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    torch.testing.assert_close(instance_norm(x, weight, bias), expected)


def test_cancelling_writes_nothing(exported, tmp_path):
    told = []

    def cancel(progress):
        told.append(progress.stage)
        progress.cancel()

    with pytest.raises(CancelledError):
        export.export(exported("johnson")[0], tmp_path / "x.onnx", callback=cancel)
    assert told == ["tracing x.onnx"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("library", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_extra_is_named(exported, tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'impasto\[onnx\]'"):
        export.export(exported("johnson")[0], tmp_path / "x.onnx")
    if library != "onnxscript":
        with pytest.raises(MissingExtraError, match=r"pip install 'impasto\[onnx\]'"):
            painted(exported("johnson")[1])
