"""Graphs in ONNX Runtime and OpenVINO: same results, any size, a cache, errors."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

import impasto as package
from impasto.api import load as loading
from impasto.errors import InputError, MissingExtraError, WeightsError
from impasto.image import load, samples
from impasto.models import onnx_file
from impasto.onnx import engines
from impasto.onnx.engines import ENGINES, open_engine
from impasto.onnx.runtime import Exported
from small_graphs import write

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

OPENVINO = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
EACH = [pytest.param(name, marks=OPENVINO if name == "openvino" else ()) for name in ENGINES]


@pytest.fixture
def graph(tmp_path, monkeypatch):
    """A small graph; the user's cache is an empty folder beside it."""
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    return write(tmp_path / "x.onnx")


def photo(height, width, seed=0):
    return np.random.default_rng(seed).random((1, 3, height, width), np.float32)


def run(engine, content):
    (found,) = engine.run({"content": content})
    return found


def from_cache(engine):
    return engine._graph.get_property("LOADED_FROM_CACHE")


@OPENVINO
def test_both_give_the_same_at_any_size_after_one_compilation(graph, monkeypatch):
    compiled, compile_graph = [], engines._compiled
    monkeypatch.setattr(engines, "_compiled", lambda *a: compiled.append(a) or compile_graph(*a))
    opened = {name: open_engine(name, graph, threads=1) for name in ENGINES}
    for height, width in ((8, 12), (40, 24), (24, 40), (8, 12)):
        content = photo(height, width)
        expected, found = (run(engine, content) for engine in opened.values())
        assert found.shape == (1, 3, height, width)
        # sums of 27 products, then divided by their deviation: rounding of about 1e-6
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert len(compiled) == 1
    assert [engine.inputs for engine in opened.values()] == [("content",)] * 2


