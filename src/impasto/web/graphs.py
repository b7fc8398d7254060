"""Derive the graphs that a browser needs for pictures of any size from an exported graph.

An instance norm takes its statistics from the whole picture. A large picture is painted in tiles,
and tiles with statistics of their own would not fit together. So there are three graphs, which
share one file of weights:

- ``paint``: the exported graph, for pictures that fit into memory as a whole;
- ``measure``: (B, 3, h, w), crops of a picture, to ``statistics`` (2, S): the means and variances
  of all S normalised channels over all crops;
- ``tile``: the exported graph with an input ``statistics``, which it normalises by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impasto.models import onnx_file

WEIGHTS = "weights.bin"
STATISTICS = "statistics"
_NORM = "InstanceNormalization"
_LEAST = 256  # bytes of an initializer that goes into the file of weights
_FIELD = 192  # pixels; side of the picture in which the reach of a pixel is measured
_FIELD_MOST = 1024


@dataclass(frozen=True)
class Graphs:
    """The graphs of a model as contents of files.

    Attributes:
        weights: The weights that all graphs share.
        graphs: Contents of ONNX files by name: ``paint``, and with instance norms also ``measure``
            and ``tile``.
        channels: S, the number of normalised channels; 0 without instance norms.
        reach: Pixels around a pixel of the result that it depends on, if the statistics are given.
        inputs: Names of the inputs of ``paint``.
    """

    weights: bytes
    graphs: dict[str, bytes]
    channels: int
    reach: int
    inputs: tuple[str, ...]


def derive(exported: Path, multiple: int) -> Graphs:
    """Derive the graphs of a model.

    Args:
        exported: The ONNX file of :func:`impasto.onnx.export`.
        multiple: Height and width of its pictures are multiples of this.
    """
    onnx = onnx_file.library("onnx")
    whole = onnx.load(exported)
    del whole.metadata_props[:]  # the page has its own table of the models
    channels = _channels(onnx, whole)
    made = {"paint": whole}
    if channels:
        made |= {"measure": _measuring(onnx, whole), "tile": _tiled(onnx, whole, channels)}
    reach = _reach({name: one.SerializeToString() for name, one in made.items()}, multiple)
    weights = bytearray()
    places: dict[str, tuple[int, int]] = {}
    contents = {}
    for name, graph in made.items():
        _share_weights(onnx, graph, weights, places)
        contents[name] = bytes(graph.SerializeToString())
    inputs = tuple(one.name for one in whole.graph.input)
    return Graphs(bytes(weights), contents, sum(channels), reach, inputs)


def _channels(onnx: Any, model: Any) -> list[int]:
    """Return the number of channels of each instance norm."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {one.name: one.type.tensor_type.shape.dim for one in inferred.value_info}
    nodes = [node for node in model.graph.node if node.op_type == _NORM]
    return [int(shapes[node.input[0]][1].dim_value) for node in nodes]


