"""Measure a studio under load: the requests of many users that are answered, refused or lost.

    python -m benchmarks.studio_load [--users 20] [--seconds 120] [--queue 20] [--size 256]

Starts its own studio on this machine. Each user is a client that uploads a photo, requests a
result in a learned style, waits for it, downloads it, and requests the next; after a refusal it
waits a second. Memory is that of the server's processes, sampled twice a second.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from gradio_client import Client, handle_file
from PIL import Image

from impasto.image import samples
from impasto.models import zoo

PATIENCE = 180.0  # seconds after which an answer counts as lost


@dataclass
class Tally:
    """Counts of all requests by outcome."""

    answered: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def use(address: str, photo: Path, size: int, until: float, seed: int, tally: Tally) -> None:
    """Send requests as one user until a given time."""
    choice = random.Random(seed)
    names = [one.name for one in zoo.shipped() if one.kind == "style"]
    with tempfile.TemporaryDirectory() as folder:
        client = Client(address, verbose=False, download_files=folder)
        while time.monotonic() < until:
            start = time.monotonic()
            try:
                job = client.submit(
                    photo=handle_file(photo),
                    styles=[choice.choice(names)],
                    size=str(size),
                    api_name="/stylize",
                )
                path, _ = job.result(timeout=PATIENCE)
                with Image.open(path) as picture:
                    assert max(picture.size) == size
                Path(path).unlink()
            except TimeoutError:
                with tally.lock:
                    tally.lost += 1
            except Exception as error:
                message = str(error)
                known = "queue is full" in message.lower()
                with tally.lock:
                    (tally.refused if known else tally.failed).append(message)
                time.sleep(1)
            else:
                with tally.lock:
                    tally.answered.append(time.monotonic() - start)


def resident(process: psutil.Process) -> float:
    """Return the resident memory of a process and its children, in MiB."""
    every = [process, *process.children(recursive=True)]
    total = 0
    for one in every:
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total / (1 << 20)


def main() -> None:
    """Run the users, and print the results."""
    reader = argparse.ArgumentParser()
    reader.add_argument("--users", type=int, default=20)
    reader.add_argument("--seconds", type=float, default=120)
    reader.add_argument("--queue", type=int, default=20)
    reader.add_argument("--size", type=int, default=256)
    asked = reader.parse_args()
    command = [sys.executable, "-m", "impasto", "studio", "--port", "0", "--no-browser"]
    # all users are one client here, since they have one address
    command += ["--queue", str(asked.queue), "--client-jobs", str(asked.users)]
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        samples.load("astronaut").save(photo)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            process, tally = psutil.Process(server.pid), Tally()
            memory = [resident(process)]
            until = time.monotonic() + asked.seconds
            users = [
                threading.Thread(target=use, args=(address, photo, asked.size, until, n, tally))
                for n in range(asked.users)
            ]
            for user in users:
                user.start()
            while any(user.is_alive() for user in users):
                memory.append(resident(process))
                time.sleep(0.5)
            alive = server.poll() is None
            server.terminate()
            code = server.wait(timeout=60)
    half = len(memory) // 2
    waits = sorted(tally.answered) or [float("nan")]
    load = os.getloadavg()[0]
    print(f"users {asked.users}, seconds {asked.seconds:g}, queue {asked.queue}, load {load:.1f}")
    print(f"answered {len(tally.answered)}, refused in words {len(tally.refused)}, ", end="")
    print(f"failed {len(tally.failed)}, lost {tally.lost}")
    print(f"wait: median {statistics.median(waits):.1f} s, longest {waits[-1]:.1f} s")
    print(f"memory: {memory[0]:.0f} MiB at the start, ", end="")
    print(
        f"{max(memory[: half + 1]):.0f} at most in the first half, {max(memory[half:]):.0f} after"
    )
    print(f"server alive at the end: {'yes' if alive else 'no'}, exit code {code}")
    for message in sorted(set(tally.failed))[:5]:
        print(f"  {message[:200]}")


if __name__ == "__main__":
    main()
