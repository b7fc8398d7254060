"""Train a queue of networks one after another, and report on each: losses, lattice, flicker, sheet.

    python tools/campaign.py run FOLDER --data DATA [--only NAME] [--max-time 2h] [--threads 1]
    python tools/campaign.py report FOLDER --data DATA [--only NAME]
    python tools/campaign.py table FOLDER

campaign.toml beside this file lists the trainings in their order. All output goes to FOLDER: a
clone of the commit that is checked out here, so that later edits do not affect a training; for
each network its model, its checkpoints and, after its last step, `NAME.json` and `NAME.jpg`. A
stopped run is resumed. DATA holds `photos` and `paintings` for training and `validation`,
photographs that no network is trained on; paintings listed in `held_out*.txt` in benchmarks are
not trained on either.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
UNIT = {"s": 1, "m": 60, "h": 3600}


def main() -> None:
    """Parse the command line and run the chosen action."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("run", "report", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, help="folder with photos, paintings and validation")
    parser.add_argument("--queue", type=Path, default=Path(__file__).with_suffix(".toml"))
    parser.add_argument("--only", help="one training of the queue")
    parser.add_argument("--max-time", help="stop after so long: 90s, 20m, 8h")
    parser.add_argument("--threads", help="of each training; all cores when left out")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    queue = entries(options.queue, options.only)
    if options.action == "table":
        print(table(options.folder))
        return
    if options.data is None:
        parser.error("--data is needed")
    if options.action == "report":
        for name, entry in queue.items():
            report(options.folder, options.data.resolve(), name, entry)
        return
    run(options, queue)


def entries(path: Path, only: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the trainings of a queue by name, in order."""
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    queue = {name: {**read.get(entry.get("like"), {}), **entry} for name, entry in read.items()}
    if only is not None and only not in queue:
        sys.exit(f"no training {only!r}: choose {', '.join(queue)}")
    return queue if only is None else {only: queue[only]}


def run(options: argparse.Namespace, queue: Mapping[str, Mapping[str, Any]]) -> None:
    """Run the trainings that have not reached their last step, in order."""
    folder, end = options.folder, None
    if options.max_time:
        end = time.monotonic() + float(options.max_time[:-1]) * UNIT[options.max_time[-1]]
    clone = checked_out(folder)
    for name, entry in queue.items():
        if (folder / f"{name}.json").is_file():
            continue
        left = None if end is None else int(end - time.monotonic())
        if left is not None and left < 1:
            return
        data = options.data.resolve()
        print(f"{name}: training", flush=True)
        command = command_of(name, entry, folder, data, clone)
        command += ["--threads", options.threads] if options.threads else []
        command += ["--max-time", f"{left}s"] if left is not None else []
        if train(command, clone):
            return  # stopped by a signal or by an error; the next run resumes it
        if finished(folder / f"{name}.safetensors"):
            report(folder, data, name, entry)


def checked_out(folder: Path) -> Path:
    """Return the folder's clone of this repository, made of the current commit if missing.

    To train with a newer commit, delete the clone or check out another commit in it.
    """
    clone = folder / "clone"
    if not clone.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    return clone


def command_of(
    name: str, entry: Mapping[str, Any], folder: Path, data: Path, clone: Path
) -> list[str]:
    """Return the command line of a training."""
    command = [sys.executable, "-m", "impasto", "train", entry["method"], "--quiet"]
    command += ["-o", str(folder / f"{name}.safetensors")]
    if entry.get("photos", True):
        command += ["--content", str(data / "photos")]
    for path in style_places(entry, folder, data):
        command += ["--style", path]
    for style in entry.get("names", ()):
        command += ["--name", style]
    if entry.get("start"):
        earlier = folder / f"{entry['start']}.safetensors"
        shipped = clone / "src" / "impasto" / "models" / f"{entry['start']}.safetensors"
        command += ["--start", str(earlier if earlier.is_file() else shipped)]
    for key, value in entry.get("set", {}).items():
        command += ["--set", f"{key}={value}"]
    return command


def style_places(entry: Mapping[str, Any], folder: Path, data: Path) -> list[str]:
    """Return the paths that a training's --style takes: a list of many paintings, or some files."""
    styles = entry.get("styles", ())
    if styles != "paintings":
        return [str(data / "paintings" / file) for file in styles]
    held = held_out()
    files = sorted(file for file in (data / "paintings").iterdir() if file.name not in held)
    listed = folder / "paintings.txt"
    listed.write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
    return [str(listed)]


def held_out() -> set[str]:
    """Return the names of the paintings that no network is trained on."""
    lists = (ROOT / "benchmarks").glob("held_out*.txt")
    lines = [line for one in lists for line in one.read_text(encoding="utf-8").splitlines()]
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def train(command: list[str], clone: Path) -> int:
    """Run a training from the clone, passing signals on to it, and return its exit status."""
    environment = {**os.environ, "PYTHONPATH": str(clone / "src")}
    process = subprocess.Popen(command, env=environment, start_new_session=True)

    def passed_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)
        asked.append(number)

    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, passed_on)
    status = process.wait()
    return status or len(asked)


def finished(path: Path) -> bool:
    """Check whether a model was trained to its last step."""
    from impasto.models import checkpoint

    return path.is_file() and bool(checkpoint.load(path, weights=False).card["finished"])


def report(folder: Path, data: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Measure a trained model, and write `NAME.json` and the sheet `NAME.jpg`."""
    from campaign_report import measure

    path = folder / f"{name}.safetensors"
    if not path.is_file():
        print(f"{name}: no model yet")
        return
    found = measure(path, entry, data, sorted(held_out()), folder / f"{name}.jpg")
    text = json.dumps({"name": name, **found}, indent=2)
    target = folder / f"{name}.json"
    if not finished(path):  # a report on an unfinished training
        target = folder / f"{name}.partial.json"
    target.write_text(f"{text}\n", encoding="utf-8")
    print(f"{name}: {found['lattice']=}, {found['flicker']=}", flush=True)


def table(folder: Path) -> str:
    """Return all reports as a table in Markdown."""
    head = ("network", "images", "of the paper's", "s/step", "threads", "held-back losses")
    head += ("lattice", "flicker", "MB")
    lines = [head, ("---",) * len(head), *rows(folder)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield a row for each report."""
    for path in sorted(folder.glob("*.json")):
        one = json.loads(path.read_text(encoding="utf-8"))
        fraction = f"{one['images'] / one['paper_images']:.1%}" if one["paper_images"] else ""
        losses = ", ".join(f"{key} {value:.3g}" for key, value in one["losses"].items())
        lattice = "" if one["lattice"] is None else f"{one['lattice']:.2f}"
        flicker = "" if one["flicker"] is None else f"{one['flicker']:.2f}"
        yield (
            *(one["name"], str(one["images"]), fraction, f"{one['seconds_per_step']:.2f}"),
            *(str(one["threads"]), losses, lattice, flicker, f"{one['bytes'] / 1e6:.2f}"),
        )


if __name__ == "__main__":
    main()
