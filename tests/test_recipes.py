"""Recipes: every network has one that can be read, and every number of it can be changed."""

from __future__ import annotations

import pytest

from impasto import recipes
from impasto.errors import InputError
from impasto.methods.registry import Ability, methods

NETWORKS = [entry.name for entry in methods(Ability.TRAIN)]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_a_recipe(name):
    recipe = recipes.load(name)
    assert recipe.method == name
    assert recipe.change({}) == recipe


@pytest.mark.parametrize("name", NETWORKS)
def test_names_of_numbers_are_unique(name):
    recipe = recipes.load(name)
    parts = [set(vars(part)) for part in (recipe.plan, recipe.cut, recipe.config)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_numbers_change_by_name():
    recipe = recipes.load("johnson").change(
        {"steps": "7", "crop": "64", "width": 8, "style_layers": "relu1_1,relu2_1"}
    )
    assert recipe.plan.steps == 7
    assert recipe.cut.crop == 64
    assert recipe.config.width == 8
    assert recipe.config.style_layers == ("relu1_1", "relu2_1")


def test_presets():
    assert recipes.load("johnson", "authors").config.output == "tanh150"
    with pytest.raises(InputError, match="no preset 'mine'"):
        recipes.load("johnson", "mine")


def test_numbers_as_a_card_keeps_them():
    numbers = recipes.load("johnson").numbers()
    assert numbers["plan"]["batch"] == recipes.load("johnson").plan.batch
    assert set(numbers["cut"]) == {"crop", "zoom", "flip", "style_steps"}


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('method = "johnson"\n[plan]\nsteps = 5\n[config]\nstyle_layers = ["relu1_1"]\n')
    recipe = recipes.load(str(path))
    assert (recipe.method, recipe.plan.steps) == ("johnson", 5)
    assert recipe.config.style_layers == ("relu1_1",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method = johnson", "cannot be read as a recipe"),
        ('method = "johnson"\n[flight]\nsteps = 5', r"unknown table \[flight\]"),
        ('method = "johnson"\nsteps = 5', r"unknown table \[steps\]"),
        ('method = "johnson"\n[plan]\nstep = 5', "unknown setting 'step'"),
        ('method = "gatys"', "gatys cannot train"),
        ('method = "monet"', "unknown method 'monet'"),
        ("", "unknown method"),
    ],
)
def test_bad_recipes(text, said, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        recipes.load(str(path))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stepps": "5"}, "unknown setting 'stepps': johnson has steps, batch"),
        ({"steps": "many"}, "no whole number"),
        ({"steps": "0"}, "steps is 0"),
        ({"crop": "3"}, "crop is 3"),
        ({"zoom": "0.5"}, "zoom is 0.5"),
        ({"style_steps": "0"}, "style_steps is 0"),
        ({"width": "0"}, "width"),
        ({"schedule": "moon"}, "unknown schedule"),
    ],
)
def test_bad_numbers(settings, said):
    with pytest.raises(InputError, match=said):
        recipes.load("johnson").change(settings)


def test_missing_file():
    with pytest.raises(InputError, match="cannot be read as a recipe"):
        recipes.load("nowhere.toml")
