"""The nodes for ComfyUI, against the interface of nodes that its documentation describes."""

import sys
import types

import numpy as np
import pytest
import torch

import impasto


@pytest.fixture(scope="module")
def pack(plug_in):
    return plug_in(".", "comfyui")


@pytest.fixture
def bars(monkeypatch):
    """ComfyUI's progress bars: what each was told."""
    made = []

    class ProgressBar:
        def __init__(self, total):
            self.told = []
            made.append(self.told)

        def update_absolute(self, value, total=None, preview=None):
            self.told.append((value, total))

    comfy, utils = types.ModuleType("comfy"), types.ModuleType("comfy.utils")
    utils.ProgressBar = ProgressBar
    monkeypatch.setitem(sys.modules, "comfy", comfy)
    monkeypatch.setitem(sys.modules, "comfy.utils", utils)
    return made


@pytest.fixture
def frames(photo):
    """Two photos as ComfyUI has them: (2, 48, 64, 3)."""
    return torch.cat([photo(48, 64), photo(48, 64, "chelsea")]).movedim(1, -1).contiguous()


@pytest.fixture
def run(pack):
    """Run a node as ComfyUI does: defaults of its inputs, without gradients, by its function."""

    def of(node, **given):
        build = pack.NODE_CLASS_MAPPINGS[node]
        inputs = build.INPUT_TYPES()["required"]
        filled = {}
        for name, (kind, options) in inputs.items():
            if name in given or kind == "IMAGE":
                continue
            filled[name] = kind[0] if isinstance(kind, list) else options["default"]
        with torch.inference_mode():
            (made,) = getattr(build(), build.FUNCTION)(**filled, **given)
        return made

    return of


def test_each_node_has_what_comfyui_asks_for(pack):
    assert set(pack.NODE_CLASS_MAPPINGS) == set(pack.NODE_DISPLAY_NAME_MAPPINGS)
    for node in pack.NODE_CLASS_MAPPINGS.values():
        inputs = node.INPUT_TYPES()
        assert set(inputs) <= {"required", "optional", "hidden"}
        names = [name for group in inputs.values() for name in group]
        code = getattr(node, node.FUNCTION).__code__
        assert set(code.co_varnames[1 : code.co_argcount]) == set(names)
        assert node.RETURN_TYPES == ("IMAGE",)
        assert node.CATEGORY
        for group in inputs.values():
            for kind, options in group.values():
                assert isinstance(kind, list) or kind in {"IMAGE", "INT", "FLOAT"}
                if kind in ("INT", "FLOAT"):
                    assert options["min"] <= options["default"] <= options["max"]
    choices = pack.NODE_CLASS_MAPPINGS["ImpastoStylize"].INPUT_TYPES()["required"]
    assert "starry-night" in choices["style"][0]
    assert {"adain", "gatys"} <= set(choices["method"][0])


def test_a_named_style_paints_each_photo_of_a_batch(run, frames, bars):
    made = run("ImpastoStylize", photo=frames, style="starry-night", size=48)
    assert made.shape == (2, 36, 48, 3)
    assert made.dtype == torch.float32
    assert 0 <= made.min() < made.max() <= 1
    for image, frame in zip(made, frames, strict=True):
        alone = impasto.stylize(impasto.Image(frame.movedim(-1, 0)[None]), "starry-night", size=48)
        np.testing.assert_allclose(image, alone.rgb[0].movedim(0, -1), atol=1e-6)
    assert [told[-1] for told in bars] == [(8, 16), (16, 16)]  # eight shifts of each photo


def test_a_painting_wins_over_the_name_and_the_last_one_is_used_again(run, frames):
    painting = frames[:1].flip(2)
    made = run("ImpastoStylize", photo=frames, painting=painting, size=48)
    image = impasto.Image(painting[0].movedim(-1, 0)[None])
    for result, frame in zip(made, frames, strict=True):
        content = impasto.Image(frame.movedim(-1, 0)[None])
        alone = impasto.stylize(content, image, quality="fast", size=48)
        np.testing.assert_allclose(result, alone.rgb[0].movedim(0, -1), atol=1e-6)


def test_a_method_that_optimises_runs_where_gradients_are_off(run, frames, monkeypatch):
    short = {"steps": 2, "coarse_steps": 2, "levels": 1}
    plain = impasto.stylize
    monkeypatch.setattr(impasto, "stylize", lambda *a, **k: plain(*a, settings=short, **k))
    made = run("ImpastoStylize", photo=frames[:1], painting=frames[1:], method="gatys", size=48)
    assert made.shape == (1, 36, 48, 3)
    assert (made - made.mean()).abs().max() > 0.05


def test_strength_0_is_the_photo(run, frames):
    made = run("ImpastoStylize", photo=frames[:1], style="starry-night", strength=0.0)
    np.testing.assert_allclose(made, frames[:1], atol=1e-6)


def test_what_cannot_be_used_is_an_error_of_impasto(run, frames):
    with pytest.raises(impasto.InputError, match="no-such"):
        run("ImpastoStylize", photo=frames[:1], style="no-such")


def test_a_cancelled_run_ends(run, frames, bars, monkeypatch):
    """ComfyUI's bar raises its own exception, which passes through the callback."""

    class StoppedError(Exception):
        pass

    def stop(self, value, total=None, preview=None):
        raise StoppedError

    monkeypatch.setattr(sys.modules["comfy.utils"].ProgressBar, "update_absolute", stop)
    with pytest.raises(StoppedError):
        run("ImpastoStylize", photo=frames[:1], style="starry-night", size=48)


def test_textures_by_name_and_from_samples(run, frames):
    assert run("ImpastoTexture", texture="bricks", width=64, height=48).shape == (1, 48, 64, 3)
    made = run("ImpastoTexture", sample=frames, method="resample", width=24, height=16)
    assert made.shape == (2, 16, 24, 3)


def test_it_works_without_comfyui(run, frames, monkeypatch):
    monkeypatch.setitem(sys.modules, "comfy", None)
    made = run("ImpastoStylize", photo=frames[:1], style="starry-night", size=32)
    assert made.shape == (1, 24, 32, 3)
