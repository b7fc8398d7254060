"""Candidates of an evaluation: read from text, with settings and labels."""

from __future__ import annotations

import pytest

from impasto.errors import InputError
from impasto.evaluation import candidates
from impasto.evaluation.candidates import Entrant


@pytest.mark.parametrize(
    ("text", "name", "settings"),
    [
        ("gatys", "gatys", {}),
        (" gatys : steps = 5 :levels=2", "gatys", {"steps": "5", "levels": "2"}),
        ("C:/x/y.safetensors", "C:/x/y.safetensors", {}),
        ("mmd:losses=0.5 gram + moments", "mmd", {"losses": "0.5 gram + moments"}),
    ],
)
def test_entrants_are_read(text, name, settings):
    candidate = Entrant.parse(text)
    assert (candidate.name, dict(candidate.settings)) == (name, settings)
    assert Entrant.parse(candidate.label) == candidate


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("photo, gatys,all", ["photo", "gatys", "all"]),
        (
            "wct:levels=relu2_1, relu1_1:alpha=1,adain",
            ["wct:levels=relu2_1,relu1_1:alpha=1", "adain"],
        ),
        (
            "adain:alpha=0.2,alpha=0.5,adain:alpha=1",
            ["adain:alpha=0.2", "adain:alpha=0.5", "adain:alpha=1"],
        ),
        (
            "wct:alpha=1:levels=relu2_1,relu1_1,levels=relu1_1",
            ["wct:alpha=1:levels=relu2_1,relu1_1", "wct:alpha=1:levels=relu1_1"],
        ),
        (
            "mmd:losses=patches(size=3,stride=2) + gram@relu1_1,relu2_1,gatys",
            ["mmd:losses=patches(size=3,stride=2) + gram@relu1_1,relu2_1", "gatys"],
        ),
        (
            "gatys:steps=5,my/x.safetensors#b,y.onnx",
            ["gatys:steps=5", "my/x.safetensors#b", "y.onnx"],
        ),
        ("gatys:steps=5,great-wave,", ["gatys:steps=5", "great-wave"]),
        ("gatys,gatyss", ["gatys", "gatyss"]),  # no setting before it: a name, to be refused later
        (",", []),
    ],
)
def test_a_list_of_entrants_may_have_lists_as_settings(text, parts):
    assert candidates.split(text) == parts


def test_a_setting_after_a_comma_must_be_one_that_was_given():
    with pytest.raises(InputError, match="'gatys:steps=5:levels=2' for both"):
        candidates.split("gatys:steps=5,levels=2")


def test_entrants_of_one_label_stay_apart():
    same, other = Entrant("gatys", {"steps": "3"}, "mine"), Entrant("gatys", {"steps": "4"}, "mine")
    found = candidates.parse_candidates(
        [same, other, same, Entrant("mmd", {}, "mine"), "gatys", "gatys"], []
    )
    assert [(one.label, one.name, dict(one.settings)) for one in found] == [
        ("mine", "gatys", {"steps": "3"}),
        ("mine (gatys:steps=4)", "gatys", {"steps": "4"}),
        ("mine (mmd)", "mmd", {}),
        ("gatys", "gatys", {}),
    ]
