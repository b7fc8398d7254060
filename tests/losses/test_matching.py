"""Blocks of patch scores: what they hold in memory, and the switch for fast products."""

import threading

import pytest
import torch

from impasto.core.device import matrix_products
from impasto.losses.matching import phase_grid, phase_shifts, plan, scratch
from impasto.losses.patches import match_patches, patch_target


@pytest.mark.parametrize("limit", [2**20, 2**23, 2**26])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 2)])
def test_the_plan_keeps_the_limit(limit, strides):
    shifts = phase_shifts(3, *strides)
    for side in (10, 31, 64):
        picture = phase_grid(torch.zeros(1, 4, side, 40), 3, strides[0])
        style = phase_grid(torch.zeros(1, 4, 50, side), 3, strides[1])
        tile = plan(limit, picture, style, shifts)
        assert scratch(picture, style, shifts, tile) * 4 <= limit


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1)])
def test_memory_in_use_keeps_the_limit(strides):
    limit = 4 * 2**20
    x = torch.randn(1, 16, 40, 40, generator=torch.Generator().manual_seed(0))
    target = patch_target(torch.randn(1, 16, 60, 60), stride=strides[1])
    with torch.profiler.profile(profile_memory=True) as record:
        match_patches(x, target, stride=strides[0], memory_limit=limit)
    used = peak = 0
    for event in sorted(record.events(), key=lambda e: e.time_range.end):
        used += event.self_cpu_memory_usage
        peak = max(peak, used)
    assert limit / 8 < peak < limit + 4 * x.nbytes


def _setting():
    settings = getattr(torch.backends.mkldnn, "matmul", None)
    return settings and settings.fp32_precision


def test_fast_products_are_switched_off_by_the_last_to_leave():
    before = _setting()
    with pytest.raises(ValueError), matrix_products(fast=True), matrix_products(fast=True):
        raise ValueError
    assert _setting() == before
    torch.get_float32_matmul_precision()  # PyTorch refuses this when its settings are mixed up

    def work():
        for _ in range(100):
            with matrix_products(fast=True):
                seen.add(_setting())

    seen: set[str] = set()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {before and "bf16"}
    assert _setting() == before
    with matrix_products(fast=False):
        assert _setting() == before
