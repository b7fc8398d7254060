"""Read and write model files: weights, config and metadata in one safetensors file."""

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

_SCALE = "/scale"  # names of parameters contain no slash
_LEAST_8_BIT = 2**12  # elements; smaller weights are stored in float16
_LEVELS = 127  # int8 levels from -127 to 127


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network.

    Attributes:
        method: Name of its method.
        config: Hyperparameters of the method, by field name.
        state: Weights by name.
        styles: Names of the styles (or textures) that it has learned.
        card: Metadata on its training: plan, data, losses, time, version, command. Any JSON.
    """

    method: str
    config: Mapping[str, Any]
    state: Mapping[str, Tensor]
    styles: tuple[str, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)


def save(model: Model, path: str | os.PathLike[str], *, bits: int = 16) -> None:
    """Write a model file atomically: it is complete or not there.

    Args:
        model: The model.
        path: Path of the file; missing folders are created.
        bits: Format of the weights: 32 (unchanged), 16 (float16), or 8: int8 with a float32 scale
            per output channel for ``weight`` and ``kernels`` of linear layers and convolutions with
            4,096 elements or more, and float16 for the rest.

    Raises:
        ImpastoError: The file cannot be written, or a weight is not finite in the format.
        ValueError: ``bits`` is none of these.
    """
    target = Path(path)
    state = _stored(model.state, bits)
    metadata = {
        "format": _FORMAT_8_BIT if any(name.endswith(_SCALE) for name in state) else _FORMAT,
        "method": model.method,
        "config": dict(model.config),
        "styles": list(model.styles),
        "card": dict(model.card),
    }
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(serialize(state, {_KEY: json.dumps(metadata, sort_keys=True)}))
        partial.replace(target)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):  # the file may not exist
            partial.unlink(missing_ok=True)
        raise ImpastoError(f"could not write the model {target} ({error})") from error


def smallest_bits(state: Mapping[str, Tensor]) -> int:
    """Return the smallest ``bits`` of :func:`save` that store all weights exactly: 8, 16 or 32."""
    for bits in (8, 16):
        try:
            back = _restored(_stored(state, bits))
        except ImpastoError:  # too large for float16
            continue
        if all(torch.equal(back[name], value.cpu()) for name, value in state.items()):
            return bits
    return 32


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a weight to int8 with one scale per output channel.

    Args:
        weight: Finite values: (out, in) of a linear layer, (..., out, in, kh, kw) of convolutions.

    Returns:
        Levels from -127 to 127 (int8), and scales (float32) that broadcast over them. Their product
        differs from the weight by at most half a scale; the largest element of a channel, which
        defines its scale, is restored exactly but for rounding.
    """
    inputs = tuple(range(-3 if weight.ndim > 3 else -1, 0))
    largest = weight.float().abs().amax(inputs, keepdim=True)
    scale = torch.where(largest > 0, largest / _LEVELS, 1.0)
    return (weight.float() / scale).round().to(torch.int8), scale


def load(path: str | os.PathLike[str], *, weights: bool = True) -> Model:
    """Read a model file.

    Args:
        path: A file that :func:`save` wrote.
        weights: Whether to read the weights, as float32; if not, only the metadata is read.

    Raises:
        WeightsError: The file is missing, damaged, or no model of this package.
    """
    source = Path(path)
    if not source.is_file():
        raise WeightsError(f"{source}: no such model")
    try:
        with safe_open(source, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_KEY, "null"))
            _check(header, source)
            state = {}
            if weights:
                state = _restored({n: file.get_tensor(n) for n in file.keys()})  # noqa: SIM118
    except WeightsError:
        raise
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(
            f"{source}: cannot be read as a model; copy or train it again"
        ) from error
    return Model(header["method"], header["config"], state, tuple(header["styles"]), header["card"])


def _check(metadata: Any, source: Path) -> None:
    """Raise an error for a header that :func:`save` did not write."""
    if not isinstance(metadata, dict) or metadata.get("format") not in (_FORMAT, _FORMAT_8_BIT):
        raise WeightsError(f"{source}: is no model of Impasto, or one of a newer version")
    kinds = {"method": str, "config": dict, "styles": list, "card": dict}
    if not all(isinstance(metadata.get(key), kind) for key, kind in kinds.items()):
        raise WeightsError(f"{source}: its header is damaged; copy or train it again")


def _stored(state: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """Return the tensors to store: weights in the format of ``bits``, and scales of int8 ones."""
    if bits not in (8, 16, 32):
        raise ValueError(f"bits is {bits}: choose 8, 16 or 32")
    stored = {}
    for name, value in state.items():
        tensor = value.detach().cpu().contiguous()
        if tensor.is_floating_point():
            if not (tensor if bits == 32 else tensor.half()).isfinite().all():
                raise ImpastoError(
                    f"{name} holds numbers that are not finite: the model is not saved"
                )
            if bits == 8 and _is_large(name, tensor):
                tensor, stored[f"{name}{_SCALE}"] = quantize(tensor)
            elif bits < 32:
                tensor = tensor.half()
        stored[name] = tensor
    return stored


def _is_large(name: str, value: Tensor) -> bool:
    wanted = name.endswith(("weight", "kernels")) and value.ndim > 1
    return wanted and value.numel() >= _LEAST_8_BIT


def _restored(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the float32 weights of the tensors of a file."""
    state = {}
    for name, value in stored.items():
        if name.endswith(_SCALE):
            continue
        scale = stored.get(f"{name}{_SCALE}")
        full = value.float() if value.dtype is torch.float16 else value
        state[name] = full if scale is None else value.float() * scale
    return state
