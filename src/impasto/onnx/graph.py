"""Convert a method's graph to ONNX, and compare the outputs of ONNX Runtime and PyTorch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from impasto.errors import ImpastoError
from impasto.methods.graphs import PAINTED, Graph, Input, Side
from impasto.models import onnx_file

OPSET = 18  # of December 2022: read by ONNX Runtime from 1.14 on
_OPSET_CIRCULAR = 19  # the first with circular padding
_FORMATS = {OPSET: 8, _OPSET_CIRCULAR: 9}  # file format of the time: older runtimes need it
TOLERANCE = 1e-3  # a quarter of an 8-bit step

_LARGEST = 16384  # pixels
# approximate height and width of the images that a graph is traced with, and of those that it is
# checked with
_TRACED, *_CHECKED = _SIZES = ((48, 56), (64, 80), (112, 96))


def traced(graph: Graph, told: Mapping[str, Any], name: str) -> bytes:
    """Convert a graph to the content of an ONNX file.

    Args:
        graph: A graph of a method; its module is changed in place.
        told: Metadata of the file; the opset is added.
        name: Name of the file, for messages.

    Raises:
        ImpastoError: The network cannot be converted.
    """
    inputs = _example(graph.inputs, _TRACED)
    whole = Clamped(graph).eval().requires_grad_(False)
    sides: dict[str, Any] = {}
    shapes = tuple(_dynamic(one, sides) for one in graph.inputs)
    circular = any(getattr(p, "padding_mode", "") == "circular" for p in whole.modules())
    opset = _OPSET_CIRCULAR if circular else OPSET
    # With torch.export, not with the older TorchScript tracer: heights and widths stay symbolic,
    # so that an operation valid only for the traced size is an error here, not a wrong image
    # later. The tracer's graphs also have six times as many nodes, most of which compute sizes.
    try:
        with quiet():
            program = torch.onnx.export(
                whole,
                inputs,
                dynamo=True,
                dynamic_shapes=(shapes,),
                input_names=[one.name for one in graph.inputs],
                output_names=[graph.output],
                opset_version=opset,
                verbose=False,
            )
    except Exception as error:  # any part of the exporter may fail; its messages fill pages
        raise ImpastoError(
            f"{name} cannot be made: torch.onnx knows no graph for this network "
            f"({type(error).__name__})"
        ) from error
    assert program is not None  # always with dynamo=True
    proto = program.model_proto
    _strip(proto)
    proto.ir_version = _FORMATS[opset]
    facts = onnx_file.to_strings({**told, "opset": opset})
    onnx_file.library("onnx").helper.set_model_props(proto, facts)
    return bytes(proto.SerializeToString())


def _strip(proto: Any) -> None:
    """Remove the exporter's notes on the source of each node, which contain local paths."""
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for part in (*proto.graph.input, *proto.graph.output, proto.graph):
        part.ClearField("metadata_props")


def _dynamic(one: Input, sides: dict[str, Any]) -> dict[int, Any]:
    """Return the variable axes of an input for torch.export.

    Args:
        one: The input.
        sides: The variables by name, shared by all inputs of a graph; new ones are added.
    """
    found = {}
    for axis, side in enumerate(one.shape):
        if isinstance(side, Side):
            if side.name not in sides:
                sides[side.name] = torch.export.Dim(side.name, min=side.least, max=_LARGEST)
            found[axis] = side.unit * sides[side.name] if side.unit > 1 else sides[side.name]
    return found


def _example(inputs: Sequence[Input], size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Draw inputs with about one of the sizes in ``_SIZES``; they are the same in every run."""
    index = _SIZES.index(size)
    random = torch.Generator().manual_seed(index)
    units: dict[str, int] = {}
    for side in (side for one in inputs for side in one.shape if isinstance(side, Side)):
        units[side.name] = max(side.unit, units.get(side.name, 1))
    values: dict[str, int] = {}
    for one in inputs:
        for axis, length in enumerate(one.shape):
            if isinstance(length, Side):
                about = size[axis % 2] // units[length.name]
                values.setdefault(length.name, max(length.least + index + axis % 2, about))
    shapes = (
        tuple(s.unit * values[s.name] if isinstance(s, Side) else s for s in one.shape)
        for one in inputs
    )
    return tuple(
        one.draw(shape, random).contiguous() for one, shape in zip(inputs, shapes, strict=True)
    )


def compare(graph: Graph, content: bytes) -> tuple[float, tuple[tuple[int, ...], ...]]:
    """Compare the outputs of ONNX Runtime and PyTorch on random inputs of two sizes.

    Args:
        graph: A graph of a method.
        content: The content of its ONNX file.

    Returns:
        The largest difference, see :class:`~impasto.onnx.exporter.Written`, infinite if the shapes
        differ; and the shapes of the widest input.
    """
    session = onnx_file.session(content)
    furthest, shapes = 0.0, []
    for size in _CHECKED:
        given = _example(graph.inputs, size)
        with torch.inference_mode():
            expected = Clamped(graph)(*given)
        feeds = {one.name: value.numpy() for one, value in zip(graph.inputs, given, strict=True)}
        found = torch.from_numpy(session.run(None, feeds)[0])
        if found.shape != expected.shape:
            return float("inf"), ()
        unit = 1.0 if graph.output == PAINTED else max(1.0, float(expected.abs().max()))
        apart = (found - expected).abs() / unit
        # NaN counts as an infinite difference
        furthest = max(furthest, float(apart.nan_to_num(float("inf")).max()))
        shapes.append(max((tuple(one.shape) for one in given), key=_width))
    return furthest, tuple(shapes)


class Clamped(nn.Module):
    """A graph with float32 output, which is clamped to [0, 1] if it is an image."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.module, self.graph = graph.module, graph

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the output of the graph."""
        found: Tensor = (self.graph.function or self.module)(*inputs)
        return found.float().clamp(0, 1) if self.graph.output == PAINTED else found.float()


def _width(shape: tuple[int, ...]) -> int:
    return shape[-1] if len(shape) == 4 else 0


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the log messages and warnings of the exporter within the context."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
