"""Choose the styles of the page, and export their models."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.errors import InputError
from impasto.models import checkpoint, onnx_file, zoo
from impasto.onnx import exporter
from impasto.web import graphs

DEFAULT = "cin-narrow"
_NARROW = "-lite"  # ending of the names of a narrow network's styles
_WHERE = ", in the narrow network"  # ending of their titles
_INPUTS = {"content", "weights"}  # of graphs that the page can run


@dataclass(frozen=True)
class Choice:
    """A style of the page.

    Attributes:
        name: Name of the style.
        title: Its title for people.
        index: Its index among the styles of its model.
        thumbnail: A small JPEG of the style image; empty if the model holds none.
    """

    name: str
    title: str
    index: int
    thumbnail: bytes


def choose(styles: Sequence[str]) -> dict[Path, list[Choice]]:
    """Return the chosen styles, by the path of their model.

    Args:
        styles: Names of styles or of models of ``impasto styles``, or model files, of which
            ``mine.safetensors#name`` names one style. Of a model all styles are taken.

    Raises:
        InputError: There is no such style, or it is a model of another kind.
        WeightsError: A file is no model.
    """
    chosen: dict[Path, list[Choice]] = {}
    for text in styles:
        for one in _named(text):
            if one.kind != "style":
                raise InputError(f"{text} has learned no style: the page paints learned styles")
            kept = chosen.setdefault(one.path, [])
            choice = _choice(one)
            if choice not in kept:
                kept.append(choice)
    if not chosen:
        raise InputError("`styles` is empty: name at least one style of 'impasto styles'")
    return chosen


def _named(text: str) -> Sequence[zoo.Learned]:
    """Return the learned styles that a text names.

    Raises:
        InputError: There are none.
    """
    if any(text == one.path.stem for one in zoo.shipped()):
        return [one for one in zoo.shipped() if one.path.stem == text]
    if text.endswith(checkpoint.SUFFIX):
        return zoo.learned_in(text)
    found = zoo.find(text, None)
    if found is None or found.path.suffix != checkpoint.SUFFIX:
        raise InputError(f"no style {text!r}: give a name of 'impasto styles', or a model file")
    return [found]


def _choice(one: zoo.Learned) -> Choice:
    title = one.title.removesuffix(_WHERE) or one.name
    return Choice(one.name, title, one.index, thumbnail(one))


def thumbnail(one: zoo.Learned) -> bytes:
    """Return a small JPEG of the style image of a learned style; empty if its model has none."""
    card = checkpoint.load(one.path, weights=False).card
    thumbnails: dict[str, Any] = card.get("thumbnails", {})
    entry = thumbnails.get(one.name) or thumbnails.get(one.name.removesuffix(_NARROW), {})
    return base64.b64decode(entry.get("jpeg", ""))


def exported(path: Path) -> tuple[dict[str, Any], graphs.Graphs]:
    """Export a model, and return its metadata and the graphs for the page.

    Raises:
        ImpastoError: The model cannot be exported.
        InputError: Its graph takes more than a photo and weights of styles.
        MissingExtraError: The libraries of the extra ``onnx`` are not installed.
    """
    file = exporter.cached_export(path)
    facts = onnx_file.read_metadata(file)
    inputs = {one.name for one in onnx_file.session(file).get_inputs()}
    if "content" not in inputs or inputs - _INPUTS or facts["factor"] != 1:
        raise InputError(f"{path.stem} takes more than a photo: the page paints learned styles")
    return facts, graphs.derive(file, facts["multiple"])
