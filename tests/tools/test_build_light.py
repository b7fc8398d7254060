"""The wheel of impasto-light: what is in it, and what it paints without PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

import impasto as package
from impasto._version import __version__
from impasto.image import load, samples
from impasto.onnx.exporter import cached_export
from small_graphs import write

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import build_light  # noqa: E402 (needs onnx)

pytestmark = pytest.mark.slow  # a wheel is built and installed

# runs the command where neither Impasto nor its libraries can be imported
ALONE = """
import runpy, sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "impasto", "onnx", "scipy", "skimage"}:
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Forbidden())
runpy.run_module("impasto_light", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel of two small networks, of one and of three styles, and where it is installed."""
    folder = tmp_path_factory.mktemp("light")
    exports = [write(folder / "plain.onnx"), write(folder / "many.onnx", styles=3)]
    wheel = build_light.build(folder, exports)
    return wheel, install(wheel, folder / "site"), exports


def install(wheel, target):
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target]
    subprocess.run([*line, wheel], check=True)
    return target


def light(site, *arguments, folder):
    """Run the command in a folder; only the installed wheel and numpy's kind can be imported."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel(installed):
    wheel, _, _ = installed
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name == f"impasto_light-{__version__}-py3-none-any.whl"
    assert {"impasto_light/models/plain.onnx", "impasto_light/models/styles.json"} < set(names)
    assert not [name for name in names if name.startswith("impasto/")]
    assert any(name.endswith("LICENSE") for name in names)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("style", "source"), [("plain", 0), ("many2", 1)])
def test_it_paints_what_impasto_paints(installed, tmp_path, engine, style, source):
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    _, site, exports = installed
    samples.load("coffee").resized(45, 61).save(tmp_path / "photo.png")
    line = ["stylize", "photo.png", "-s", style, "-o", "out.png", "--engine", engine]
    done = light(site, *line, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "out.png  61x45\n")
    own = {"strokes": "absolute", "sharpen": 0, "kuwahara": 0}  # as there
    expected = package.stylize(tmp_path / "photo.png", f"{exports[source]}#{style}", **own).rgb
    found = load(tmp_path / "out.png").rgb
    assert found.shape == expected.shape
    apart = (found - expected).abs()
    if engine == "openvino":  # in bfloat16 where the processor computes in it
        assert apart.mean() < 1 / 255
    else:
        assert apart.max() < 0.51 / 255  # rounding to 8 bits
    assert expected.std() > 0.05


def test_transparency_size_and_the_name_of_the_result(installed, tmp_path):
    _, site, _ = installed
    alpha = np.zeros((40, 64, 4), np.uint8)
    alpha[:, :32, 3] = 255
    Image.fromarray(alpha).save(tmp_path / "photo.png")
    done = light(site, "stylize", "photo.png", "-s", "plain", "--size", "32", folder=tmp_path)
    assert done.stderr == "photo-plain.png  32x20\n"
    found = load(tmp_path / "photo-plain.png")
    assert found.alpha is not None
    assert (float(found.alpha[..., :12].min()), float(found.alpha[..., 20:].max())) == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.png", "-s", "plain"], "nowhere.png"),
        (["x.png", "-s", "monet"], "no style 'monet': see 'impasto-light styles'"),
        (["x.png", "-s", "plain", "--engine", "tf"], "choose auto, onnxruntime, openvino"),
        (["x.png", "-s", "plain", "--size", "0"], "at least 1 pixel"),
        (["x.png", "-s", "plain", "--shifts", "2"], "shifts is 2: choose 1, 4, 8, 16"),
    ],
)
def test_bad_input(installed, tmp_path, arguments, said):
    samples.load("coffee").resized(16, 16).save(tmp_path / "x.png")
    done = light(installed[1], "stylize", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_list_of_styles(installed, tmp_path):
    done = light(installed[1], "styles", folder=tmp_path)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *("many", "many1", "many2", "plain")
    ]


def test_weights_are_stored_in_half_only_where_that_is_exact():
    exact = np.linspace(-1, 1, 512).astype(np.float16).astype(np.float32)
    constants = {"exact": exact, "rounded": exact + 1e-6, "small": exact[:8]}
    weights = [onnx.numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = onnx.helper.make_graph([], "g", [], [], weights)
    made = build_light.with_half_weights(onnx.helper.make_model(graph))
    kinds = {one.name: one.data_type for one in made.graph.initializer}
    assert kinds == {"exact_half": 10, "rounded": 1, "small": 1}
    assert [(*node.input, *node.output) for node in made.graph.node] == [("exact_half", "exact")]


def test_a_shipped_style(tmp_path):
    wheel = build_light.build(tmp_path, [cached_export("cin-narrow")])
    site = install(wheel, tmp_path / "site")
    samples.load("astronaut").resized(96, 128).save(tmp_path / "photo.png")
    line = ["stylize", "photo.png", "-s", "wheat-field-lite", "-o", "out.png"]
    assert light(site, *line, folder=tmp_path).returncode == 0
    own = {"precision": "float32", "strokes": "absolute", "sharpen": 0, "kuwahara": 0}
    expected = package.stylize(tmp_path / "photo.png", "wheat-field-lite", **own)
    # half a level of rounding to 8 bits, and the rounding of each runtime's sums
    assert (load(tmp_path / "out.png").rgb - expected.rgb).abs().mean() < 0.5 / 255
