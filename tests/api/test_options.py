"""The options of painting: one dataclass, from which commands, jobs and orders are derived."""

from __future__ import annotations

import dataclasses
import inspect
import json

import pytest
import typer.main

import impasto as package
from impasto.api.options import Controls, StylizeOptions
from impasto.batch import Job
from impasto.batch.job import JobStyle
from impasto.cli import app
from impasto.studio.jobs import StylizeRequest

FLAT = {one.name for one in dataclasses.fields(Controls)} | {
    one.name for one in dataclasses.fields(StylizeOptions) if one.name != "controls"
}
# a job as version 0.1.0 wrote it
OLD = {
    "format": 1,
    "folder": "/photos",
    "styles": [{"source": "sample:wave", "label": "wave", "digest": ""}],
    "random": False,
    "ending": ".png",
    "method": "gatys",
    "quality": None,
    "preset": "paper",
    "settings": {"steps": 3},
    "controls": {
        "size": 64,
        "style_scale": 1.0,
        "colors": "style",
        "strength": 0.5,
        "match_histogram": False,
        "median": True,
        "seed": 7,
    },
    "device": "cpu",
    "precision": "float32",
    "memory": 1000,
    "runtime": "torch",
    "bits": 16,
    "keep_metadata": True,
}


def command(name):
    return {one.name: one for one in typer.main.get_command(app).commands[name].params}


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("stylize", set()), ("batch", set()), ("video", {"runtime", "regions", "seamless"})],
)
def test_every_field_is_an_option_with_its_help_and_default(name, lacking):
    there = command(name)
    known = {
        one.name: one for kind in (StylizeOptions, Controls) for one in dataclasses.fields(kind)
    }
    assert there.keys() & FLAT == FLAT - lacking
    assert {"steps", "transport"} <= there.keys()
    for field in FLAT - lacking:
        assert there[field].help == known[field].metadata["help"]
        default = known[field].default
        assert there[field].default == (None if default is dataclasses.MISSING else default)


@pytest.mark.parametrize("verb", [package.stylize, package.stylize_video])
def test_every_option_is_a_parameter_of_the_verbs(verb):
    lacking = {"runtime"} if verb is package.stylize_video else set()
    assert set(StylizeOptions().arguments(*lacking)) <= set(inspect.signature(verb).parameters)


def test_jobs_and_orders_have_them():
    assert issubclass(Job, StylizeOptions)
    assert issubclass(StylizeRequest, StylizeOptions)


def test_a_job_of_before_is_read_and_written_alike():
    job = Job.parse(json.dumps(OLD))
    assert job.styles == (JobStyle("sample:wave", "wave"),)
    assert job.controls == Controls(size=64, strength=0.5, median=True, seed=7)
    new = {"strokes": "relative", "only": None, "keep": None, "regions": None, "seamless": False}
    new |= {"shifts": None, "lighting": None, "chroma": None, "sharpen": None, "kuwahara": None}
    assert json.loads(job.json()) == {**OLD, "controls": {**OLD["controls"], **new}}
