"""Recipes: every network has one that can be read, and every number of it can be changed."""

from __future__ import annotations

import dataclasses

import pytest

from impasto.api import recipes
from impasto.errors import InputError
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability
from impasto.training.plan import Plan

NETWORKS = [entry.name for entry in list_methods(Ability.TRAIN)]


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


PLANS = {  # steps, batch, learning rate, schedule, crop
    ("johnson", "paper"): (40_000, 4, 1e-3, "constant", 256),
    ("johnson", "authors"): (40_000, 4, 1e-3, "constant", 256),
    ("superres", "paper"): (200_000, 4, 1e-3, "constant", 288),
    ("texture-net", "paper"): (2_000, 16, 0.1, "step", 256),
    ("texture-net", "authors"): (50_000, 1, 1e-3, "step", 256),
    ("cin", "paper"): (40_000, 16, 1e-3, "constant", 256),
    ("cin", "authors"): (40_000, 16, 1e-3, "constant", 256),
    ("stylebank", "paper"): (300_000, 4, 1e-2, "step", 512),
    ("style-prediction", "paper"): (3_000_000, 8, 1e-5, "constant", 256),
    ("style-prediction", "authors"): (8_000_000, 8, 1e-5, "constant", 256),
    ("meta-network", "paper"): (600_000, 8, 1e-3, "constant", 256),
    ("meta-network", "authors"): (600_000, 8, 1e-3, "constant", 256),
    ("adain", "paper"): (160_000, 8, 1e-4, "inverse", 256),
    ("adain", "authors"): (160_000, 8, 1e-4, "inverse", 256),
}


@pytest.mark.parametrize(("name", "preset"), PLANS)
def test_a_preset_brings_its_plan(name, preset):
    recipe = recipes.load(name, preset)
    plan = recipe.plan
    found = (plan.steps, plan.batch, plan.learning_rate, plan.schedule, recipe.cut.crop)
    assert found == PLANS[name, preset]
    # plain Adam: none of what the package's own recipes add
    extras = (plan.beta2, plan.warmup, plan.clip, plan.shift, plan.ema)
    assert extras == (0.999, 0, 0, 0, 0)
    assert recipe.cut.style_steps == (20 if name == "meta-network" else 1)
    changed = recipe.change({"steps": "7", "crop": "64"})
    assert (changed.plan.steps, changed.plan.batch, changed.cut.crop) == (7, plan.batch, 64)


def test_the_decay_of_presets():
    rate = recipes.load("adain", "paper").plan.rate
    assert rate(20_000) == pytest.approx(0.5e-4)
    rate = recipes.load("texture-net", "paper").plan.rate
    assert [rate(step) for step in (999, 1000, 1200)] == pytest.approx([0.1, 0.07, 0.049])
    rate = recipes.load("stylebank", "paper").plan.rate
    assert [rate(step) for step in (29_999, 30_000)] == pytest.approx([0.01, 0.008])


def test_a_preset_without_a_plan_keeps_the_recipes():
    assert recipes.load("wct", "paper").plan == recipes.load("wct").plan
    assert recipes.load("wct", "paper").cut == recipes.load("wct").cut


def test_a_preset_with_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('method = "johnson"\n[plan]\nsteps = 5\n[config]\nwidth = 4\n')
    recipe = recipes.load(str(path), "paper")
    assert (recipe.plan.steps, recipe.plan.batch, recipe.plan.warmup) == (5, 4, 0)
    assert (recipe.cut.zoom, recipe.config.norm, recipe.config.width) == (1.0, "batch", 4)
    assert recipes.load(str(path)).plan == dataclasses.replace(Plan(), steps=5)
    path.write_text(path.read_text() + "[paper.plan]\nbatch = 6\n")
    recipe = recipes.load(str(path), "paper")
    assert (recipe.plan.batch, recipe.plan.steps) == (6, Plan().steps)
    assert recipe.config.width == 4


def test_numbers_as_a_card_keeps_them():
    numbers = recipes.load("johnson").plan_and_crops()
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
        ('method = "johnson"\n[paper]\nsteps = 5', r"unknown table \[paper.steps\]: use plan, cut"),
        ('method = "johnson"\n[paper.config]\nwidth = 5', r"unknown table \[paper.config\]"),
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
        ({"stepps": "5"}, r"unknown setting 'stepps' of johnson: did you mean steps\?"),
        ({"colour": "5"}, "unknown setting 'colour' of johnson: use steps, batch"),
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
