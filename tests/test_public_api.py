"""The public names, frozen: a change here is a change for every user."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import impasto

NAMES = [
    "Controls",
    "ImpastoError",
    "InputError",
    "InterruptedRun",
    "Picture",
    "Progress",
    "Style",
    "__version__",
    "build",
    "invert",
    "ladder",
    "load",
    "save",
    "stylize",
    "synthesize",
]


def test_names():
    assert impasto.__all__ == NAMES
    assert dir(impasto) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name != "__version__"])
def test_each_is_there_and_documented(name):
    thing = getattr(impasto, name)
    assert thing.__name__ == name
    assert inspect.getdoc(thing)


def test_version():
    assert impasto.__version__.count(".") == 2


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = impasto.paint


def test_importing_is_cheap_until_a_name_is_used():
    code = (
        "import sys, impasto; heavy = {'torch', 'numpy', 'PIL', 'scipy', 'typer', 'rich'};"
        "print(sorted(heavy & set(sys.modules)));"
        "impasto.InputError; print(sorted(heavy & set(sys.modules)));"
        "impasto.Style; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["[]", "[]", "True"]


@pytest.mark.parametrize("name", ["stylize", "synthesize", "invert", "ladder", "build"])
def test_options_after_the_pictures_are_named(name):
    parameters = list(inspect.signature(getattr(impasto, name)).parameters.values())
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 2
    assert all(p.annotation is not p.empty for p in parameters)
