"""Export a trained model as ONNX graphs or as LiteRT, to run without PyTorch and this package."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from impasto._version import __version__
from impasto.core.device import Runtime
from impasto.core.progress import Callback, PartProgress, Progress, silent
from impasto.errors import CancelledError, ImpastoError, InputError
from impasto.image import files
from impasto.methods.graphs import Graph, Side
from impasto.methods.network import NetworkMethod, network_class
from impasto.methods.spec import Ability
from impasto.models import checkpoint as model_file
from impasto.models import onnx_file, zoo
from impasto.onnx import litert
from impasto.onnx.engines import cache_folder
from impasto.onnx.graph import TOLERANCE, compare, traced


@dataclass(frozen=True)
class Written:
    """A written ONNX or LiteRT file.

    Attributes:
        path: Path of the file.
        names: Names of the styles of the model, or the name of the file if there are none.
        size: Size of the file in bytes.
        difference: Largest absolute difference between the outputs of PyTorch and of the other
            runtime: of colours in [0, 1], or, of other outputs, relative to their largest absolute
            value.
        shapes: Shapes of the widest input in the runs that were compared.
    """

    path: Path
    names: tuple[str, ...]
    size: int
    difference: float
    shapes: tuple[tuple[int, ...], ...]


def export(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    size: int | tuple[int, int] | None = None,
    callback: Callback = silent,
) -> tuple[Written, ...]:
    """Export a trained model to ONNX or LiteRT, after comparing its outputs with PyTorch's.

    Args:
        model: The path of a model, or a name of ``impasto styles``, whose model is exported with
            all its styles.
        output: Path of the graph that paints, which ends in ``.onnx``, or in ``.tflite`` for
            LiteRT. Another graph of the method is written to the same folder, such as
            ``x-predictor.onnx`` for ``x.onnx``.
        size: Width and height, or the side of a square, in pixels, of the images of a LiteRT file;
            256 where it is left out. An ONNX file takes all sizes.
        callback: Called after every step; nothing is written if it cancels.

    Returns:
        The written files; that of the graph that paints is the last.

    Raises:
        CancelledError: The callback cancelled.
        ImpastoError: The outputs differ from those of PyTorch, or the graph could not be built.
        InputError: The model cannot be exported, or the file cannot be written.
        MissingExtraError: The libraries of the extra ``onnx`` or ``litert`` are not installed.
    """
    target = Path(output)
    _check_target(target, sized=size is not None)
    path = zoo.model_of(model)
    known = model_file.load(path)
    runtime = Runtime(torch.device("cpu"), torch.float32)
    method = network_class(known.method, Ability.EXPORT).open(known, runtime)
    graphs = method.graphs()
    names = known.styles or (target.stem,)
    if target.suffix == litert.SUFFIX:
        return (_write_litert(graphs, path.stem, target, names, size, callback),)
    metadata = _model_metadata(known, method, path)
    metadata |= {graph.role: _output_path(target, graph).name for graph in graphs if graph.role}
    sides = {key: side for graph in graphs for key, side in _side_limits(graph).items()}
    metadata |= {key: side for key, side in sides.items() if key.startswith("style_")}
    made = []
    for index, graph in enumerate(graphs):
        part = {"paints_with": target.name} if graph.role else {}
        watch = PartProgress(callback, index, len(graphs))
        made.append(
            _build_file(graph, {**metadata, **part}, _output_path(target, graph), names, watch)
        )
    for content, one in made:
        files.write(content, one.path)
    return tuple(one for _, one in made)


def _check_target(target: Path, *, sized: bool) -> None:
    """Check the path of an export, and that the libraries for it are installed.

    Raises:
        InputError: It has another ending, cannot be written, or is of a format without sizes.
        MissingExtraError: A library is missing.
    """
    if target.suffix not in (onnx_file.SUFFIX, litert.SUFFIX):
        raise InputError(
            f"{target}: the name of an export ends in {onnx_file.SUFFIX} or {litert.SUFFIX}"
        )
    if sized and target.suffix == onnx_file.SUFFIX:
        raise InputError(f"an ONNX file takes all sizes: leave `size` out for {target}")
    files.check(target)
    if target.suffix == litert.SUFFIX:
        litert.library()
    else:
        for library in ("onnx", "onnxruntime", "onnxscript"):
            onnx_file.library(library)


def cached_export(source: str | os.PathLike[str]) -> Path:
    """Return the path of a model's export in the user's cache; export it if it is not there.

    Args:
        source: As for :func:`export`.

    Returns:
        The file of the graph that paints.

    Raises:
        ImpastoError: See :func:`export`.
        InputError: The folder of the cache cannot be made.
    """
    path = zoo.model_of(source)
    folder = cache_folder(path)
    target = folder / f"{path.stem}{onnx_file.SUFFIX}"
    if not target.is_file():  # the graph that paints is written last
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"{error.strerror}: name another place in IMPASTO_CACHE"
            raise InputError(f"{folder} cannot be made ({reason})") from error
        try:
            export(path, target)
        except ImpastoError:
            with suppress(OSError):
                folder.rmdir()
            raise
    return target


def _write_litert(
    graphs: Sequence[Graph],
    name: str,
    target: Path,
    names: tuple[str, ...],
    size: int | tuple[int, int] | None,
    callback: Callback,
) -> Written:
    watch = PartProgress(callback, 0, 1)
    _report(watch, 0, f"converting {target.name}")
    chosen = (size, size) if isinstance(size, int) else size or litert.SIZE
    content, difference, shape = litert.build(graphs, name, chosen)
    _report(watch, 2, f"checked {target.name}")
    files.write(content, target)
    return Written(target, names, len(content), difference, (shape,))


def _build_file(
    graph: Graph,
    metadata: Mapping[str, Any],
    path: Path,
    names: tuple[str, ...],
    callback: PartProgress,
) -> tuple[bytes, Written]:
    """Return the content of a graph's file, and its description."""
    _report(callback, 0, f"tracing {path.name}")
    content = traced(graph, {**metadata, **_side_limits(graph), **graph.facts}, path.name)
    _report(callback, 1, f"checking {path.name}")
    difference, shapes = compare(graph, content)
    if not difference < TOLERANCE:
        raise ImpastoError(
            f"{path.name} would paint otherwise than PyTorch does: they differ by "
            f"{difference:.1e}, and {TOLERANCE:.0e} is the most; nothing was written"
        )
    _report(callback, 2, f"checked {path.name}")
    return content, Written(path, names, len(content), difference, shapes)