@pytest.mark.parametrize("name", EACH)
def test_threads_share_an_engine(graph, name):
    engine = open_engine(name, graph, threads=1)
    contents = [photo(16 + 4 * index, 20, index) for index in range(8)]
    alone = [run(engine, one) for one in contents]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(
            pool.map(lambda c: run(engine, c), contents), alone, strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


SIGNALLED = """
import gc, signal, sys
from pathlib import Path
from impasto.onnx.engines import open_engine

opened = [open_engine("openvino", Path(sys.argv[1]), threads=1) for _ in range(3)]
while opened:  # freed in the order of their creation
    opened.pop(0)
    gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.slow
@OPENVINO
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_a_signal_is_handled_after_engines_were_freed(graph):
    line = [sys.executable, "-c", SIGNALLED, str(graph)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


@OPENVINO
def test_a_compiled_graph_is_loaded_from_the_cache(graph, tmp_path):
    first, second = (open_engine("openvino", graph, threads=1) for _ in range(2))
    assert (from_cache(first), from_cache(second)) == (False, True)
    assert list((tmp_path / "cache" / "onnx").glob("*/openvino-*/*.blob"))
    content = photo(16, 16)
    np.testing.assert_array_equal(run(first, content), run(second, content))
    write(graph, gain=0.5)  # another graph under the same name
    other = open_engine("openvino", graph, threads=1)
    assert not from_cache(other)
    assert run(other, content).std() < 0.7 * run(first, content).std()


@OPENVINO
def test_an_export_in_the_cache_has_its_compiled_graph_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    folder = tmp_path / "onnx" / "digest"
    folder.mkdir(parents=True)
    open_engine("openvino", write(folder / "x.onnx"), threads=1)
    assert list(folder.glob("openvino-*/*.blob"))


@OPENVINO
def test_a_cache_that_is_damaged_or_cannot_be_written_changes_nothing(graph, tmp_path, monkeypatch):
    content = photo(16, 16)
    expected = run(open_engine("openvino", graph, threads=1), content)
    (blob,) = (tmp_path / "cache").rglob("*.blob")
    blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
    np.testing.assert_array_equal(run(open_engine("openvino", graph, threads=1), content), expected)
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "file"))
    np.testing.assert_array_equal(run(open_engine("openvino", graph, threads=1), content), expected)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_missing_package_is_named_by_its_extra(graph, monkeypatch, runtime):
    monkeypatch.setitem(sys.modules, runtime, None)
    extra = {"onnxruntime": "onnx"}.get(runtime, runtime)
    with pytest.raises(MissingExtraError, match=rf"pip install 'impasto\[{extra}\]'"):
        Exported(graph, engine=runtime)


@pytest.mark.parametrize("name", EACH)
def test_files_that_cannot_be_read(graph, name):
    graph.write_bytes(b"no graph at all")
    with pytest.raises(WeightsError, match="export it again"):
        open_engine(name, graph)
    with pytest.raises(WeightsError):
        open_engine(name, graph.with_name("missing.onnx"))


@pytest.mark.parametrize("name", EACH)
def test_devices_that_an_engine_does_not_have(graph, name):
    with pytest.raises(InputError, match="mps"):
        open_engine(name, graph, device="mps")


class Core:
    """Records how a graph is compiled; its processor has these number formats."""

    formats = ("FP32",)
    asked: ClassVar[dict] = {}

    def get_property(self, _device, _name):
        return self.formats

    def compile_model(self, _path, _device, options):
        Core.asked = options
        return SimpleNamespace(inputs=[])


def test_bfloat16_where_the_processor_has_it(graph, monkeypatch):
    library = SimpleNamespace(Core=Core, __version__="1.2-3")
    monkeypatch.setattr(onnx_file, "library", lambda _: library)
    with pytest.raises(InputError, match="no bfloat16"):
        open_engine("openvino", graph, bfloat16=True)
    open_engine("openvino", graph, threads=3)
    assert Core.asked["INFERENCE_PRECISION_HINT"] == "f32"
    monkeypatch.setattr(Core, "formats", ("FP32", "BF16"))
    open_engine("openvino", graph, threads=3, bfloat16=True)
    assert Core.asked["INFERENCE_PRECISION_HINT"] == "bf16"
    assert Core.asked["INFERENCE_NUM_THREADS"] == 3
    assert Core.asked["ENABLE_CPU_PINNING"] is False


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", ENGINES)
def test_the_precision_of_the_machine_unless_it_is_named(graph, monkeypatch, native, name):
    """OpenVINO follows the machine's format as PyTorch does; ONNX Runtime is always in float32."""
    asked = []

    def fake(_name, _path, **how):
        asked.append(how)
        return SimpleNamespace(inputs=("content",))

    monkeypatch.setattr("impasto.core.device._has_native_bfloat16", lambda _: native)
    monkeypatch.setattr("impasto.onnx.runtime.open_engine", fake)
    for precision in ("auto", "float32", "bfloat16"):
        Exported(graph, engine=name, precision=precision)
    assert [how["bfloat16"] for how in asked] == [native and name == "openvino", False, True]
    assert {how["threads"] for how in asked} == {torch.get_num_threads()}


@OPENVINO
def test_a_model_in_openvino_on_the_command_line(impasto, graph, monkeypatch):
    monkeypatch.setattr(loading, "cached_export", lambda _: graph)
    samples.load("coffee").resized(45, 61).save("photo.png")
    for name in ("onnx", "onnxruntime", "openvino"):
        line = ["photo.png", "-s", "starry-night", "-o", f"{name}.png", "--runtime", name]
        done = impasto("stylize", *line)
        assert done.code == 0, done.err
    first, same, other = (load(f"{name}.png").rgb for name in ("onnx", "onnxruntime", "openvino"))
    assert torch.equal(first, same)
    # OpenVINO computes in bfloat16 where the processor does
    assert (first - other).abs().mean() < 1 / 255


@OPENVINO
@pytest.mark.slow
def test_a_shipped_network_paints_in_openvino_what_it_paints_in_torch(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    content = samples.load("astronaut").resized(96, 128)
    expected, found = (
        package.stylize(content, "wheat-field-lite", runtime=runtime, precision="float32").rgb
        for runtime in ("torch", "openvino")
    )
    assert (found - expected).abs().mean() < 1 / 255
    assert expected.std() > 0.05
