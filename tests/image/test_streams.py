"""Standard streams, and files that are open already."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings

import pytest
import torch
from PIL import Image

from image_files import file_of, input_error, noise
from impasto.errors import InputError
from impasto.image import load, save


class Pipe:
    """Standard input or output with the given buffer."""

    def __init__(self, buffer):
        self.buffer = buffer

    def isatty(self):
        return False


def test_standard_streams(monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Pipe(out))
    save(torch.full((3, 2, 2), 1.0), "-")
    assert out.getvalue().startswith(b"\x89PNG")
    monkeypatch.setattr(sys, "stdin", Pipe(io.BytesIO(out.getvalue())))
    assert load("-").rgb.min() == 1
    input_error("-", match="standard input is empty")
    monkeypatch.setattr(sys, "stdin", None)
    input_error("-", match="standard input")


def test_a_terminal_gets_no_picture(monkeypatch):
    terminal = Pipe(io.BytesIO())
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(InputError, match="redirect"):
        save(torch.zeros(3, 2, 2), "-")


def test_a_reader_that_has_gone(monkeypatch):
    class Gone(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Pipe(Gone()))
    with pytest.raises(InputError, match="reader has gone"):
        save(torch.zeros(3, 2, 2), "-")


def test_open_files_stay_open(tmp_path):
    with open(tmp_path / "a.jpg", "w+b") as file:
        save(torch.full((3, 8, 8), 1.0), file)
        file.seek(0)
        assert file.read(3) == b"\xff\xd8\xff"  # by its name
        file.seek(0)
        assert load(file).size == (8, 8)
        assert not file.closed
    input_error(file, match="closed")
    with open(tmp_path / "t.txt", "w+") as text:
        with pytest.raises(InputError, match="'wb'"):
            save(torch.zeros(3, 2, 2), text)
        input_error(text, match="'rb'")
    out = io.BytesIO()
    save(torch.zeros(3, 2, 2), out, format="WebP")
    assert out.getvalue()[8:12] == b"WEBP"


def test_a_stream_that_gives_little_at_a_time():
    data = file_of(Image.fromarray(noise((60, 60, 3))))

    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1000))

    assert load(Slow(data)).size == (60, 60)


def test_no_file_stays_open(tmp_path, recwarn):
    save(torch.zeros(3, 4, 4), tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    warnings.simplefilter("always", ResourceWarning)
    load(tmp_path / "a.png")
    with pytest.raises(InputError):
        load(tmp_path / "bad.png")
    if os.path.isdir("/proc/self/fd"):
        held = [os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")]
        assert not [path for path in held if path.startswith(str(tmp_path))]
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]
