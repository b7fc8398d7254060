"""Several processes learn what one does."""

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from torch import nn

import toy
from impasto.core.device import Runtime
from impasto.errors import InputError
from impasto.training.data import Source, image_paths
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.processes import Processes, Reduced, local

pytestmark = pytest.mark.slow  # processes train

NUMBERS = {"steps": 12, "batch": 8, "learning_rate": 0.02, "report_every": 3, "ema": 0.9}

# of this file, of what it imports, and wherever the package was found
PLACES = os.pathsep.join([*map(str, Path(__file__).parents[:2]), os.environ.get("PYTHONPATH", "")])


def run(photos, folder, callback):
    return train(
        toy.Invert(),
        Plan(**NUMBERS, workers=0),
        sources={"content": Source(image_paths(photos), crop=8)},
        runtime=toy.RUNTIME,
        folder=folder,
        callback=callback,
    )


SCRIPT = """
import os, sys
from pathlib import Path
import torch
from impasto.errors import InputError
from impasto.training.data import Source, image_paths
from impasto.training.plan import Plan
from impasto.training.loop import train
from test_processes import run
import toy

photos, out = map(Path, sys.argv[1:])
rank = int(os.environ["RANK"])
heard = []

def listen(progress):
    heard.append(progress.step)
    progress.preview()
    if progress.step == 5:
        progress.cancel()

first = run(photos, out / "run", listen)
second = run(photos, out / "run", lambda progress: heard.append(progress.step))
class Twice(toy.Invert):
    def loss(self, module, batch):
        again = super().loss(module, batch)["total"]
        return {"total": super().loss(module, batch)["total"] + again}

norm = Twice(module=torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3)))
sources = {"content": Source(image_paths(photos), crop=8)}
twice = train(norm, Plan(steps=3, workers=0), sources=sources, runtime=toy.RUNTIME)
try:
    train(toy.Remember([1.0]), Plan(steps=1, batch=3), runtime=toy.RUNTIME)
    refused = ""
except InputError as error:
    refused = str(error)
torch.save(
    {
        "steps": [first.steps, second.steps], "heard": heard, "refused": refused,
        "twice": twice.module.state_dict(), "module": second.module.state_dict(),
        "losses": second.losses, "skipped": second.skipped,
    },
    out / f"{rank}.pt",
)
"""


@pytest.fixture
def launched(tmp_path, folder):
    """What two processes said, which were cancelled once and went on."""
    (folder / "broken.png").write_text("broken")
    script = tmp_path / "two.py"
    script.write_text(SCRIPT)
    launch = (
        "-m torch.distributed.run --nproc-per-node 2 --rdzv-backend c10d --local-addr 127.0.0.1"
    )
    command = [sys.executable, *launch.split(), "--rdzv-endpoint", "127.0.0.1:0", script]
    here = {**os.environ, "PYTHONPATH": PLACES, "OMP_NUM_THREADS": "1"}
    words = [str(word) for word in (*command, folder, tmp_path)]
    done = subprocess.run(words, env=here, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]


def test_two_processes_learn_what_one_does(launched, folder):
    alone = run(folder, None, lambda _: None)
    main, other = launched
    for name, weight in alone.module.state_dict().items():
        assert torch.equal(main["module"][name], other["module"][name])
        assert torch.allclose(main["module"][name], weight, atol=1e-5)
    for name, weight in main["twice"].items():
        assert torch.equal(other["twice"][name], weight)
    assert main["losses"] == other["losses"]
    assert main["losses"]["total"] == pytest.approx(alone.losses["total"], rel=1e-4)
    assert main["steps"] == other["steps"] == [5, 12]
    assert main["heard"] == list(range(1, 13))
    assert other["heard"] == []  # only the main one reports
    assert main["skipped"] == other["skipped"] == (str(folder / "broken.png"),)
    assert "does not divide among 2 processes" in main["refused"]


def test_each_process_has_its_own_gpu(monkeypatch):
    gpu = Runtime(torch.device("cuda"), torch.bfloat16)
    second = Runtime(torch.device("cuda:1"), torch.bfloat16)
    assert local(gpu) == gpu
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local(gpu) == Runtime(torch.device("cuda:3"), torch.bfloat16)
    assert local(second) == second
    assert local(toy.RUNTIME) == toy.RUNTIME


def test_one_process():
    alone = Processes(toy.RUNTIME)
    assert (alone.rank, alone.world, alone.main, alone.device) == (0, 1, True, toy.RUNTIME.device)
    assert alone.mean(torch.tensor([1.0, 2.0])) == [1.0, 2.0]
    assert alone.any(True)
    assert not alone.any(False)
    assert alone.union({"b", "a"}) == ["a", "b"]
    assert alone.from_main(lambda: 3) == 3

    def fail():
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        alone.from_main(fail)


def test_a_reduced_module_answers_in_float32_whatever_it_answers():
    pair = namedtuple("pair", "mean count")

    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x, *, times):
            y = self.layer(x) * times
            assert y.dtype == torch.bfloat16
            return {"list": [y, None], "tuple": (y, "text"), "named": pair(y, torch.tensor(3))}

    out = Reduced(Many(), "cpu", torch.bfloat16)(torch.rand(1, 2), times=2)
    assert out["list"][0].dtype == out["tuple"][0].dtype == out["named"].mean.dtype == torch.float32
    assert (out["list"][1], out["tuple"][1], out["named"].count.dtype) == (
        None,
        "text",
        torch.int64,
    )
