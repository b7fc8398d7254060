"""A method's graph as ONNX, and how far from PyTorch ONNX Runtime is with it."""

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
_OPSET_CIRCULAR = 19  # the first whose Pad wraps around
_FORMATS = {OPSET: 8, _OPSET_CIRCULAR: 9}  # of the files of that time: older runtimes refuse newer
TOLERANCE = 1e-3  # a quarter of a shade of 256

_LARGEST = 16384  # pixels of a side
# about the sides that a graph is traced with, and those that it is then checked with
_TRACED, *_CHECKED = _SIZES = ((48, 56), (64, 80), (112, 96))


def traced(graph: Graph, told: Mapping[str, Any], name: str) -> bytes:
    """A graph as an ONNX file.

    Args:
        graph: As the method gave it; its module is changed in place.
        told: What the file shall tell of itself, besides its opset.
        name: Of the file.

    Raises:
        ImpastoError: ONNX has no graph for this network.
    """
    inputs = _example(graph.inputs, _TRACED)
    whole = _Whole(graph).eval().requires_grad_(False)
    sides: dict[str, Any] = {}
    shapes = tuple(_dynamic(one, sides) for one in graph.inputs)
    circular = any(getattr(p, "padding_mode", "") == "circular" for p in whole.modules())
    opset = _OPSET_CIRCULAR if circular else OPSET
    # By torch.export, not by the older tracer of TorchScript: sides stay symbols throughout, so
    # that a step which holds for the traced size alone is an error here, and not a wrong picture
    # later. The tracer's graphs also have six times as many nodes, most of them about sizes.
    try:
        with _quiet():
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
    except Exception as error:  # of any part of the exporter; its text goes over pages
        raise ImpastoError(
            f"{name} cannot be made: torch.onnx knows no graph for this network "
            f"({type(error).__name__})"
        ) from error
    assert program is not None  # what dynamo=True means
    proto = program.model_proto
    _strip(proto)
    proto.ir_version = _FORMATS[opset]
    facts = onnx_file.fold({**told, "opset": opset})
    onnx_file.library("onnx").helper.set_model_props(proto, facts)
    return bytes(proto.SerializeToString())


def _strip(proto: Any) -> None:
    """Remove what the exporter notes of where each node comes from: it names this machine."""
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for part in (*proto.graph.input, *proto.graph.output, proto.graph):
        part.ClearField("metadata_props")


def _dynamic(one: Input, sides: dict[str, Any]) -> dict[int, Any]:
    """Which axes of an input are free, for torch.export; sides of one name are kept as one."""
    found = {}
    for axis, side in enumerate(one.shape):
        if isinstance(side, Side):
            if side.name not in sides:
                sides[side.name] = torch.export.Dim(side.name, min=side.least, max=_LARGEST)
            found[axis] = side.unit * sides[side.name] if side.unit > 1 else sides[side.name]
    return found


def _example(inputs: Sequence[Input], size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Inputs of about one of the sizes, the same in every run."""
    index = _SIZES.index(size)
    random = torch.Generator().manual_seed(index)
    units: dict[str, int] = {}
    for side in (side for one in inputs for side in one.shape if isinstance(side, Side)):
        units[side.name] = max(side.unit, units.get(side.name, 1))
    numbers: dict[str, int] = {}
    for one in inputs:
        for axis, length in enumerate(one.shape):
            if isinstance(length, Side):
                about = size[axis % 2] // units[length.name]
                numbers.setdefault(length.name, max(length.least + index + axis % 2, about))
    shapes = (
        tuple(s.unit * numbers[s.name] if isinstance(s, Side) else s for s in one.shape)
        for one in inputs
    )
    return tuple(
        one.draw(shape, random).contiguous() for one, shape in zip(inputs, shapes, strict=True)
    )


def compare(graph: Graph, content: bytes) -> tuple[float, tuple[tuple[int, ...], ...]]:
    """How far ONNX Runtime is from PyTorch, on pictures of two sizes.

    Args:
        graph: As the method gave it.
        content: The same as ONNX.

    Returns:
        The largest difference, see :class:`Written`, and the shapes of the widest input.
    """
    session = onnx_file.session(content)
    furthest, shapes = 0.0, []
    for size in _CHECKED:
        given = _example(graph.inputs, size)
        with torch.inference_mode():
            expected = _Whole(graph)(*given)
        feeds = {one.name: value.numpy() for one, value in zip(graph.inputs, given, strict=True)}
        found = torch.from_numpy(session.run(None, feeds)[0])
        if found.shape != expected.shape:
            return float("inf"), ()
        unit = 1.0 if graph.output == PAINTED else max(1.0, float(expected.abs().max()))
        apart = (found - expected).abs() / unit
        # a number that is not finite is further away than any other
        furthest = max(furthest, float(apart.nan_to_num(float("inf")).max()))
        shapes.append(max((tuple(one.shape) for one in given), key=_width))
    return furthest, tuple(shapes)


class _Whole(nn.Module):
    """A graph's module with the range of colours kept, as everywhere in this package."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.module, self.clamped = graph.module, graph.output == PAINTED

    def forward(self, *inputs: Tensor) -> Tensor:
        found: Tensor = self.module(*inputs)
        return found.float().clamp(0, 1) if self.clamped else found.float()


def _width(shape: tuple[int, ...]) -> int:
    return shape[-1] if len(shape) == 4 else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of itself, of libraries that are not there, and of torch."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
