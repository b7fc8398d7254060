"""How long and how fast: closed forms of the learning rate."""

import math

import pytest

from impasto.errors import InputError
from impasto.training.plan import Plan


def test_constant():
    plan = Plan(steps=10, learning_rate=0.3)
    assert {plan.rate(step) for step in range(10)} == {0.3}


def test_warmup_climbs_in_equal_steps_to_the_height():
    plan = Plan(steps=10, learning_rate=2.0, warmup=4)
    assert [plan.rate(step) for step in range(6)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


@pytest.mark.parametrize("warmup", [0, 20])
def test_cosine_is_half_a_wave_after_the_warmup(warmup):
    plan = Plan(steps=100, learning_rate=3.0, schedule="cosine", warmup=warmup)
    for step in range(warmup, 100):
        done = (step - warmup) / (100 - warmup)
        assert plan.rate(step) == pytest.approx(3.0 * math.cos(math.pi / 2 * done) ** 2)
    assert plan.rate(100) == plan.rate(1000) == 0  # a run that goes on beyond its end


def test_steps():
    plan = Plan(steps=100, learning_rate=1.0, schedule="step", decay=0.5, decay_every=30)
    assert [plan.rate(step) for step in (0, 29, 30, 59, 60, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.125]


def test_steps_from_a_start():
    """Texture Networks, version 1: after 1000 steps, and every 200 from there."""
    plan = Plan(learning_rate=1.0, schedule="step", decay=0.5, decay_every=200, decay_start=1000)
    assert [plan.rate(step) for step in (0, 999, 1000, 1199, 1200, 1400)] == [
        1,
        1,
        0.5,
        0.5,
        0.25,
        0.125,
    ]


def test_inverse():
    """AdaIN: lr / (1 + 5e-5 t), half of it after 20,000 steps."""
    plan = Plan(steps=160_000, learning_rate=1e-4, schedule="inverse", decay=5e-5)
    assert plan.rate(0) == 1e-4
    assert plan.rate(20_000) == pytest.approx(5e-5)
    assert plan.rate(159_999) == pytest.approx(1e-4 / (1 + 5e-5 * 159_999))


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch": 0},
        {"checkpoint_every": 0},
        {"report_every": 0},
        {"decay_every": 0},
        {"workers": -1},
        {"seed": -1},
        {"warmup": -1},
        {"clip": -1.0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"ema": 1.0},
        {"beta2": 1.0},
        {"decay": 0.0},
        {"schedule": "sine"},
        {"decay_start": -1},
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Plan(**wrong)
