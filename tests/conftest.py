"""What many tests share: the network, loaded once, and small photographs to give it."""

import io
import os
import sys
from dataclasses import dataclass
from functools import cache

import pytest
import torch
import typer.main
from PIL import Image
from skimage import data

from impasto.__main__ import main
from impasto.nn.vgg import Encoder

# a package that tests install, a script that Krita runs
collect_ignore = ["plugin", "integrations/in_krita.py"]


def pytest_configure(config):
    """One thread for each of several processes: more of them only wait for each other.

    The models that the user has pulled are not there for tests.
    """
    os.environ["IMPASTO_MODELS"] = str(config.rootpath / "no-such-folder")
    if hasattr(config, "workerinput"):
        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start


@pytest.fixture(scope="module", autouse=True)
def _pixel_limit():
    """Pillow's limit, which a studio lowers for its process, is restored after each file."""
    limit = Image.MAX_IMAGE_PIXELS
    yield
    Image.MAX_IMAGE_PIXELS = limit


@pytest.fixture(scope="session")
def encoder():
    """The default VGG-19 in float32 on the processor. Shared: no test may change it."""
    return Encoder()


@pytest.fixture(scope="session")
def photo():
    """A part of a photograph that scikit-image carries: photo(48, 64) is (1, 3, 48, 64)."""
    pictures = {}

    def crop(height, width, name="astronaut", top=20, left=170):
        if name not in pictures:
            pixels = torch.from_numpy(getattr(data, name)())
            pictures[name] = pixels.permute(2, 0, 1)[None].float() / 255
        return pictures[name][..., top : top + height, left : left + width].clone()

    return crop


# building the commands takes longer than parsing; Click keeps nothing in them between runs
command_line = cache(typer.main.get_command)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: bytes
    err: str


@pytest.fixture
def impasto(monkeypatch, capfdbinary, tmp_path):
    """impasto("stylize", ...) runs in an empty folder and returns exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(typer.main, "get_command", command_line)

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["impasto", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capfdbinary.readouterr()
        return Outcome(code, out, err.decode())

    return run
