"""Processes that are killed, that cannot start, and that choke on a picture."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from batch_pictures import draw, manifest_lines, results
from impasto.batch import local, run
from impasto.batch.plan import Item
from impasto.errors import ImpastoError
from impasto.image import load

pytestmark = pytest.mark.slow  # processes are started and killed

TALKS = """
import json, os, signal, sys, time
told = json.loads(sys.stdin.readline())
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    item = json.loads(line)
    name, out = item["output"], told["out"]
    with open(os.path.join(out, "tries"), "a") as file:
        file.write(f"{name} {os.environ['OMP_NUM_THREADS']} {os.getpid()}\\n")
    first = not os.path.exists(os.path.join(out, name))
    open(os.path.join(out, name), "w").close()
    if name == "poison" or (name == "once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "long":
        time.sleep(60)
    print(json.dumps({"output": name, "seconds": 0.1, "error": ""}), flush=True)
"""

# what runs in the background begins deaf to Ctrl-C, and so do its children
LISTENING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from impasto.__main__ import main
main()
"""


@pytest.fixture
def crew(make, tmp_path, monkeypatch):
    """crew(names, workers) paints by processes that only talk; the second value are all tries."""

    def paint(names, workers, script=TALKS):
        monkeypatch.setattr(local, "_COMMAND", (sys.executable, "-c", script))
        items = [Item(name, 0, 0, name) for name in names]
        outcomes = {one.output: one for one in local.paint(make(), tmp_path, items, workers)}
        tries = [line.split() for line in (tmp_path / "tries").read_text().splitlines()]
        return outcomes, tries

    return paint


def test_each_picture_once_and_each_process_its_share(crew):
    names = [str(number) for number in range(40)]
    outcomes, tries = crew(names, 2)
    assert sorted(outcomes) == sorted(name for name, *_ in tries) == sorted(names)
    assert {share for _, share, _ in tries} == {str(local.threads_per_worker(2))}
    assert len({process for *_, process in tries}) == 2


def test_a_picture_whose_process_dies_is_done_again(crew):
    outcomes, tries = crew(["a", "once", "b", "c"], 2)
    assert not any(one.error for one in outcomes.values())
    assert sorted(name for name, *_ in tries) == ["a", "b", "c", "once", "once"]


def test_a_picture_that_ends_every_process_is_given_up(crew):
    outcomes, tries = crew(["poison", "a", "b"], 2)
    assert outcomes.pop("poison").error == "its process was ended by signal 9 (out of memory?)"
    assert not any(one.error for one in outcomes.values())
    assert sum(name == "poison" for name, *_ in tries) == 3


def test_processes_that_cannot_start(crew):
    with pytest.raises(ImpastoError, match=r"a worker cannot start: .*exit code 1: MemoryError"):
        crew(["a", "b"], 2, script="raise MemoryError")


def test_closing_ends_the_processes_at_once(make, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_COMMAND", (sys.executable, "-c", TALKS))
    outcomes = local.paint(make(), tmp_path, [Item(n, 0, 0, n) for n in ("a", "long")], 1)
    assert next(outcomes).output == "a"
    start = time.monotonic()
    outcomes.close()
    assert time.monotonic() - start < 30
    assert not children("-c")


def children(word):
    found = psutil.Process().children(recursive=True)
    return [one for one in found if one.is_running() and word in " ".join(one.cmdline())]


def test_a_worker_that_is_killed_loses_nothing(make, folder, tmp_path):
    for number in range(24):
        draw(folder / "many" / f"{number}.png", seed=number)
    (folder / "broken.jpg").write_text("dear diary")
    seen, out = {}, tmp_path / "out"

    def kill(progress):
        if progress.step == 4:
            seen.update(results(out))
            children("impasto.batch.worker")[0].kill()

    report = run(make(), out, workers=2, callback=kill)
    assert (report.total, report.painted) == (29, 28)
    assert [one.picture for one in report.failures] == ["broken.jpg"]
    after = results(out)
    assert len(after) == 28
    assert len(seen) >= 3
    assert {name: after[name] for name in seen} == seen  # nothing done twice
    outputs = [line["output"] for line in manifest_lines(out) if "output" in line]
    assert sorted(outputs) == sorted(after)
    assert all(load(out / name).size == (32, 24) for name in after)
    assert not list(out.rglob("*.part"))
    assert not children("impasto.batch.worker")


def test_ctrl_c_keeps_what_is_finished(folder, tmp_path):
    for number in range(300):
        draw(folder / f"{number}.png", seed=number)
    command = [sys.executable, "-c", LISTENING, "batch", str(folder), "-s", "starry-night"]
    command += ["-o", str(tmp_path / "out"), "--size", "32"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not results(tmp_path / "out"):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        err = process.communicate()[1]
    assert process.returncode == 130
    assert "the same command resumes" in err
    assert "Traceback" not in err
    there = results(tmp_path / "out")
    assert 0 < len(there) < 304
    assert all(load(tmp_path / "out" / name).size == (32, 24) for name in there)
