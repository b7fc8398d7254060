"""Models as ONNX graphs: what they paint, what they tell, and what stands in the way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

import impasto
from impasto.api import encode, specialize, stylize, visualize
from impasto.api.resolve import StyleResolver
from impasto.core.device import choose
from impasto.errors import (
    CancelledError,
    ImpastoError,
    InputError,
    MissingExtraError,
    WeightsError,
)
from impasto.image import Image, load
from impasto.image.color_transfer import match_histogram
from impasto.methods import config
from impasto.methods.arbitrary.meta_network import MetaNetwork
from impasto.methods.graphs import Graph, Input, picture, uniform
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import get, list_methods
from impasto.methods.spec import Ability
from impasto.models import checkpoint, onnx_file, zoo
from impasto.nn.fast import instance_norm
from impasto.onnx import exporter as export
from impasto.onnx import graph as tracing
from impasto.onnx.runtime import Exported

pytestmark = pytest.mark.slow  # ten networks are exported

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

EXACT = {"device": "cpu", "precision": "float32"}
LAYERS = "relu1_1,relu2_1"
# one of each method: torch takes seconds for each layer or so of a graph
CASES = {
    "johnson": ("johnson", "default", {"width": 4, "blocks": 0}),
    "texture": ("texture-net", "default", {"scales": 1}),
    "texture-stylize": ("texture-net", "default", {"kind": "stylize", "scales": 2}),
    "superres": ("superres", "default", {"width": 4, "blocks": 0, "factor": 2}),
    "cin": ("cin", "default", {"width": 4, "blocks": 0, "styles": 3}),
    "stylebank": ("stylebank", "default", {"width": 4, "styles": 3}),
    "adain": ("adain", "default", {"layer": "relu2_1"}),
    "style-prediction": (
        "style-prediction",
        "default",
        {"width": 4, "blocks": 0, "style_layers": LAYERS, "embedding": 8, "alpha": 0.7},
    ),
    "style-prediction-cnn": (
        "style-prediction",
        "default",
        {"width": 4, "blocks": 0, "style_layers": LAYERS, "embedding": 8, "predictor": "cnn"},
    ),
    "generated": ("meta-network", "default", {"width": 4, "blocks": 0, "generated": True}),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported(case) is a model of fresh weights, its export, and what was written."""
    folder, made, write = tmp_path_factory.mktemp("exported"), {}, export.export

    def make(case):
        if case not in made:
            path, target = folder / f"{case}.safetensors", folder / f"{case}.onnx"
            save(path, *CASES[case], licence="CC0", thumbnails=["x" * 1000])
            made[case] = (path, target, write(path, target))
        return made[case]

    return make


@pytest.fixture
def copied(exported, monkeypatch):
    """Copy files that were exported before; list each requested file."""
    asked = []

    def copy(model, output):
        asked.append(output)
        for one in exported(model.stem)[2]:
            shutil.copy(one.path, output.with_name(one.path.name))

    monkeypatch.setattr(export, "export", copy)
    return asked


def save(path, name, preset, settings, **card):
    """A model that has learned nothing, but paints pictures that are not grey."""
    build = get(name).build
    torch.manual_seed(0)
    method = build(
        config.change(config.preset(build.Config, preset), settings), choose("cpu", "float32")
    )
    random = torch.Generator().manual_seed(1)
    for key, weight in method.module.state_dict().items():
        if key.startswith("scales."):
            weight.fill_(100)  # about the numbers of Caffe's features
        elif weight.is_floating_point():
            drawn = torch.rand(weight.shape, generator=random)
            weight.add_(0.2 * drawn if weight.ndim < 2 else 0.1 * (drawn - 0.5))
    names = [f"style{index}" for index in range(getattr(method.config, "styles", 1))]
    checkpoint.save(
        method.model(method.module, names, {"kind": method.kind, **card}), path, bits=32
    )


def photo(height, width, name="astronaut"):
    pixels = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None] / 255
    return Image(pixels).resized(height, width)


