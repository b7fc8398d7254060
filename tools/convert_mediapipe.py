"""Convert the networks of MediaPipe that find people and faces to safetensors.

    pip install tflite
    npm pack @mediapipe/selfie_segmentation @mediapipe/face_detection
    python tools/convert_mediapipe.py selfie_segmentation.tflite face_detection_full_range.tflite

The files are those in the npm packages. Both networks are under the Apache License 2.0; their
convolutions, stored as float16, are the only thing that is taken over.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from impasto.nn.blazeface import BlazeFace
from impasto.nn.person_segmentation import PersonSegmentation

DATA = Path(__file__).parents[1] / "src/impasto/data/masks"
NETWORKS = {"person-segmentation": PersonSegmentation, "blazeface": BlazeFace}
SOURCE = {
    "license": "Apache-2.0",
    "author": "Google LLC, MediaPipe",
    "changes": "converted from TensorFlow Lite to safetensors",
}


def convolutions(path: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield weight (out, in, h, w) and bias of each convolution, in the order of execution."""
    import tflite

    model: Any = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    made_from: dict[int, int] = {}  # a dequantized tensor and its float16 source
    for number in range(graph.OperatorsLength()):
        op = graph.Operators(number)
        entry = model.OperatorCodes(op.OpcodeIndex())
        code = max(entry.BuiltinCode(), entry.DeprecatedBuiltinCode())
        inputs = [int(index) for index in op.InputsAsNumpy()]
        if code == tflite.BuiltinOperator.DEQUANTIZE:
            made_from[int(op.OutputsAsNumpy()[0])] = inputs[0]
            continue
        kinds = tflite.BuiltinOperator
        if code not in {kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D, kinds.CUSTOM}:
            continue
        weight, bias = (_tensor(model, graph, made_from[index]) for index in inputs[1:])
        if code == kinds.CONV_2D:
            weight = weight.permute(0, 3, 1, 2)
        else:  # depthwise (1, h, w, C), transposed (1, h, w, in)
            weight = weight.permute(3, 0, 1, 2)
        yield weight.contiguous(), bias


def _tensor(model: Any, graph: Any, index: int) -> Tensor:
    tensor = graph.Tensors(index)
    data = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
    array = np.frombuffer(data, np.float16).reshape(tensor.ShapeAsNumpy())
    return torch.from_numpy(array.copy())


def convert(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a file by the names of a network that has the same layers, in order."""
    names = [name.removesuffix(".weight") for name in network.state_dict() if "weight" in name]
    state = {}
    for name, (weight, bias) in zip(names, convolutions(path), strict=True):
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
    network.load_state_dict(state)
    return state


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    for file, (name, kind) in zip(sys.argv[1:], NETWORKS.items(), strict=True):
        save_file(convert(Path(file), kind()), DATA / f"{name}.safetensors", SOURCE)
