"""Measure time and memory of CNNMRF's patch matching against the textbook version.

    python -m benchmarks.mrf_matching

Both feature maps have the shape of relu3_1 of VGG-19 for an image of 512², with random values. The
textbook version unfolds the patches of both maps, normalises the style's, multiplies in float32 by
blocks of rows and takes the largest. The versions run in turns within one process, so that other
load on the machine affects all of them alike, and each round gives one ratio.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.losses.patches import match_patches, patch_loss, patch_target

CHANNELS = 256
MEBIBYTE = 2**20


def features(side: int, seed: int) -> Tensor:
    """Return random features (1, 256, side, side): not negative, of bfloat16 precision, float32."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, CHANNELS, side, side, generator=generator).relu()
    return x.bfloat16().float().contiguous(memory_format=torch.channels_last)


def textbook(x: Tensor, y: Tensor, *, size: int = 3, stride: int = 1, block: int = 2048) -> Tensor:
    """Match patches by equation 3 of Li and Wand, CVPR 2016, literally: indices (N,)."""
    patches = F.unfold(x, size, stride=stride)[0].T  # (N, C*size²)
    style = F.normalize(F.unfold(y, size, stride=stride)[0], dim=0, eps=1e-12)  # (C*size², M)
    return torch.cat([(rows @ style).argmax(1) for rows in torch.split(patches, block)])


def _versions(side: int, stride: int) -> dict[str, Callable[[], Any]]:
    x, y = features(side, 1), features(side, 2)
    half_x, half_y = x.bfloat16(), y.bfloat16()
    target = patch_target(y, stride=stride)
    half_target = patch_target(half_y, stride=stride)
    return {
        "textbook": lambda: textbook(x, y, stride=stride),
        "float32": lambda: match_patches(x, target, stride=stride),
        "bfloat16": lambda: match_patches(half_x, half_target, stride=stride),
    }


def _peak(version: str, side: int, stride: int, answer: Any) -> None:
    """Measure the memory of a version above the features, in bytes, in a process of its own."""
    call = _versions(side, stride)[version]
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak to the current memory
    before = _high_water()
    call()
    answer.put(_high_water() - before)


def _high_water() -> int:
    """Return the peak memory of this process in bytes (Linux)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def peak_memory(version: str, side: int, stride: int) -> int:
    """Return the bytes that a version needs above features and target; -1 except on Linux."""
    if not sys.platform.startswith("linux"):
        return -1
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_peak, args=(version, side, stride, answer))
    process.start()
    result: int = answer.get()
    process.join()
    return result


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(side: int = 128, stride: int = 1, rounds: int = 3) -> dict[str, Any]:
    """Measure seconds, ratios to the textbook and peak bytes of each version, for one stride."""
    versions = _versions(side, stride)
    # Also the warm-up. Matches whose scores differ only by float32 rounding may be swapped.
    first = {name: call() for name, call in versions.items()}
    times: dict[str, list[float]] = {name: [] for name in versions}
    for _ in range(rounds):
        for name, call in versions.items():
            times[name].append(_seconds(call))
    return {
        name: {
            "seconds": statistics.median(times[name]),
            "speedup": statistics.median(
                slow / fast for slow, fast in zip(times["textbook"], times[name], strict=True)
            ),
            "agreement": (first[name] == first["textbook"]).float().mean().item(),
            "peak_bytes": peak_memory(name, side, stride),
        }
        for name in versions
    }


def loss_seconds(side: int = 128) -> float:
    """Return the seconds for the loss and its gradient with given matches, median of five."""
    x, target = features(side, 1).requires_grad_(), patch_target(features(side, 2))
    matches = match_patches(x, target)

    def step() -> None:
        torch.autograd.grad(patch_loss(x, target, matches=matches), x)

    step()
    return statistics.median(_seconds(step) for _ in range(5))


def run() -> dict[str, Any]:
    """Run all measurements: by stride, then by version; and the time of the loss itself."""
    result: dict[str, Any] = {f"stride {s}": measure(stride=s) for s in (1, 2)}
    result["loss_seconds"] = loss_seconds()
    return result


def main() -> None:
    """Print the results as a table."""
    result = run()
    print(f"{'patches':10}{'version':12}{'s':>8}{'speedup':>10}{'same':>10}{'peak MiB':>10}")
    for stride in ("stride 1", "stride 2"):
        for name, row in result[stride].items():
            print(
                f"{stride:10}{name:12}{row['seconds']:8.2f}{row['speedup']:9.1f}x"
                f"{row['agreement']:10.4%}{row['peak_bytes'] / MEBIBYTE:10.0f}"
            )
    print(f"loss and gradient, matches given: {result['loss_seconds']:.3f} s")


if __name__ == "__main__":
    main()
