"""Model files: what comes back, what is refused, and that a file is whole or not there."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from impasto.errors import ImpastoError, WeightsError
from impasto.models import checkpoint
from impasto.models.checkpoint import Model, load, save


def some(**changes):
    torch.manual_seed(0)
    state = {
        "encoder.0.weight": torch.randn(4, 3, 3, 3),
        "encoder.1.num_batches_tracked": torch.tensor(2**40 + 1),
        "last.bias": torch.tensor([1 / 3, -2e-3, 700.0]),
    }
    told = {
        "method": "johnson",
        "config": {"width": 4, "style_layers": ["relu1_1", "relu2_1"], "weights": None},
        "state": state,
        "styles": ("wave", "Nacht über Paris"),
        "card": {"plan": {"steps": 3}, "losses": {"total": [3.0, 2.0]}, "note": "één"},
    }
    return Model(**{**told, **changes})


def one_line(error, path):
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text


@pytest.fixture
def path(tmp_path):
    return tmp_path / "wave.safetensors"


def test_everything_comes_back(path):
    kept, found = some(), None
    save(kept, path, bits=32)
    found = load(path)
    assert (found.method, found.config) == (kept.method, kept.config)
    assert (found.styles, found.card) == (kept.styles, kept.card)
    assert list(found.state) == sorted(kept.state)
    for name, value in kept.state.items():
        assert found.state[name].dtype is value.dtype
        assert torch.equal(found.state[name], value)


def test_weights_are_rounded_to_float16_and_to_nothing_coarser(path):
    kept = some()
    save(kept, path)
    found = load(path).state
    for name, value in kept.state.items():
        expected = value.half().float() if value.is_floating_point() else value
        assert found[name].dtype is expected.dtype
        assert torch.equal(found[name], expected), name
    save(Model("m", {}, found), path)  # rounded already: a second time changes nothing
    assert all(torch.equal(value, found[name]) for name, value in load(path).state.items())


def test_half_a_file_in_half_precision(path, tmp_path):
    state, whole = {"w": torch.randn(64, 1024)}, tmp_path / "whole.safetensors"
    save(Model("m", {}, state), path)
    save(Model("m", {}, state), whole, bits=32)
    assert path.stat().st_size == pytest.approx(64 * 1024 * 2, rel=0.01)
    assert whole.stat().st_size == pytest.approx(64 * 1024 * 4, rel=0.01)


def test_eight_bits_hold_a_weight_to_half_a_step_of_its_channel(path):
    torch.manual_seed(0)
    spread = torch.logspace(-3, 1, 16).view(-1, 1, 1, 1)  # channels of very different size
    state = {"c.weight": spread * torch.randn(16, 32, 3, 3), "gamma": torch.randn(16, 579)}
    state["c.weight"][3] = 0.0
    state["bank.kernels"] = state["c.weight"].repeat(3, 1, 1, 1, 1)
    save(Model("m", {}, state), path, bits=8)
    assert path.stat().st_size < 4 * 16 * 32 * 9 + 2 * 16 * 579 + 1024
    found = load(path).state
    assert set(found) == set(state)
    step = state["c.weight"].abs().amax((1, 2, 3), keepdim=True) / 127
    for name in ("c.weight", "bank.kernels"):
        assert ((found[name] - state[name]).abs() <= 0.501 * step).all()
    assert torch.equal(found["gamma"], state["gamma"].half().float())  # norms stay in float16


def test_the_smallest_format_loses_nothing(path):
    torch.manual_seed(0)
    state = {"c.weight": torch.randn(64, 32, 3, 3), "c.bias": torch.randn(64)}
    assert checkpoint.smallest_bits(state) == 32
    for bits in (16, 8):
        save(Model("m", {}, state), path, bits=bits)
        found = load(path)
        assert checkpoint.smallest_bits(found.state) == bits
        save(found, path, bits=bits)
        again = load(path).state
        assert all(torch.equal(again[name], value) for name, value in found.state.items())


def test_an_older_version_would_refuse_eight_bits_rather_than_misread_them(path):
    save(Model("m", {}, {"c.weight": torch.randn(64, 64)}), path, bits=8)
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["impasto"])["format"] == 2
    with pytest.raises(ValueError, match="choose 8, 16 or 32"):
        save(some(), path, bits=4)


def test_any_layout_in_memory_may_be_saved(path):
    weight = torch.randn(4, 3, 3, 3)
    state = {
        "last": weight.contiguous(memory_format=torch.channels_last),
        "part": weight[:, 1:2],
        "learned": torch.nn.Parameter(weight.clone()),
    }
    save(Model("m", {}, state), path, bits=32)
    found = load(path).state
    assert all(torch.equal(found[name], value) for name, value in state.items())
    assert not any(value.requires_grad for value in found.values())


def test_the_header_is_read_without_the_weights(path, monkeypatch):
    kept = some()
    save(kept, path)
    real = checkpoint.safe_open

    class HeaderOnly:
        def __init__(self, *arguments, **options):
            self.file = real(*arguments, **options)

        def __enter__(self):
            self.file.__enter__()
            return self

        def __exit__(self, *error):
            self.file.__exit__(*error)

        def metadata(self):
            return self.file.metadata()

    monkeypatch.setattr(checkpoint, "safe_open", HeaderOnly)
    found = load(path, weights=False)
    assert found.state == {}
    assert (found.method, found.config, found.styles) == (kept.method, kept.config, kept.styles)
    assert found.card == kept.card


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a" / "b" / "wave.safetensors"
    save(some(), str(path))
    assert os.listdir(path.parent) == [path.name]
    save(some(styles=("other",)), path)
    assert load(path).styles == ("other",)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("moment", ["before", "halfway", "at the end"])
def test_a_failure_while_writing_leaves_the_old_file(path, monkeypatch, moment):
    save(some(), path)
    before = path.read_bytes()

    write = Path.write_bytes

    def fail(self, data):
        if moment != "before":
            write(self, data[: len(data) // 2] if moment == "halfway" else data)
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ImpastoError, match="no space left") as error:
        save(some(method="other"), path)
    one_line(error, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_name_that_is_a_folder_is_refused(tmp_path):
    folder = tmp_path / "wave.safetensors"
    folder.mkdir()
    with pytest.raises(ImpastoError, match="could not write") as error:
        save(some(), folder)
    one_line(error, folder)
    assert os.listdir(tmp_path) == [folder.name]


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "models").write_text("a list")
    path = tmp_path / "models" / "wave.safetensors"
    with pytest.raises(ImpastoError, match="could not write") as error:
        save(some(), path)
    one_line(error, path)


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(ImpastoError, match="could not write"):
        save(some(), tmp_path / ("w" * 300 + ".safetensors"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_numbers_that_are_not_finite_are_refused(path, value):
    """A million is finite, but not in float16."""
    save(some(), path)
    before = path.read_bytes()
    state = {"first.weight": torch.ones(3), "last.weight": torch.tensor([1.0, value])}
    with pytest.raises(ImpastoError, match=r"last\.weight holds numbers that are not finite"):
        save(some(state=state), path)
    assert path.read_bytes() == before


def test_a_large_number_fits_into_a_file_of_full_precision(path):
    save(some(state={"w": torch.tensor([1e6])}), path, bits=32)
    assert load(path).state["w"].item() == 1e6


@pytest.mark.parametrize("weights", [True, False])
def test_missing(path, weights):
    for place in (path, path.parent):
        with pytest.raises(WeightsError, match="no such model") as error:
            load(place, weights=weights)
        one_line(error, place)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, -1, -10])
def test_cut_off(path, length, weights):
    save(some(), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match="cannot be read as a model") as error:
        load(path, weights=weights)
    one_line(error, path)


@pytest.mark.parametrize("content", [b"\xff" * 64, b"\x89PNG\r\n\x1a\n" + bytes(500), b"{}"])
def test_another_kind_of_file(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as a model") as error:
        load(path)
    one_line(error, path)


def rewrite(path, header):
    """A good file of weights with another header."""
    save_file({"w": torch.ones(2)}, path, metadata=header)


FOREIGN = {
    "no header": None,
    "a header of another program": {"format": "pt"},
    "a list": {"impasto": "[1, 2]"},
    "a newer format": {"impasto": json.dumps({"format": 3})},
}


@pytest.mark.parametrize("header", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("weights", [True, False])
def test_a_foreign_model_is_refused(path, header, weights):
    rewrite(path, header)
    with pytest.raises(WeightsError, match="no model of Impasto, or one of a newer") as error:
        load(path, weights=weights)
    one_line(error, path)


DAMAGED = {
    "no method": {"method": None},
    "a method that is a number": {"method": 3},
    "a config that is a list": {"config": [1]},
    "styles that are a word": {"styles": "wave"},
    "a card that is a word": {"card": "wave"},
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_header_is_refused(path, change):
    save(some(), path)
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["impasto"])
    for damaged in ({**told, **change}, {k: v for k, v in told.items() if k not in change}):
        rewrite(path, {"impasto": json.dumps(damaged)})
        with pytest.raises(WeightsError, match="header is damaged") as error:
            load(path)
        one_line(error, path)


def test_a_header_that_is_no_json_is_refused(path):
    rewrite(path, {"impasto": "{method: johnson"})
    with pytest.raises(WeightsError, match="cannot be read as a model"):
        load(path)
