"""Checkpoints: whole or not there."""

import errno
import os

import pytest
import torch

from impasto.errors import ImpastoError, InputError
from impasto.training import checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "checkpoint.pt"


def test_what_was_saved_comes_back(path):
    state = {"step": 3, "weights": {"w": torch.arange(3.0)}, "losses": [1.5], "average": None}
    checkpoint.save(path, state)
    back = checkpoint.load(path)
    assert torch.equal(back["weights"].pop("w"), torch.arange(3.0))
    assert back == {"step": 3, "weights": {}, "losses": [1.5], "average": None, "format": 1}


def test_the_memory_layout_comes_back(path):
    weight = torch.rand(4, 3, 2, 2).to(memory_format=torch.channels_last)
    checkpoint.save(path, {"w": weight})
    assert checkpoint.load(path)["w"].stride() == weight.stride()


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullFile:
    """An open file on a disk that becomes full after some bytes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.file.write(bytes(data)[:100])
        full()


@pytest.mark.parametrize("fails", ["write", "fsync"])
def test_a_full_disk_leaves_the_checkpoint_before(path, monkeypatch, fails):
    checkpoint.save(path, {"step": 1})
    with monkeypatch.context() as patch:
        if fails == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            opened = type(path).open
            patch.setattr(type(path), "open", lambda self, *a: FullFile(opened(self, *a)))
        with pytest.raises(ImpastoError, match=r"No space left on device.*one before is kept") as e:
            checkpoint.save(path, {"step": 2})
    assert "\n" not in str(e.value)
    assert checkpoint.load(path)["step"] == 1
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_at_the_first_checkpoint(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImpastoError) as failed:
        checkpoint.save(path, {"step": 1})
    assert "kept" not in str(failed.value)
    assert not list(path.parent.iterdir())


def test_ctrl_c_while_saving_leaves_the_checkpoint_before(path, monkeypatch):
    checkpoint.save(path, {"step": 1})

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, {"step": 2})
    assert checkpoint.load(path)["step"] == 1
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ImpastoError, match="could not write the checkpoint"):
        checkpoint.save(tmp_path / "file" / "checkpoint.pt", {})


def test_damaged_ones_are_refused_in_one_line(path):
    weights = torch.rand(100)
    checkpoint.save(path, {"weights": weights})
    sound = path.read_bytes()
    values = sound.index(weights.numpy().tobytes())
    flipped = sound[:values] + bytes([sound[values] ^ 1]) + sound[values + 1 :]
    for data in (b"", b"text", sound[: len(sound) // 2], flipped):
        path.write_bytes(data)
        with pytest.raises(InputError, match="delete it to start anew") as refused:
            checkpoint.load(path)
        assert "\n" not in str(refused.value)


def test_other_files_of_torch_are_refused(path):
    path.parent.mkdir()
    for state in ({"format": 99}, [1, 2], {}):
        torch.save(state, path)
        with pytest.raises(InputError, match="another version"):
            checkpoint.load(path)


def test_a_missing_one(path):
    with pytest.raises(InputError, match="cannot read"):
        checkpoint.load(path)
