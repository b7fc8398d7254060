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

_KEY, _FORMAT, _FORMAT_8_BIT = "impasto", 1, 2

_SCALE = "/scale"  # no name of a parameter holds a slash
_LEAST_8_BIT = 2**12  # elements of a weight; smaller ones stay in float16
_LEVELS = 127  # of a signed byte on either side of 0


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


def save(model: Model, path: str | os.PathLike[str], *, bits: int = 16) -> None:
    """Write a model as one whole file or none.

    Args:
        model: The model.
        path: Its final name.
        bits: Format of the weights: 32 (as they are), 16 (float16), or 8: a signed byte an element
            and a float32 scale for each output channel for ``weight`` and ``kernels`` of linear
            layers and convolutions with 4,096 elements or more, and float16 for the rest.

    Raises:
        ImpastoError: It could not be written, or weights are not finite in the format.
        ValueError: There is no such format.
    """
    target = Path(path)
    state = _stored(model.state, bits)
    told = {
        "format": _FORMAT_8_BIT if any(name.endswith(_SCALE) for name in state) else _FORMAT,
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


def smallest_bits(state: Mapping[str, Tensor]) -> int:
    """Return the smallest format of :func:`save` that holds all weights exactly: 8, 16 or 32."""
    for bits in (8, 16):
        try:
            back = _restored(_stored(state, bits))
        except ImpastoError:  # too large for float16
            continue
        if all(torch.equal(back[name], value.cpu()) for name, value in state.items()):
            return bits
    return 32


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a weight to signed bytes with one scale for each output channel.

    Args:
        weight: Finite numbers: (out, in) of a linear layer, (..., out, in, kh, kw) of convolutions.

    Returns:
        Levels from -127 to 127 (int8) and scales (float32) that broadcast over them: their product
        differs from the weight by half a scale at most, and the largest element of a channel,
        which sets its scale, comes back to rounding.
    """
    inputs = tuple(range(-3 if weight.ndim > 3 else -1, 0))
    largest = weight.float().abs().amax(inputs, keepdim=True)
    scale = torch.where(largest > 0, largest / _LEVELS, 1.0)
    return (weight.float() / scale).round().to(torch.int8), scale


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
                state = _restored({n: file.get_tensor(n) for n in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(
            f"{source}: cannot be read as a model; copy or train it again"
        ) from error
    return Model(told["method"], told["config"], state, tuple(told["styles"]), told["card"])


def _check(told: Any, source: Path) -> None:
    """Refuse a header that :func:`save` did not write."""
    if not isinstance(told, dict) or told.get("format") not in (_FORMAT, _FORMAT_8_BIT):
        raise WeightsError(f"{source}: is no model of Impasto, or one of a newer version")
    kinds = {"method": str, "config": dict, "styles": list, "card": dict}
    if not all(isinstance(told.get(key), kind) for key, kind in kinds.items()):
        raise WeightsError(f"{source}: its header is damaged; copy or train it again")


def _stored(state: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """Return the tensors of a file: weights in a format, and the scales of those in 8 bits."""
    if bits not in (8, 16, 32):
        raise ValueError(f"bits is {bits}: choose 8, 16 or 32")
    stored = {}
    for name, value in state.items():
        kept = value.detach().cpu().contiguous()
        if kept.is_floating_point():
            if not (kept if bits == 32 else kept.half()).isfinite().all():
                raise ImpastoError(
                    f"{name} holds numbers that are not finite: the model is not saved"
                )
            if bits == 8 and _is_large(name, kept):
                kept, stored[f"{name}{_SCALE}"] = quantize(kept)
            elif bits < 32:
                kept = kept.half()
        stored[name] = kept
    return stored


def _is_large(name: str, value: Tensor) -> bool:
    wanted = name.endswith(("weight", "kernels")) and value.ndim > 1
    return wanted and value.numel() >= _LEAST_8_BIT


def _restored(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in float32 that a file's tensors stand for."""
    state = {}
    for name, value in stored.items():
        if name.endswith(_SCALE):
            continue
        scale = stored.get(f"{name}{_SCALE}")
        full = value.float() if value.dtype is torch.float16 else value
        state[name] = full if scale is None else value.float() * scale
    return state
