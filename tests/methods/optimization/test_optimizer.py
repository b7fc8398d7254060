"""The solver on problems whose answer is known."""

import itertools
import math

import pytest
import torch

from impasto.core.progress import Progress
from impasto.errors import DivergedError, InputError
from impasto.methods.optimization.monitor import Monitor
from impasto.methods.optimization.optimizer import OPTIMIZERS, SolverConfig, minimize

TARGET = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))
START = torch.full((1, 3, 9, 7), 0.5)


def bowl(image):
    """A badly conditioned bowl around TARGET: its rows count 1 to 100."""
    steepness = torch.logspace(0, 2, image.shape[2]).view(1, 1, -1, 1)
    return {"total": (steepness * (image - TARGET).square()).sum()}


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        ("lbfgs", {"spectrum": 0.0}),
        ("lbfgs", {"spectrum": 0.5}),
        ("lbfgsb", {}),
        ("adam", {"learning_rate": 0.02}),
    ],
)
def test_finds_the_minimum(optimizer, settings):
    config = SolverConfig(optimizer=optimizer, steps=300, **settings)
    result = minimize(bowl, START, config)
    assert torch.allclose(result.image, TARGET, atol=1e-2)
    assert result.losses["total"] < 1e-3 * float(bowl(START)["total"])
    assert not result.cancelled


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_step_is_a_step(optimizer):
    result = minimize(bowl, START, SolverConfig(optimizer=optimizer, steps=1, learning_rate=0.01))
    assert not torch.equal(result.image, START)
    assert result.losses["total"] < float(bowl(START)["total"])


def test_the_first_step_moves_a_pixel_by_what_the_config_says():
    moved = minimize(bowl, START, SolverConfig(steps=1, spectrum=0, first_step=0.003)).image
    assert float((moved - START).abs().mean()) == pytest.approx(0.003, rel=1e-3)


def test_bounds_hold():
    low, high = torch.full((1, 3, 1, 1), 0.3), torch.full((1, 3, 1, 1), 0.6)
    for optimizer in ("lbfgsb", "adam"):
        config = SolverConfig(optimizer=optimizer, steps=200, learning_rate=0.02)
        image = minimize(bowl, START, config, bounds=(low, high)).image
        assert torch.allclose(image, TARGET.clamp(0.3, 0.6), atol=1e-2)
        assert float(image.min()) >= 0.3 - 1e-6
        assert float(image.max()) <= 0.6 + 1e-6


def test_stops_on_a_flat_loss_if_asked():
    steps = []
    config = SolverConfig(steps=500, tolerance=1e-3, patience=5)
    minimize(bowl, START, config, callback=lambda p: steps.append(p.step))
    assert 5 < len(steps) < 200


def test_reports_every_step_within_a_longer_job():
    seen = []
    frame = Progress(10, 30, stage="level 2 of 3")
    minimize(bowl, START, SolverConfig(steps=5), callback=seen.append, frame=frame)
    assert [p.step for p in seen] == [11, 12, 13, 14, 15]
    assert {(p.total, p.stage) for p in seen} == {(30, "level 2 of 3")}
    assert seen[-1].preview().shape == START.shape


def test_cancelling_returns_what_there_is():
    result = minimize(
        bowl, START, SolverConfig(steps=50), callback=lambda p: p.step == 3 and p.cancel()
    )
    assert result.cancelled
    assert result.losses["total"] < float(bowl(START)["total"])


def test_a_start_that_is_not_finite_ends_at_once():
    with pytest.raises(DivergedError) as caught:
        minimize(lambda x: {"total": x.sum() * math.nan}, START, SolverConfig())
    assert caught.value.picture is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_nan_on_the_way_keeps_the_best_picture(optimizer):
    calls = 0

    def breaks(image):
        nonlocal calls
        calls += 1
        return {"total": bowl(image)["total"] * (math.nan if calls > 4 else 1.0)}

    with pytest.raises(DivergedError, match='`precision="float32"`') as caught:
        minimize(breaks, START, SolverConfig(optimizer=optimizer, learning_rate=0.01))
    assert caught.value.picture is not None
    assert float(bowl(caught.value.picture)["total"]) <= float(bowl(START)["total"])


