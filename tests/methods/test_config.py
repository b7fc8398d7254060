"""Configs: presets by name, and numbers read from text by the type of their field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from impasto.errors import InputError
from impasto.methods.config import change, preset


@dataclass(frozen=True)
class Config:
    steps: int = 10
    weight: float = 1.5
    name: str = "mean"
    fast: bool = False
    layers: tuple[str, ...] = ("relu1_1",)
    sizes: tuple[int, ...] = (3, 5)
    file: str | None = None
    limit: float | None = 2.0

    def __post_init__(self):
        if self.steps < 1:
            raise InputError("steps must be at least 1")

    @classmethod
    def paper(cls):
        return cls(steps=500)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("steps", "3", 3),
        ("steps", " 3 ", 3),
        ("weight", "3", 3.0),
        ("weight", "1e-3", 1e-3),
        ("name", "half sum", "half sum"),
        ("name", "", ""),
        ("fast", "yes", True),
        ("fast", "TRUE", True),
        ("fast", "1", True),
        ("fast", "No", False),
        ("fast", "false", False),
        ("fast", "0", False),
        ("layers", "relu1_1, relu2_1", ("relu1_1", "relu2_1")),
        ("layers", "pool4", ("pool4",)),
        ("layers", "pool4,", ("pool4",)),
        ("layers", "", ()),
        ("sizes", "7,9,11", (7, 9, 11)),
        ("file", "a.pth", "a.pth"),
        ("file", "none", None),
        ("limit", "None", None),
        ("limit", "0.5", 0.5),
    ],
)
def test_text_is_read_by_the_type_of_the_field(field, text, value):
    found = getattr(change(Config(), {field: text}), field)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("steps", "many", "steps: 'many' is no whole number"),
        ("steps", "1.5", "no whole number"),
        ("steps", "", "no whole number"),
        ("weight", "heavy", "weight: 'heavy' is no number"),
        ("weight", "nan", "weight is nan: it must be finite"),
        ("weight", "-inf", "must be finite"),
        ("limit", "inf", "must be finite"),
        ("fast", "maybe", "fast is yes or no, not 'maybe'"),
        ("sizes", "3,x", "sizes: 'x' is no whole number"),
        ("colour", "3", "unknown setting 'colour': this method has steps, weight"),
        ("__class__", "3", "unknown setting"),
        ("steps", "0", "at least 1"),
    ],
)
def test_what_cannot_be_read(field, text, message):
    with pytest.raises(InputError, match=message):
        change(Config(), {field: text})


def test_values_are_taken_as_they_are():
    assert change(Config(), {"steps": 3, "layers": ("a", "b")}).layers == ("a", "b")


def test_the_first_config_stays_as_it_was():
    config = Config()
    assert change(config, {}) == config
    change(config, {"steps": "3"})
    assert config == Config()


def test_presets():
    assert preset(Config, "default") == Config()
    assert preset(Config, "paper") == Config(steps=500)


@pytest.mark.parametrize("name", ["authors", "mine", "", "__init__", "__post_init__"])
def test_unknown_presets_list_those_there_are(name):
    with pytest.raises(InputError, match=r"choose default, paper$"):
        preset(Config, name)


def test_config_is_what_it_should_be():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().steps = 3
