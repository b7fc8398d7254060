"""Exports for LiteRT; those that need its converter are skipped where it is not installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import impasto
from helpers import fresh_johnson
from impasto.errors import CancelledError, InputError, MissingExtraError
from impasto.nn.exporting import exporting, is_exporting
from impasto.nn.fast import instance_norm
from impasto.onnx import litert

CONVERTER = pytest.mark.skipif(
    find_spec("litert_torch") is None, reason="litert-torch is not installed"
)


@pytest.fixture
def converter(monkeypatch):
    """A converter that is never reached."""
    monkeypatch.setitem(sys.modules, "litert_torch", object())


def test_the_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'impasto\[litert\]'"):
        impasto.export("starry-night", tmp_path / "x.tflite")


@pytest.mark.usefixtures("converter")
@pytest.mark.parametrize(
    ("model", "size", "said"),
    [
        ("starry-night", (257, 256), "takes multiples of 4 pixels"),
        ("starry-night", 4, "takes multiples of 4 pixels from"),
        ("adain", 256, "adain: a LiteRT file holds a network that has learned its styles"),
    ],
)
def test_what_cannot_be_exported(tmp_path, model, size, said):
    with pytest.raises(InputError, match=said):
        impasto.export(model, tmp_path / "x.tflite", size=size)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("converter")
def test_cancelling_writes_nothing(tmp_path):
    with pytest.raises(CancelledError):
        impasto.export(
            "starry-night", tmp_path / "x.tflite", size=32, callback=lambda p: p.cancel()
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("apart", "stored"), [(0.0, b"half"), (1.0, b"full")])
def test_weights_are_in_float16_unless_the_picture_would_change(
    tmp_path, monkeypatch, apart, stored
):
    class Converter:
        def convert(self, module, inputs):
            self.expected = module(*inputs)

    converter = Converter()
    monkeypatch.setitem(sys.modules, "litert_torch", converter)
    monkeypatch.setattr(litert, "_content", lambda program: b"full")
    monkeypatch.setattr(litert, "_halved", lambda content: b"half")
    monkeypatch.setattr(
        litert,
        "_painted",
        lambda content, inputs: converter.expected + apart * (content == b"half"),
    )
    (written,) = impasto.export("starry-night", tmp_path / "x.tflite", size=32)
    assert (written.path.read_bytes(), written.difference) == (stored, 0)


def test_an_onnx_file_has_no_size(tmp_path):
    with pytest.raises(InputError, match="takes all sizes"):
        impasto.export("starry-night", tmp_path / "x.onnx", size=64)


def test_norms_are_plain_while_exporting():
    x, (scale, shift) = torch.randn(1, 3, 8, 8), torch.randn(2, 1, 3)
    with exporting():
        assert is_exporting()
        norm = torch.export.export(_Norm(), (x, scale, shift))
        assert "split" not in str(norm.graph)
        assert torch.allclose(norm.module()(x, scale, shift), _Norm()(x, scale, shift))
    assert not is_exporting()


class _Norm(torch.nn.Module):
    def forward(self, x, scale, shift):
        return instance_norm(x, scale, shift)


@CONVERTER
@pytest.mark.slow
@pytest.mark.parametrize(
    ("styles", "size"), [(("one",), (48, 32)), (("one", "other"), 32)], ids=["one", "many"]
)
def test_the_file_paints_what_the_model_paints(tmp_path, styles, size):
    from ai_edge_litert.interpreter import Interpreter

    if len(styles) == 1:
        model = fresh_johnson(tmp_path / "fresh.safetensors", "one")
    else:
        model = "cin-narrow"
    (written,) = impasto.export(model, tmp_path / "x.tflite", size=size)
    width, height = (size, size) if isinstance(size, int) else size
    assert written.difference < litert.TOLERANCE
    assert written.size == written.path.stat().st_size
    interpreter = Interpreter(str(written.path))
    dtypes = [one["dtype"] for one in interpreter.get_tensor_details() if len(one["shape"]) == 4]
    assert np.float16 in dtypes
    runner = interpreter.get_signature_runner()
    shapes = [tuple(one["shape"]) for one in runner.get_input_details().values()]
    assert (1, 3, height, width) in shapes
    assert len(shapes) == len(styles)
    feeds = {
        name: np.full(one["shape"], 1 / one["shape"][1], np.float32)
        for name, one in runner.get_input_details().items()
    }
    (painted,) = runner(**feeds).values()
    assert painted.shape == (1, 3, height, width)
    assert 0 <= painted.min() <= painted.max() <= 1