def test_a_runaway_starts_afresh_from_the_best():
    """One call that lies sends L-BFGS away; the run goes on and still arrives."""
    calls = 0

    def lies_once(image):
        nonlocal calls
        calls += 1
        return {"total": bowl(image)["total"] * (1e9 if calls == 6 else 1.0)}

    result = minimize(lies_once, START, SolverConfig(steps=200))
    assert torch.allclose(result.image, TARGET, atol=1e-2)


@pytest.mark.parametrize(
    "settings",
    [{"optimizer": "sgd"}, {"steps": 0}, {"history": 0}, {"learning_rate": 0.0}, {"patience": 0}],
)
def test_refuses_what_cannot_run(settings):
    with pytest.raises(InputError):
        SolverConfig(**settings)


# Objectives that draw at random


class Drawing:
    """Squared differences of a third of the pixels, drawn at every evaluation, and 1."""

    stochastic = True

    def __init__(self):
        self.seen = []

    def __call__(self, image):
        drawn = torch.rand(image.shape) < 1 / 3
        total = 1 + ((image - TARGET).square() * drawn).sum()
        self.seen.append((image.detach().clone(), float(total.detach()), drawn))
        return {"total": total}


def watching(objective):
    return Monitor(objective, SolverConfig(), lambda _: None, Progress(0, 1))


def test_evaluations_between_two_draws_are_of_one_function():
    torch.manual_seed(0)
    watch = watching(Drawing())
    before = torch.get_rng_state()
    first, again = (float(watch.evaluate(START)) for _ in range(2))
    assert first == again
    watch.redraw()
    assert float(watch.evaluate(START)) != first
    assert torch.equal(torch.get_rng_state(), before)  # and nobody else's draws change


def test_the_seed_decides_what_is_drawn():
    values = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        values.append(float(watching(Drawing()).evaluate(START)))
    assert values[0] == values[1] != values[2]


def test_other_objectives_are_left_to_draw_as_they_like():
    objective = Drawing()
    objective.stochastic = False
    torch.manual_seed(0)
    watch = watching(objective)
    assert float(watch.evaluate(START)) != float(watch.evaluate(START))


@pytest.mark.parametrize(
    ("optimizer", "most", "least"), [("lbfgs", 5, 5), ("lbfgsb", 5, 1), ("adam", 1, 1)]
)
def test_when_the_draws_change(optimizer, most, least):
    """L-BFGS: every 5 steps here; L-BFGS-B: earlier too, at a minimum; Adam: at every step."""
    torch.manual_seed(0)
    objective, steps = Drawing(), []

    def listen(progress):
        steps.append(objective.seen[-1][2])

    config = SolverConfig(optimizer=optimizer, steps=20, redraw=5, learning_rate=0.1)
    minimize(objective, START, config, callback=listen)
    runs = [1]
    for before, after in itertools.pairwise(steps):
        if torch.equal(before, after):
            runs[-1] += 1
        else:
            runs.append(1)
    assert max(runs) <= most
    assert min(runs) >= least
    assert sum(runs) == 20


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [("lbfgs", {"spectrum": 0.0}), ("lbfgsb", {}), ("adam", {"learning_rate": 0.02})],
)
def test_a_stochastic_objective_is_minimised(optimizer, settings):
    """All of it, though each draw shows a third: pixels reach the target everywhere."""
    torch.manual_seed(0)
    config = SolverConfig(optimizer=optimizer, steps=200, redraw=10, **settings)
    image = minimize(Drawing(), START, config).image
    assert float((image - TARGET).square().mean()) < 0.02 * float((START - TARGET).square().mean())
