"""Estimates of time and memory before painting begins."""

from __future__ import annotations

import time

import pytest
import torch

import impasto
from impasto.api import estimate as estimates
from impasto.api.controls import Controls
from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.optimization.gatys import Gatys, GatysConfig
from impasto.methods.optimization.nnst import NNST, NNSTConfig
from stub_method import noise

FLOAT32 = choose("cpu", "float32")
PLAIN = Controls()
PHOTO = Image(noise(256, 256))


def gatys(**settings):
    return Gatys(GatysConfig(**settings), FLOAT32)


def test_larger_pictures_take_longer_and_more_memory():
    network = impasto.load_model("starry-night", device="cpu", precision="float32")
    for method in (gatys(), network):
        seconds = [estimates.seconds_of(method, (s, s), Controls()) for s in (64, 256, 512, 1024)]
        memory = [estimates.memory_of(method, (s, s), Controls()) for s in (64, 128, 256)]
        assert sorted(set(seconds)) == seconds
        assert sorted(set(memory)) == memory


def test_steps_take_time_in_proportion():
    """Of a single level; a level of half the size has a quarter of the pixels."""
    size = (256, 256)
    one, two = (gatys(steps=steps, levels=1) for steps in (50, 100))
    once = estimates.seconds_of(one, size, Controls())
    assert estimates.seconds_of(two, size, Controls()) == pytest.approx(2 * once)
    more = gatys(steps=50, levels=2, coarse_steps=40, smallest_level=128)
    assert estimates.seconds_of(more, size, Controls()) == pytest.approx(once * 60 / 50)


def test_both_last_phases_of_nnst_are_counted():
    times = [
        estimates.seconds_of(NNST(NNSTConfig(steps=8, levels=1, **extra), FLOAT32), (64, 64), PLAIN)
        for extra in ({}, {"split_steps": 8}, {"split_steps": 24})
    ]
    assert times[0] == times[1] == pytest.approx(times[2] / 2)


def test_controls_that_paint_more_take_longer():
    network = impasto.load_model("starry-night", device="cpu", precision="float32")
    plain, seamless, large = (
        estimates.seconds_of(network, (640, 640), Controls(**options))
        for options in ({}, {"seamless": True}, {"style_scale": 0.5})
    )
    assert seamless == pytest.approx(plain * 1.2**2)  # 64 pixels more on each side
    assert large == pytest.approx(plain * 2**2 / 2)  # above a megapixel, with half the shifts


def test_memory_stays_within_the_budget():
    method = Gatys(GatysConfig(), choose("cpu", "float32", 1000))
    assert estimates.memory_of(method, (512, 512), Controls()) == 1000


def test_the_text_says_what_and_about_how_much(monkeypatch):
    monkeypatch.setattr(estimates, "gigaflops", lambda runtime: 52.0)
    options = {"method": gatys(steps=10, levels=1), "controls": Controls(size=128)}
    found = estimates.estimate(PHOTO, PHOTO, **options)
    assert (found.method, found.width, found.height) == ("gatys", 128, 128)
    assert found.seconds == pytest.approx(
        estimates.COSTS["gatys"].seconds * 10 * 128**2 / 1e6, rel=1e-6
    )
    assert str(found).startswith("gatys  128x128  cpu, float32  about ")


def test_bad_arguments_are_refused_as_in_painting():
    with pytest.raises(InputError, match="unknown method"):
        estimates.estimate(PHOTO, PHOTO, method="magic")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["starry-night", "gatys"])
def test_within_a_factor_of_two(name, monkeypatch):
    """In processor time of one thread, which other programs hardly change."""
    monkeypatch.setattr(estimates.time, "perf_counter", time.process_time)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    method = gatys(steps=3, levels=1)
    how = {"style": PHOTO, "method": method} if name == "gatys" else {"style": name}
    how |= {"device": "cpu", "precision": "float32", "controls": Controls(size=256)}
    try:
        impasto.stylize(PHOTO, **how | {"controls": Controls(size=64)})  # loads the weights
        expected = estimates.estimate(PHOTO, **how).seconds
        start = time.process_time()
        impasto.stylize(PHOTO, **how)
        taken = time.process_time() - start
    finally:
        torch.set_num_threads(threads)
    assert expected / 2 < taken < expected * 2
