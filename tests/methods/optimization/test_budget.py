"""Memory budgets: plans within them, refusals that name the least, peaks of the process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import impasto
from impasto.api.estimate import estimate
from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.optimization import memory
from impasto.methods.optimization.cnnmrf import CNNMRF, CNNMRFConfig
from impasto.methods.optimization.gatys import Gatys, GatysConfig
from impasto.methods.optimization.memory import Demand, MemoryPlan, least_memory, plan_memory
from impasto.methods.optimization.mmd import MMD, MMDConfig
from impasto.methods.optimization.nnst import NNST, NNSTConfig
from impasto.methods.optimization.optimizer import SolverConfig

FLOAT32 = choose("cpu", "float32")
GIB = 1 << 30
LARGE = (1536, 2048)
METHODS = {
    "gatys": (Gatys, GatysConfig()),
    "mmd": (MMD, MMDConfig(losses="gaussian")),
    "cnnmrf": (CNNMRF, CNNMRFConfig()),
    "nnst": (NNST, NNSTConfig()),
}


def method(name, granted):
    cls, config = METHODS[name]
    return cls(config, replace(FLOAT32, memory=granted))


def peak(size, config, demand, plan):
    pair = memory._PAIR[config.optimizer] * 12 * size[0] * size[1]
    step = memory._step(*size, plan.tile, config, 4, demand)
    return demand.held + step + plan.history * pair


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("demand", [Demand(), Demand(False, 10**8, 10**8, 500, 4 * 10**6)])
def test_a_plan_stays_within_any_budget_from_the_least_on(optimizer, demand):
    config = SolverConfig(optimizer=optimizer)
    for size in ((300, 400), LARGE):
        least = least_memory(*size, config, 4, demand)
        for granted in (least, round(1.1 * least), 2 * least, 4 * least):
            plan = plan_memory(*size, config, replace(FLOAT32, memory=granted), demand)
            assert peak(size, config, demand, plan) <= granted
            assert plan.tile is None or demand.tiled
            assert plan.history >= 4


def test_more_memory_makes_larger_tiles_and_a_longer_history():
    plans = [
        plan_memory(2048, 2048, SolverConfig(), replace(FLOAT32, memory=granted * GIB))
        for granted in (2, 3, 4, 16)
    ]
    tiles = [plan.tile or 2048 for plan in plans]
    assert tiles == sorted(tiles)
    assert tiles[0] < tiles[-1]
    assert [plan.tight for plan in plans] == [True] * 4
    assert plan_memory(64, 64, SolverConfig(), replace(FLOAT32, memory=GIB)) == MemoryPlan(
        None, 30, tight=False
    )


def refused(name, granted, height, width):
    with pytest.raises(InputError) as caught:
        method(name, granted).check_memory(height, width, height * width)
    return str(caught.value)


@pytest.mark.parametrize("name", METHODS)
def test_a_refusal_names_a_memory_and_a_size_that_do(name):
    granted = GIB // 4 if name == "nnst" else GIB
    found = re.fullmatch(
        rf"{name} at 2048x1536 needs at least ([\d.]+)([GM]) here: --memory \1\2, or --size (\d+)",
        refused(name, granted, *LARGE),
    )
    named = round(float(found[1]) * (GIB if found[2] == "G" else GIB >> 10))
    pixels, width = LARGE[0] * LARGE[1], int(found[3])
    assert named > granted
    refused(name, round(0.9 * named), *LARGE)
    method(name, named).check_memory(*LARGE, pixels)
    method(name, granted).check_memory(width * 3 // 4, width, width * width * 3 // 4)
    method(name, None).check_memory(*LARGE, pixels)  # nothing was granted


def test_no_size_is_named_where_none_would_do():
    found = refused("cnnmrf", GIB // 8, *LARGE)  # less than the scratch memory of a match
    assert re.fullmatch(r".* needs at least ([\d.]+G) here: --memory \1", found)


def test_losses_of_whole_images_need_several_times_as_much():
    """Of pairs of vectors or patches, at 2048 pixels; Gram matrices are summed over tiles."""
    least = {name: method(name, GIB).least_memory(2048, 2048, 2048**2) / GIB for name in METHODS}
    assert least["gatys"] < 4
    assert 10 < least["mmd"] < 16
    assert 10 < least["cnnmrf"] < 16
    additive = MMD(MMDConfig(), FLOAT32).least_memory(2048, 2048, 2048**2) / GIB
    assert additive < 4


def test_what_an_objective_holds_is_counted():
    gatys = Gatys(GatysConfig(content_layers=("relu1_1",)), FLOAT32)
    assert gatys.demand(10, 20, 200).held == 64 * 4 * 200
    patches = [CNNMRF(CNNMRFConfig(scales=n), FLOAT32).demand(8, 8, 64).held for n in (0, 1)]
    assert patches[1] - patches[0] == 2 * (256 // 16 + 512 // 64) * 64 * 4
    wrapped = Gatys(GatysConfig(padding="circular"), FLOAT32)
    assert not wrapped.demand(10, 20, 200).tiled


@pytest.mark.parametrize("function", [impasto.stylize, estimate])
@pytest.mark.parametrize("start", ["content", "network"])
def test_nothing_starts_before_a_refusal(function, start):
    """Neither in painting nor in an estimate, which ``--dry-run`` prints."""
    photo = Image(torch.full((1, 3, 48, 64), 0.5))
    seen = [] if function is impasto.stylize else None
    options = {} if seen is None else {"callback": seen.append}
    with pytest.raises(InputError, match=r"gatys at 64x48 needs at least \d+M here"):
        function(photo, photo, method="gatys", memory=1 << 20, settings={"start": start}, **options)
    assert not seen


_MEASURE = """
import json, sys
from pathlib import Path
import torch
import impasto
from impasto.image import Image

torch.set_num_threads(1)
options = json.loads(sys.argv[1])
memory, (width, height) = options.pop("memory"), options.pop("size")

def painted(width, height, **more):
    photo = Image(torch.rand(1, 3, height, width))
    impasto.stylize(photo, photo, size=width, precision="float32", **options, **more)
    # ru_maxrss would begin with the peak of the process that started this one
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

fixed = painted(48, 48)
print(painted(width, height, memory=memory) - fixed)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("name", "size", "granted", "settings"),
    [
        (
            "gatys",  # as a whole it would take 1.3 GB
            (1024, 512),
            720 << 20,
            {
                "levels": 1,
                "steps": 2,
                "content_layers": ["relu3_1"],
                "style_layers": ["relu1_1", "relu2_1", "relu3_1"],
                "style_weights": [1.0, 1.0, 1.0],
            },
        ),
        (
            "nnst",  # as a whole its last step alone took more than 0.5 GB
            (2048, 1024),
            360 << 20,
            {"levels": 1, "steps": 1, "split_steps": 1, "largest_level": 64},
        ),
        ("adain", (1400, 934), 300 << 20, {}),
        ("style-prediction", (1400, 934), 300 << 20, {}),
    ],
)
def test_the_peak_of_the_process_stays_within_what_was_granted(name, size, granted, settings):
    """At most 1.25 times, on top of what a process takes that has painted 48 pixels."""
    options = {"method": name, "size": size, "memory": granted, "settings": settings, "shifts": 1}
    command = [sys.executable, "-c", _MEASURE, json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < 1.25 * granted
