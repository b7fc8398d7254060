"""Export a trained model as a LiteRT file (.tflite), for phones: one graph of one size."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from impasto.errors import ImpastoError, InputError, MissingExtraError
from impasto.methods.graphs import Graph, Side
from impasto.nn.exporting import exporting
from impasto.onnx.graph import TOLERANCE, Clamped, quiet

SUFFIX = ".tflite"
SIZE = (256, 256)  # width, height


def library() -> ModuleType:
    """Import the converter, which is an optional dependency.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module("litert_torch")
    except ImportError as error:
        raise MissingExtraError("a LiteRT file", "litert") from error


def build(
    graphs: Sequence[Graph], name: str, size: tuple[int, int]
) -> tuple[bytes, float, tuple[int, ...]]:
    """Convert the graph that paints, and compare its output with PyTorch's.

    LiteRT has fixed sizes. The inputs are those of the ONNX export in their order: the content
    image (1, 3, H, W), then, of a model of several styles, their weights (1, N). Weights are stored
    in float16, as in model files, or in float32 where that would change the picture.

    Args:
        graphs: The graphs of a method.
        name: Name of the model, for messages.
        size: Width and height of the images, in pixels.

    Returns:
        The content of the file, the largest difference between the outputs, and the shape of the
        content image.

    Raises:
        ImpastoError: The network cannot be converted, or the outputs differ.
        InputError: The network needs other inputs, or does not take this size.
        MissingExtraError: The library ``litert-torch`` is not installed.
    """
    graph = graphs[-1]
    if len(graphs) > 1 or {one.name for one in graph.inputs} - {"content", "weights"}:
        raise InputError(
            f"{name}: a LiteRT file holds a network that has learned its styles; "
            "export this one to ONNX"
        )
    width, height = size
    inputs = _inputs(graph, height, width)
    whole = Clamped(graph).eval().requires_grad_(False)
    _copy_weights(whole)
    with exporting(), torch.inference_mode():
        expected = whole(*inputs)
    try:
        with exporting(), quiet():
            program = library().convert(whole, inputs)
    except Exception as error:  # any part of the converter may fail; its messages fill pages
        reason = f"({type(error).__name__})"
        raise ImpastoError(f"litert-torch knows no graph for this network {reason}") from error
    full = _content(program)
    for content in (_halved(full), full):
        difference = float((_painted(content, inputs) - expected).abs().max())
        if difference < TOLERANCE:
            return content, difference, tuple(inputs[0].shape)
    raise ImpastoError(
        f"the LiteRT file would paint otherwise than PyTorch does: they differ by "
        f"{difference:.1e}, and {TOLERANCE:.0e} is the most; nothing was written"
    )


def _inputs(graph: Graph, height: int, width: int) -> tuple[Tensor, ...]:
    """Draw inputs of a size; the weights are of the first style."""
    random = torch.Generator().manual_seed(0)
    drawn = []
    for one in graph.inputs:
        if one.name == "weights":
            drawn.append(nn.functional.one_hot(torch.tensor([0]), int(one.shape[1])).float())  # type: ignore[arg-type]
            continue
        for axis, side in zip((height, width), one.shape[-2:], strict=True):
            if isinstance(side, Side) and (axis % side.unit or axis < side.unit * side.least):
                least = side.unit * side.least
                raise InputError(
                    f"size {width}x{height}: this network takes multiples of {side.unit} pixels "
                    f"from {least} on"
                )
        drawn.append(one.draw((1, 3, height, width), random).contiguous())
    return tuple(drawn)


def _copy_weights(module: nn.Module) -> None:
    """Make each weight a contiguous tensor of its own.

    The converter takes weights of the same memory for equal, whatever their layout.
    """
    for weight in (*module.parameters(), *module.buffers()):
        weight.data = weight.data.contiguous().clone()


def _content(program: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"graph{SUFFIX}"
        program.export(str(path))
        return path.read_bytes()


def _painted(content: bytes, inputs: tuple[Tensor, ...]) -> Tensor:
    """Run the content of a LiteRT file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"graph{SUFFIX}"
        path.write_bytes(content)
        return torch.from_numpy(np.asarray(library().load(str(path))(*inputs)))


def _halved(content: bytes) -> bytes:
    """Store the weights of convolutions in float16, from which LiteRT restores float32."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.quantizer import Quantizer

    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=half,
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    quantizer = Quantizer(content)
    quantizer.update_quantization_recipe(
        ".*", qtyping.TFLOperationName.ALL_SUPPORTED, config, AlgorithmName.FLOAT_CASTING
    )
    with quiet():
        return bytes(quantizer.quantize().quantized_model)
