"""Model files: the weights of a trained network and how it came to be, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from impasto.errors import ImpastoError, WeightsError

SUFFIX = ".safetensors"

_KEY, _FORMAT = "impasto", 1


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network.

    Attributes:
        method: Which method it belongs to.
        config: The numbers of the method, field by field.
        state: The weights by name.
        styles: What it paints: the names that users call it by.
        card: How it came to be: plan, data, losses, time, version, command. Anything JSON.
    """

    method: str
    config: Mapping[str, Any]
    state: Mapping[str, Tensor]
    styles: tuple[str, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)


def save(model: Model, path: str | os.PathLike[str], *, half: bool = True) -> None:
    """Write a model as one whole file or none.

    Args:
        model: The model.
        path: Its final name.
        half: Round the weights to float16, which no eye has yet told from float32.

    Raises:
        ImpastoError: It could not be written, or weights are not finite in the format.
    """
    target = Path(path)
    state = {}
    for name, value in model.state.items():
        kept = value.detach().cpu()
        kept = kept.half() if half and kept.is_floating_point() else kept
        if kept.is_floating_point() and not kept.isfinite().all():
            raise ImpastoError(f"{name} holds numbers that are not finite: the model is not saved")
        state[name] = kept.contiguous()
    told = {
        "format": _FORMAT,
        "method": model.method,
        "config": dict(model.config),
        "styles": list(model.styles),
        "card": dict(model.card),
    }
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(serialize(state, {_KEY: json.dumps(told, sort_keys=True)}))
        partial.replace(target)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):  # where nothing could be written, nothing can be removed
            partial.unlink(missing_ok=True)
        raise ImpastoError(f"could not write the model {target} ({error})") from error


def load(path: str | os.PathLike[str], *, weights: bool = True) -> Model:
    """Read a model.

    Args:
        path: A file that :func:`save` wrote.
        weights: Whether the weights are wanted (float32); without them only the header is read.

    Raises:
        WeightsError: It is missing, damaged, or no model of this package.
    """
    source = Path(path)
    if not source.is_file():
        raise WeightsError(f"{source}: no such model")
    try:
        with safe_open(source, framework="pt") as file:
            told = json.loads((file.metadata() or {}).get(_KEY, "null"))
            _check(told, source)
            state = {}
            if weights:
                state = {name: _full(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(
            f"{source}: cannot be read as a model; copy or train it again"
        ) from error
    return Model(told["method"], told["config"], state, tuple(told["styles"]), told["card"])


def _check(told: Any, source: Path) -> None:
    """Refuse a header that :func:`save` did not write."""
    if not isinstance(told, dict) or told.get("format") != _FORMAT:
        raise WeightsError(f"{source}: is no model of Impasto, or one of a newer version")
    kinds = {"method": str, "config": dict, "styles": list, "card": dict}
    if not all(isinstance(told.get(key), kind) for key, kind in kinds.items()):
        raise WeightsError(f"{source}: its header is damaged; copy or train it again")


def _full(value: Tensor) -> Tensor:
    return value.float() if value.dtype is torch.float16 else value
