"""Measure the rate of the matrix product, which is what convolutions could reach."""

from __future__ import annotations

import statistics
import time

import torch

from impasto.core.device import choose

SIDE, REPEATS = 1024, 5


def seconds() -> float:
    """Return the clock; with one thread that of the processor, which others change little."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def matrix_rate(dtype: torch.dtype) -> float:
    """Return the median rate of the product of two square matrices, in GFLOP/s."""
    a, b = torch.randn(2, SIDE, SIDE).to(dtype)
    times = []
    for _ in range(REPEATS + 1):
        start = seconds()
        a @ b
        times.append(seconds() - start)
    return 2e-9 * SIDE**3 / statistics.median(times[1:])


def describe_rates() -> str:
    """Return both rates as a line, and the format that networks run in here."""
    rates = (f"{name} {matrix_rate(getattr(torch, name)):.0f}" for name in ("bfloat16", "float32"))
    used = str(choose("cpu").dtype).removeprefix("torch.")
    return (
        f"matrix product, {torch.get_num_threads()} threads, GFLOP/s: {', '.join(rates)}; "
        f"networks run in {used}"
    )