def _report(callback: PartProgress, step: int, stage: str) -> None:
    callback(Progress(step, 2, stage=stage))
    if callback.cancelled:
        raise CancelledError("cancelled, nothing written")


def _model_metadata(known: model_file.Model, method: NetworkMethod, path: Path) -> dict[str, Any]:
    """Return the metadata of the model, which all files of its export hold."""
    card = {key: value for key, value in known.card.items() if key != "thumbnails"}
    metadata: dict[str, Any] = {
        "impasto": onnx_file.FORMAT,
        "version": __version__,
        "method": known.method,
        "kind": str(known.card.get("kind", method.kind)),
        "styles": list(known.styles),
        "card": card,
    }
    if path.parent == zoo.folder():
        metadata["licence"] = zoo.LICENCE
    elif "licence" in card:
        metadata["licence"] = str(card["licence"])
    if method.default_size is not None:
        metadata["default_size"] = method.default_size
    return {"factor": 1, "multiple": method.multiple, "smallest": 1, **metadata}


def _side_limits(graph: Graph) -> dict[str, int]:
    """Return the multiples and the least values of height and width of a graph's images."""
    found = {}
    for one in graph.inputs:
        side = one.shape[-1]
        if one.name in {"content", "style"} and isinstance(side, Side):
            before = "" if one.name == "content" else "style_"
            found[f"{before}multiple"] = side.unit
            found[f"{before}smallest"] = side.unit * side.least
    return found


def _output_path(target: Path, graph: Graph) -> Path:
    return target.with_stem(f"{target.stem}-{graph.role}") if graph.role else target
