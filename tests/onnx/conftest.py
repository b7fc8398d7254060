"""Exports of small models, each made once."""

from __future__ import annotations

import shutil

import pytest

from exports import CASES, save
from impasto.onnx import exporter as export


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """exported(case) is a model of fresh weights, its export, and what was written."""
    folder, made, write = tmp_path_factory.mktemp("exported"), {}, export.export

    def make(case):
        if case not in made:
            path, target = folder / f"{case}.safetensors", folder / f"{case}.onnx"
            save(path, *CASES[case], licence="CC0", thumbnails=["x" * 1000])
            made[case] = (path, target, write(path, target))
        return made[case]

    return make


@pytest.fixture
def copied(exported, monkeypatch):
    """Copy files that were exported before; list each requested file."""
    asked = []

    def copy(model, output):
        asked.append(output)
        for one in exported(model.stem)[2]:
            shutil.copy(one.path, output.with_name(one.path.name))

    monkeypatch.setattr(export, "export", copy)
    return asked
