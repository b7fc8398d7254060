"""Say whether a network is being exported, so that it computes with plain operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_exporting: ContextVar[bool] = ContextVar("_exporting", default=False)


def is_exporting() -> bool:
    """Return whether the networks are traced for another runtime, in which fast forms are slow."""
    return _exporting.get() or torch.onnx.is_in_onnx_export()


@contextmanager
def exporting() -> Iterator[None]:
    """Let networks compute as in an export to ONNX inside the context."""
    token = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(token)