def painted(path, **options):
    """What the pipeline makes with a model: a texture, a larger picture, or a painted photo."""
    kind = zoo.learned_in(path)[0].kind
    if kind == "texture":
        return impasto.synthesize(str(path), size=(50, 70), seed=3, **EXACT, **options).rgb
    small = photo(45, 61)
    if kind == "upscale":
        return impasto.upscale(small, model=str(path), **EXACT, **options).rgb
    given = {"size": 61, "seed": 3, **EXACT, **options}
    if kind == "any":
        return stylize.stylize(small, photo(40, 33, "chelsea"), method=str(path), **given).rgb
    return stylize.stylize(small, str(path), **given).rgb


@pytest.mark.parametrize("case", CASES)
def test_the_graph_paints_what_the_model_paints(exported, case):
    path, target, written = exported(case)
    expected, found = painted(path), painted(target)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.003
    assert max(one.difference for one in written) < 1e-4
    assert all(len(set(one.shapes)) == 2 for one in written)


def test_every_method_that_says_so_is_among_them():
    assert {name for name, *_ in CASES.values()} == {
        row.name for row in list_methods(Ability.EXPORT)
    }


@pytest.mark.parametrize("case", [case for case in CASES if "texture" not in case])
def test_sizes_are_free_within_the_rules(exported, case):
    """The graph alone, at sizes that it was neither traced nor checked with."""
    told = onnx_file.read_metadata(exported(case)[1])
    session = onnx_file.session(exported(case)[1])
    unit, least = told["multiple"], told["smallest"]
    for height, width in ((least, least + 3 * unit), (least + 9 * unit, least + unit)):
        feeds = {}
        for one in session.get_inputs():
            shape = {"content": (1, 3, height, width), "style": (1, 3, 33, 47)}
            sides = shape.get(one.name, one.shape)
            feeds[one.name] = np.random.default_rng(0).random(sides, np.float32)
        (found,) = session.run(None, feeds)
        assert found.shape == (1, 3, told["factor"] * height, told["factor"] * width)
        assert np.isfinite(found).all()
        assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("case", ["cin", "stylebank"])
def test_blends_go_by_weights(exported, case):
    path, target, _ = exported(case)
    both = [
        stylize.stylize(photo(45, 61), [f"{p}#style0", f"{p}#style1"], weights=[3, 1], **EXACT)
        for p in (path, target)
    ]
    torch.testing.assert_close(both[1].rgb, both[0].rgb, rtol=0, atol=1e-4)
    alone = stylize.stylize(photo(45, 61), f"{target}#style1", **EXACT)
    assert (both[1].rgb - alone.rgb).abs().max() > 1e-3


