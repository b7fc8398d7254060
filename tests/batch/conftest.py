"""A folder of tiny pictures, and a job that paints them in no time."""

import pytest
import torch

from batch_pictures import draw
from helpers import fresh_johnson
from impasto.api.controls import Controls
from impasto.batch import Job, local, runner, styles
from impasto.batch.worker import Worker


@pytest.fixture(autouse=True)
def one_thread():
    """Threads for so little only wait for each other, the longer the busier the machine is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """Small networks that have learned nothing, in files with the names of shipped ones."""
    shelf = tmp_path_factory.mktemp("networks")
    names = ("starry-night", "great-wave")
    return {name: str(fresh_johnson(shelf / f"{name}.safetensors", name)) for name in names}


@pytest.fixture
def folder(tmp_path):
    """Four pictures in three folders; two of them differ in their ending only."""
    top = tmp_path / "photos"
    for seed, name in enumerate(("a.jpg", "a.png", "sub/b.gif", "sub/deep/c.png")):
        draw(top / name, seed=seed)
    return top


@pytest.fixture
def make(folder, networks):
    """make(size=16, styles=[...]) is a job on the folder."""

    def job(named=("starry-night",), size=32, **options):
        names = {"folder", "random", "ending", "method", "quality", "settings", "memory", "runtime"}
        own = {name: options.pop(name) for name in names & set(options)}
        controls = Controls(size=size, **options)
        own.setdefault("folder", str(folder))
        known = [networks.get(name, name) for name in named]
        return Job(styles=styles(known), controls=controls, precision="float32", **own)

    return job


@pytest.fixture
def inline(monkeypatch):
    """Let the local engine paint in this process; the list gets each item that it was given."""
    given = []

    def paint(job, out, items, workers):
        worker = Worker(job, out)
        for item in items:
            given.append(item.output)
            yield worker.paint(item)

    monkeypatch.setattr(local, "paint", paint)
    assert runner.local is local
    return given
