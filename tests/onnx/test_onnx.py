"""Models as ONNX graphs: what they paint, what they tell, and what stands in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from exports import CASES, EXACT, painted, photo
from impasto.api import encode, stylize, visualize
from impasto.api.controls import Controls
from impasto.api.resolve import StyleResolver
from impasto.errors import (
    InputError,
    WeightsError,
)
from impasto.image import Image, load
from impasto.image.color_transfer import match_histogram
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability
from impasto.models import onnx_file, zoo
from impasto.onnx import exporter as export
from impasto.onnx.runtime import Exported

pytestmark = pytest.mark.slow  # ten networks are exported

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


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
        stylize.stylize(photo(45, 61), names, masks=masks, sharpen=0, **EXACT).rgb
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


ONE_PASS = Controls(shifts=1)
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
        brushes, picture = StyleResolver(None)(str(target)), load(tmp_path / "photo.png")
        expected = stylize.paint(picture, brushes, controls=ONE_PASS, dither=False).rgb
        assert (load(tmp_path / f"{case}.png").rgb - expected).abs().max() < 1.01 / 255
    assert load(tmp_path / "superres.png").size == (122, 90)
    sizes = {load(tmp_path / f"{case}.png").size for case in options if case != "superres"}
    assert sizes == {(61, 45)}
