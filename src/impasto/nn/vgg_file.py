"""Read VGG weights from files of several formats, and rename their layers consistently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.errors import WeightsError

State = dict[str, Tensor]

_SUFFIXES = (".safetensors", ".npz", ".pth", ".pt", ".bin")


def read(path: Path) -> State:
    """Read the convolutions of a file.

    Args:
        path: A ``.safetensors``, ``.pth``/``.pt``/``.bin`` (read with ``weights_only``) or
            ``.npz``.

    Returns:
        float32 tensors named ``conv1_1.weight`` (out, in, 3, 3) and ``conv1_1.bias`` (out,).

    Raises:
        WeightsError: The file is damaged or no VGG.
    """
    if path.suffix not in _SUFFIXES:
        raise WeightsError(f"{path}: unknown kind of file; use {', '.join(_SUFFIXES)}")
    try:
        state = _canonical(_unpalette(_read(path)))
    except Exception as error:  # the readers raise many types of exception for damaged files
        raise WeightsError(f"{path}: cannot be read as weights; fetch or copy it again") from error
    if "conv1_1.weight" not in state:
        raise WeightsError(f"{path}: holds no VGG convolutions under any naming that is known")
    return state


def _read(path: Path) -> Mapping[Any, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if path.suffix == ".npz":
        import numpy as np

        with np.load(path, allow_pickle=False) as arrays:
            return {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state if isinstance(state, Mapping) else {}


def _unpalette(state: Mapping[Any, Any]) -> State:
    """Expand weights stored as indices into a table of 256 values per layer."""
    plain = {}
    for key, value in state.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            continue
        if key.endswith("_W_q"):
            table = state[key.removesuffix("_q") + "_table"]
            plain[key.removesuffix("_q")] = table.index_select(0, value.flatten().int()).reshape(
                value.shape
            )
        elif not key.endswith("_W_table"):
            plain[key] = value
    return plain


_BLOCK = re.compile(r"block(\d)_conv(\d)[._](W|b|weight|bias)$")  # Keras
_CONV = re.compile(r"(?:^|\.)conv(\d)_(\d)\.(weight|bias)$")  # Caffe
_FEATURE = re.compile(r"(?:^|\.)features\.(\d+)\.(weight|bias)$")  # torchvision


def _canonical(state: State) -> State:
    """Rename the convolutions of a file to ``conv{block}_{index}.{weight,bias}``."""
    names = _torchvision_names(state)
    canonical = {}
    for key, value in state.items():
        if match := _BLOCK.search(key) or _CONV.search(key):
            block, index, kind = match.groups()
            name = f"conv{block}_{index}"
        elif match := _FEATURE.search(key):
            name, kind = names[int(match[1])], match[2]
        else:
            continue
        kind = {"W": "weight", "b": "bias"}.get(kind, kind)
        canonical[f"{name}.{kind}"] = value.float()
    return canonical


def _torchvision_names(state: State) -> dict[int, str]:
    """Return the names of torchvision's numbered convolutions; a gap of three is a pooling."""
    numbers = sorted({int(m[1]) for key in state if (m := _FEATURE.search(key))})
    names, block, index = {}, 1, 0
    for position, number in enumerate(numbers):
        pooled = position > 0 and number - numbers[position - 1] == 3
        block, index = (block + 1, 1) if pooled else (block, index + 1)
        names[number] = f"conv{block}_{index}"
    return names