class _Nodes:
    """Appends nodes to a copy of a graph; each call returns the name of the node's output.

    Args:
        onnx: The library.
        model: The model that is copied, without its nodes.
    """

    def __init__(self, onnx: Any, model: Any) -> None:
        self.onnx, self.model = onnx, onnx.ModelProto()
        self.model.CopyFrom(model)
        del self.model.graph.node[:]
        self.count = 0

    def __call__(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node of a kind."""
        output = output or self._name()
        node = self.onnx.helper.make_node(kind, inputs, [output], **attributes)
        self.model.graph.node.append(node)
        return output

    def split(self, x: str, sizes: Sequence[int]) -> list[str]:
        """Append a node that splits axis 1 into parts of these sizes."""
        parts = [self._name() for _ in sizes]
        inputs = [x, self.constant(list(sizes))]
        self.model.graph.node.append(self.onnx.helper.make_node("Split", inputs, parts, axis=1))
        return parts

    def constant(self, values: Any) -> str:
        """Add a constant: integers in 64 bits, or floats in 32."""
        array = np.asarray(values)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        name = self._name()
        self.model.graph.initializer.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def statistics(self, channels: int) -> Any:
        """Return the description of the statistics (2, S) as an input or output."""
        kind, shape = self.onnx.TensorProto.FLOAT, [2, channels]
        return self.onnx.helper.make_tensor_value_info(STATISTICS, kind, shape)

    def _name(self) -> str:
        self.count += 1
        return f"norm{self.count}"


def _tiled(onnx: Any, whole: Any, channels: Sequence[int]) -> Any:
    """Return the graph that normalises by an input of statistics."""
    make = _Nodes(onnx, whole)
    axes, small = make.constant([0, 2, 3]), make.constant(_epsilon(whole))
    first, second = make.constant(0), make.constant(1)
    parts = iter(make.split(STATISTICS, channels))  # (2, C) each
    for node in whole.graph.node:
        if node.op_type != _NORM:
            make.model.graph.node.append(node)
            continue
        (x, scale, bias), part = node.input, next(parts)
        mean, variance = make("Gather", part, first), make("Gather", part, second)  # (C,)
        factor = make("Div", scale, make("Sqrt", make("Add", variance, small)))
        shift = make("Sub", bias, make("Mul", mean, factor))
        scaled = make("Mul", x, make("Unsqueeze", factor, axes))
        make("Add", scaled, make("Unsqueeze", shift, axes), output=node.output[0])
    make.model.graph.input.append(make.statistics(sum(channels)))
    return make.model


def _measuring(onnx: Any, whole: Any) -> Any:
    """Return the graph that measures the statistics of crops, with all crops as one picture."""
    make = _Nodes(onnx, whole)
    axes, small = make.constant([0, 2, 3]), make.constant(_epsilon(whole))
    row = make.constant([1, -1])
    means, variances = [], []
    for node in whole.graph.node:
        if node.op_type != _NORM:
            make.model.graph.node.append(node)
            continue
        x, scale, bias = node.input
        mean = make("ReduceMean", x, axes)  # (1, C, 1, 1)
        apart = make("Sub", x, mean)
        variance = make("ReduceMean", make("Mul", apart, apart), axes)
        deviation = make("Sqrt", make("Add", variance, small))
        factor = make("Div", make("Unsqueeze", scale, axes), deviation)
        shift = make("Unsqueeze", bias, axes)
        make("Add", make("Mul", apart, factor), shift, output=node.output[0])
        means.append(make("Reshape", mean, row))  # (1, C)
        variances.append(make("Reshape", variance, row))
    rows = [make("Concat", *found, axis=1) for found in (means, variances)]
    make("Concat", *rows, output=STATISTICS, axis=0)
    graph = make.model.graph
    del graph.output[:], graph.value_info[:]
    graph.output.append(make.statistics(sum(_channels(onnx, whole))))
    content = next(one for one in graph.input if one.name == "content")
    content.type.tensor_type.shape.dim[0].dim_param = "crops"
    return make.model


def _epsilon(model: Any) -> float:
    """Return the number that the instance norms add to the variance, which is the same for all."""
    found = {a.f for n in model.graph.node if n.op_type == _NORM for a in n.attribute}
    (epsilon,) = found
    return float(epsilon)


def _share_weights(
    onnx: Any, model: Any, weights: bytearray, places: dict[str, tuple[int, int]]
) -> None:
    """Move the large initializers of a graph to the common weights."""
    for one in model.graph.initializer:
        if len(one.raw_data) < _LEAST:
            continue
        if one.name not in places:
            places[one.name] = len(weights), len(one.raw_data)
            weights += one.raw_data
        offset, length = places[one.name]
        onnx.external_data_helper.set_external_data(one, WEIGHTS, offset, length)
        one.ClearField("raw_data")


def _reach(graphs: Mapping[str, bytes], multiple: int) -> int:
    """Measure how far from a pixel of the photo the result changes with it, in pixels.

    Convolutions with a stride start at multiples of it, so several pixels are tried.

    Args:
        graphs: All graphs of the model, with their weights.
        multiple: See :func:`derive`.

    Returns:
        A multiple of ``multiple``.
    """
    tile = onnx_file.session(graphs.get("tile", graphs["paint"]))
    random, side = np.random.default_rng(0), _FIELD
    while True:
        middle, farthest = side // 2 // multiple * multiple, 0
        feeds = {"content": random.random((1, 3, side, side), np.float32)}
        feeds |= {
            one.name: np.full(one.shape, 1 / one.shape[-1], np.float32)
            for one in tile.get_inputs()
            if one.name == "weights"
        }
        if "measure" in graphs:
            (found,) = onnx_file.session(graphs["measure"]).run(None, feeds)
            feeds[STATISTICS] = found
        (before,) = tile.run(None, feeds)
        for offset in range(multiple):
            photo = feeds["content"].copy()
            photo[..., middle + offset, middle + offset] = 1 - feeds["content"].mean()
            (after,) = tile.run(None, {**feeds, "content": photo})
            places = np.argwhere((before != after).any((0, 1)))  # (n, 2)
            if len(places):
                farthest = max(farthest, int(abs(places - middle - offset).max()))
        if farthest + 2 * multiple < side // 2 or side >= _FIELD_MOST:
            return -(-farthest // multiple) * multiple
        side *= 2