def test_blends_of_paintings_are_sums_of_embeddings(exported):
    paintings = [photo(40, 33, "chelsea"), photo(30, 30, "coffee")]
    path, target, _ = exported("style-prediction")
    both = [
        stylize.stylize(photo(45, 61), paintings, weights=[3, 1], method=str(p), **EXACT).rgb
        for p in (path, target)
    ]
    torch.testing.assert_close(both[1], both[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [{"colors": "luminance"}, {"colors": "match"}, {"strength": 0.4}, {"style_scale": 0.5}],
    ids=str,
)
def test_the_controls_of_the_pipeline(exported, options):
    for case in ("johnson", "adain"):
        path, target, _ = exported(case)
        expected, found = painted(path, **options), painted(target, **options)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_masks(exported):
    mask = Image((torch.arange(61) < 30).float().expand(1, 3, 45, 61).contiguous())
    _, target, _ = exported("cin")
    styles = [f"{target}#style0", f"{target}#style2"]
    left, right, both = (
        stylize.stylize(photo(45, 61), names, masks=masks, **EXACT).rgb
        for names, masks in ((styles[0], ()), (styles[1], ()), (styles, (mask,)))
    )
    torch.testing.assert_close(both[..., :30], left[..., :30])
    torch.testing.assert_close(both[..., 30:], right[..., 30:])


@pytest.mark.parametrize("case", ["adain", "style-prediction"])
def test_alpha(exported, case):
    path, target, _ = exported(case)
    options = {"settings": {"alpha": "0.25"}}
    expected, found = painted(path, **options), painted(target, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert (found - painted(target)).abs().max() > 1e-3
    with pytest.raises(InputError, match="change alpha"):
        painted(target, settings={"layer": "relu3_1"})
    with pytest.raises(InputError, match=r"alpha is 2: it must be 0 to 1"):
        painted(target, settings={"alpha": 2})


def test_the_seed_is_that_of_the_noise(exported):
    _, target, _ = exported("texture-stylize")
    first, second = (painted(target, seed=seed) for seed in (3, 4))
    assert torch.equal(first, painted(target, seed=3))
    assert not torch.equal(first, second)


def test_tiles_of_a_large_picture_show_nowhere(exported):
    _, target, _ = exported("superres")
    small, told = photo(90, 60).rgb, []
    (whole,) = onnx_file.session(target).run(None, {"content": small.contiguous().numpy()})
    opened = Exported(target)
    opened.facts["tile"] = 25
    found = opened.upscale(small, callback=told.append)
    assert len(told) == 4 * 3
    expected = match_histogram(torch.from_numpy(whole), small)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


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


def test_files_that_are_not_ours(tmp_path):
    strange = tmp_path / "x.onnx"
    strange.write_bytes(b"no graph at all")
    with pytest.raises(WeightsError, match="cannot be read as ONNX"):
        zoo.learned_in(strange)
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "ab"]
    graph = onnx.helper.make_graph([node], "other", ends[:1], ends[1:])
    strange.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(WeightsError, match="is no export of Impasto"):
        zoo.learned_in(strange)
    with pytest.raises(WeightsError, match="ONNX Runtime cannot read it"):
        onnx_file.session(b"nothing")


@pytest.mark.parametrize(
    ("case", "call", "said"),
    [
        ("johnson", lambda p: painted(p, precision="bfloat16"), r"runs .* in float32"),
        ("johnson", lambda p: painted(p, device="mps"), "runs on cpu or cuda"),
        ("adain", lambda p: painted(p, preset="paper"), "no preset"),
        ("johnson", lambda p: encode.encode(photo(9, 9), method=str(p)), "not for"),
        ("johnson", lambda p: export.export(p, "y.onnx"), "no model"),
        ("johnson", lambda p: visualize.inspect(str(p)), "cannot inspect"),
        ("stylebank", lambda p: visualize.inspect(str(p)), "is an export"),
        ("adain", lambda p: stylize.stylize(photo(9, 9), [photo(9, 9)] * 2, method=str(p)),
         "adain.onnx takes one style"),
    ],
)  # fmt: skip
def test_bad_input(exported, case, call, said):
    with pytest.raises(InputError, match=said):
        call(exported(case)[1])


def test_a_style_of_the_model_is_none_of_its_export(exported):
    path, target, _ = exported("adain")
    kept = encode.encode(photo(40, 33, "chelsea"), method=str(path), **EXACT)
    with pytest.raises(InputError, match=r"encoded by adain, not by adain\.onnx"):
        stylize.stylize(photo(45, 61), kept, method=str(target), **EXACT)


@pytest.mark.parametrize("case", ["texture", "superres", "cin", "style-prediction"])
def test_another_runtime_when_asked(exported, copied, tmp_path, monkeypatch, case):
    path, target, _ = exported(case)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    asked = [painted(path, runtime="onnx") for _ in range(2)]
    assert len(copied) == 1  # the second time it is there
    expected = painted(target)
    for one in asked:
        torch.testing.assert_close(one, expected, rtol=0, atol=1e-6)


def test_another_runtime_that_cannot_be(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    options = {"size": 32, "runtime": "onnx", **EXACT}
    for method, said in (("gatys", "gatys is no network"), ("wct", "wct cannot export")):
        with pytest.raises(InputError, match=said):
            stylize.stylize(photo(45, 61), "sample:wave", method=method, **options)
    with pytest.raises(InputError, match="unknown runtime 'tf': choose torch, onnx"):
        stylize.stylize(photo(45, 61), "sample:wave", runtime="tf")
    assert not any((tmp_path / "cache" / "onnx").iterdir())
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="IMPASTO_CACHE"):
        stylize.stylize(photo(45, 61), str(exported("cin")[0]), **options)


def test_on_the_command_line(impasto, exported, monkeypatch):
    path, target, _ = exported("cin")
    with monkeypatch.context() as patch:
        patch.setattr(zoo, "folder", lambda: path.parent)  # as if it came with the package
        done = impasto("export", exported("texture")[0], "x.onnx")
    assert done.code == 0, done.err
    assert done.out == b""
    assert done.err.startswith("x.onnx  style0, 0.0 MB")
    assert onnx_file.read_metadata(Path("x.onnx"))["licence"] == "MIT, as the package"
    assert "largest difference from PyTorch" in done.err
    assert done.err.endswith("at 80x64 and 96x112\n")
    photo(45, 61).save("photo.png")
    for output, source in (("a.png", path), ("b.png", target)):
        line = ["stylize", "photo.png", "-s", f"{source}#style2", "-o", output]
        done = impasto(*line, "--precision", "float32")
        assert done.code == 0, done.err
    monkeypatch.setenv("IMPASTO_CACHE", "cache")
    line = ["photo.png", "-s", f"{path}#style2", "-o", "c.png", "--runtime", "onnx"]
    done = impasto("stylize", *line)
    assert done.code == 0, done.err
    first, second, third = (load(name).rgb for name in ("a.png", "b.png", "c.png"))
    assert (first - second).abs().max() < 1.01 / 255
    assert torch.equal(second, third)
    for line, said in (
        (["export", path, "x.pt"], "ends in .onnx"),
        (["export", path, "nowhere/x.onnx"], "does not exist"),
        (["export", "wct", "y.onnx"], "wct cannot export: choose"),
        (["export", "monet", "y.onnx"], "no model 'monet'"),
    ):
        wrong = impasto(*line)
        assert (wrong.code, wrong.err.count("\n")) == (2, 1)
        assert said in wrong.err


EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_only.py"

# runs the example where neither this package nor any of its libraries can be imported
ALONE = """
import runpy, sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "impasto", "onnx", "scipy", "skimage"}:
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Forbidden())
program, *lines = sys.argv[1:]
for line in lines:
    sys.argv = [program, *line.split("|")]
    runpy.run_path(program, run_name="__main__")
assert not {"torch", "impasto", "onnx"} & set(sys.modules)
"""


def test_the_example_needs_neither_torch_nor_this_package(exported, tmp_path):
    small, painting = photo(45, 61), photo(40, 33, "chelsea")
    small.save(tmp_path / "photo.png")
    painting.save(tmp_path / "painting.png")
    options = {
        "johnson": [],
        "superres": [],
        "cin": ["--weights", "style1"],
        "stylebank": ["--weights", "0.75,0.25"],
        "adain": ["--style", tmp_path / "painting.png", "--alpha", "0.5"],
        "style-prediction": ["--style", tmp_path / "painting.png"],
        "generated": [],
        "texture-stylize": [],
    }
    lines = [
        "|".join(
            map(str, [exported(case)[1], tmp_path / "photo.png", tmp_path / f"{case}.png", *o])
        )
        for case, o in options.items()
    ]
    line = [sys.executable, "-c", ALONE, EXAMPLE, *lines]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plain = {"johnson": "johnson.onnx", "generated": "generated.onnx", "cin": "cin.onnx#style1"}
    for case, style in plain.items():
        target = exported(case)[1].with_name(style)
        brushes = StyleResolver(None)(str(target))
        expected = stylize.paint(load(tmp_path / "photo.png"), brushes, dither=False).rgb
        assert (load(tmp_path / f"{case}.png").rgb - expected).abs().max() < 1.01 / 255
    assert load(tmp_path / "superres.png").size == (122, 90)
    sizes = {load(tmp_path / f"{case}.png").size for case in options if case != "superres"}
    assert sizes == {(61, 45)}
