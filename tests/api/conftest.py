"""A method for the tests of the controls."""

from __future__ import annotations

import pytest

from impasto.methods import registry
from stub_method import ALL, Stub


@pytest.fixture
def stub(monkeypatch):
    """stub(paint, abilities): a Stub that the table knows."""

    def make(paint=lambda seen: seen.content, abilities=ALL, steps=2):
        entry = registry.Entry("stub", "a stub", "optimization", (), abilities, Stub)
        registry.get("gatys")  # the table is complete before the stub is put in
        monkeypatch.setitem(registry._REGISTERED, "stub", entry)
        monkeypatch.setattr(Stub, "name", "stub", raising=False)
        monkeypatch.setattr(Stub, "abilities", abilities, raising=False)
        return Stub(paint, steps)

    return make
