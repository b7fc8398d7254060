"""The table of methods: what every entry must have, and that a new one needs no telling."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys

import pytest

import impasto.methods
from impasto.errors import InputError
from impasto.methods import config, registry
from impasto.methods.base import Method
from impasto.methods.registry import get, list_methods
from impasto.methods.spec import FAMILIES, Ability

ENTRIES = {entry.name: entry for entry in list_methods()}
VERBS = {
    Ability.STYLIZE: "stylize",
    Ability.SYNTHESIZE: "synthesize",
    Ability.RECONSTRUCT: "reconstruct",
    Ability.UPSCALE: "upscale",
}


@pytest.fixture(params=ENTRIES)
def entry(request):
    return ENTRIES[request.param]


def test_name(entry):
    assert re.fullmatch(r"[a-z][a-z0-9-]*", entry.name)
    assert entry.build.name == entry.name


def test_names_are_unique_and_sorted_by_family():
    rows = [(FAMILIES.index(entry.family), entry.name) for entry in list_methods()]
    assert rows == sorted(set(rows))
    assert len({entry.build for entry in list_methods()}) == len(rows)


def test_summary_is_one_line(entry):
    assert entry.summary
    assert entry.summary == entry.summary.strip().rstrip(".")
    assert "\n" not in entry.summary
    assert len(entry.summary) <= 80


def test_papers(entry):
    assert entry.papers
    for paper in entry.papers:
        assert 1980 < paper.year < 2100
        assert paper.authors
        assert paper.venue
        assert str(paper.year) in str(paper)
        assert paper.title in str(paper)
        assert not paper.url or paper.url.startswith("https://")


def test_documented(entry):
    module = sys.modules[entry.build.__module__]
    for thing in (module, entry.build, entry.build.Config):
        assert inspect.cleandoc(thing.__doc__ or "")
    own = vars(entry.build.Config).get("__annotations__", {})
    listed = {name for kind in entry.build.Config.__mro__ for name in _attributes(kind)}
    assert set(own) <= listed, "each number of a config stands in its docstring, or its parent's"


def _attributes(kind):
    return re.findall(r"^ {4}(\w+): ", inspect.cleandoc(kind.__doc__ or ""), re.MULTILINE)


def test_module_lies_in_its_family(entry):
    module = entry.build.__module__
    assert module.startswith((f"impasto.methods.{entry.family}.", "impasto_"))


def test_abilities_are_methods(entry):
    assert issubclass(entry.build, Method)
    for ability, verb in VERBS.items():
        overridden = getattr(entry.build, verb) is not getattr(Method, verb)
        assert (ability in entry.abilities) <= overridden, f"{entry.name} has no {verb}"


def test_lacking_abilities_say_so():
    class Idle(Method):
        Config = dict
        name = "idle"

    idle = Idle()
    for verb, arguments in (("stylize", 2), ("synthesize", 3), ("reconstruct", 1), ("upscale", 1)):
        with pytest.raises(InputError, match="idle does not"):
            getattr(idle, verb)(*[None] * arguments)


def test_config_is_frozen_and_has_defaults(entry):
    numbers = entry.build.Config()
    assert dataclasses.is_dataclass(numbers)
    field = dataclasses.fields(numbers)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(numbers, field, getattr(numbers, field))


def test_presets(entry):
    kind = entry.build.Config
    assert hasattr(kind, "paper"), "every method can be run as in its paper"
    for name in config.PRESETS:
        if name == "default" or hasattr(kind, name):
            assert isinstance(config.preset(kind, name), kind)


def test_default_settings_survive_being_written_as_text(entry):
    numbers = entry.build.Config()
    text = {
        field.name: _text(getattr(numbers, field.name)) for field in dataclasses.fields(numbers)
    }
    assert config.change(numbers, text) == numbers


def _text(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def test_words_of_abilities():
    assert (Ability.STYLIZE | Ability.BLEND).describe() == "blend, stylize"


def test_filter_by_ability(entry):
    for ability in Ability:
        assert (entry in list_methods(ability)) == (ability in entry.abilities)
    assert set(list_methods(Ability.STYLIZE | Ability.MASKS)) <= set(list_methods(Ability.MASKS))


def test_unknown_name_lists_those_that_can():
    with pytest.raises(InputError) as caught:
        get("monet", Ability.RECONSTRUCT)
    assert "'monet'" in str(caught.value)
    assert "invert" in str(caught.value)
    assert "gatys" not in str(caught.value)


def test_lacking_ability_lists_those_that_can():
    with pytest.raises(InputError, match=r"gatys cannot synthesize: choose .*texture"):
        get("gatys", Ability.SYNTHESIZE)


SOURCE = '''
"""A method for this test."""
from dataclasses import dataclass
from impasto.methods.base import Method
from impasto.methods.registry import Ability, Paper, register_method

@dataclass(frozen=True)
class EchoConfig:
    """No numbers."""

@register_method("echo", "the photo again", Paper("Nobody", "Nothing", "Nowhere", 2000),
        family="arbitrary", abilities=Ability.STYLIZE)
class Echo(Method):
    """Changes nothing."""
    Config = EchoConfig
    def stylize(self, content, style, *, regions=(), seed=0, callback=None):
        return content
'''


@pytest.fixture
def fresh_table():
    """Lets the table discover anew, and leaves it as it was."""
    table = dict(registry._REGISTERED)
    registry._import_own_methods.cache_clear()
    registry._discover.cache_clear()
    yield
    registry._REGISTERED.clear()
    registry._REGISTERED.update(table)
    registry._import_own_methods.cache_clear()
    registry._discover.cache_clear()
    registry._discover()


@pytest.mark.usefixtures("fresh_table")
def test_a_new_file_is_enough(tmp_path, monkeypatch):
    (tmp_path / "echo_for_a_test.py").write_text(SOURCE)
    monkeypatch.setattr(
        impasto.methods, "__path__", [*impasto.methods.__path__, str(tmp_path)], raising=True
    )
    importlib.invalidate_caches()
    entry = get("echo", Ability.STYLIZE)
    assert entry in list_methods()
    assert entry.build().stylize("photo", None) == "photo"
    sys.modules.pop("impasto.methods.echo_for_a_test", None)
