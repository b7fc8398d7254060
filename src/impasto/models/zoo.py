"""The trained models that are at hand: those that the package ships, and files of the user's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from impasto.core.schemes import FILE, MODEL, bare
from impasto.errors import InputError
from impasto.models import checkpoint, onnx_file

LICENCE = "MIT, as the package"  # of the models that it ships


@dataclass(frozen=True)
class Learned:
    """Something that a trained model can make.

    Attributes:
        name: What users call it.
        method: Which method it belongs to.
        path: Of the model.
        kind: ``style``, ``texture`` or ``upscale``; or ``any``, for a model that stands where a
            method may stand and paints in the style of any picture.
        title: What it is, in words.
        index: Its place among the styles of its model.
    """

    name: str
    method: str
    path: Path
    kind: str
    title: str
    index: int = 0


def folder() -> Path:
    """Where the package keeps its models."""
    return Path(str(resources.files("impasto") / "models"))


@cache
def shipped() -> tuple[Learned, ...]:
    """Everything that the models of the package can make, by name."""
    found = [one for path in folder().glob(f"*{checkpoint.SUFFIX}") for one in inside(path)]
    return tuple(sorted(found, key=lambda one: (one.kind, one.name)))


def inside(path: str | os.PathLike[str]) -> tuple[Learned, ...]:
    """What the model in a file can make.

    Raises:
        MissingExtraError: It is an ONNX file, and the libraries for these are not installed.
        WeightsError: It is no model.
    """
    path = Path(path)
    exported = path.suffix == onnx_file.SUFFIX
    header = onnx_file.header(path) if exported else checkpoint.load(path, weights=False)
    titles: dict[str, Any] = header.card.get("titles", {})
    kind = str(header.card.get("kind", "style"))
    return tuple(
        Learned(name, header.method, path, kind, str(titles.get(name, "")), index)
        for index, name in enumerate(header.styles)
    )


def find(source: object, kind: str | None = "style") -> Learned | None:
    """What a user means by a name or by a path of a model; None if it is neither.

    Args:
        source: ``wave``, ``mine.safetensors``, ``mine.onnx`` or, of a model with several styles,
            ``mine.safetensors#name``. ``model:wave`` is the package's own, also where a file is
            called ``wave``; ``file:wave`` is the file, which is None here unless it is a model.
        kind: What is wanted of it; None is anything.

    Raises:
        InputError: It is a model, but not of this kind, or has no such style.
    """
    if not isinstance(source, (str, os.PathLike)):
        return None
    text = os.fspath(source)
    meant = isinstance(text, str) and text.startswith(MODEL)
    file = isinstance(text, str) and text.startswith(FILE)
    text = bare(text) if meant or file else text
    path, _, wanted = text.partition("#")
    if isinstance(path, str) and path.endswith((checkpoint.SUFFIX, onnx_file.SUFFIX)):
        known = inside(Path(path))
        named = [one for one in known if one.name == wanted] if wanted else list(known[:1])
        if not named:
            raise InputError(f"{path} has no {wanted!r}: it has {', '.join(o.name for o in known)}")
    elif file or (not meant and Path(text).exists()):  # an image there goes before our names
        return None
    else:
        named = [one for one in shipped() if one.name == text]
    if not named:
        if meant:
            raise InputError(f"no model {text!r}: give a name of 'impasto styles'")
        return None
    if kind is not None and named[0].kind != kind:
        raise InputError(f"{text} is a model for {_USES[named[0].kind]}, not for {_USES[kind]}")
    return named[0]


def for_any_style(method: str) -> Learned | None:
    """The model that paints in any style by what a user calls a method.

    Args:
        method: A name of the table of methods, of which the package may ship a model, or the name
            or path of such a model: ``adain``, ``mine.safetensors``.

    Returns:
        None where no such model is meant, or none is shipped.

    Raises:
        InputError: It is a model, but of another kind.
    """
    able = (one for one in shipped() if one.kind == "any" and one.method == method)
    return next(able, None) or find(method, "any")


def model_of(source: str | os.PathLike[str]) -> Path:
    """Where a model lies that is named by its path, its own name or that of a style it has learned.

    Raises:
        InputError: There is none of that name.
    """
    text = bare(os.fspath(source))
    if text.endswith(checkpoint.SUFFIX):
        return Path(text)
    for one in shipped():
        if text in {one.name, one.path.stem}:
            return one.path
    raise InputError(f"no model {text!r}: give its file, or a name of 'impasto styles'")


def method_of(name: str) -> str:
    """The method in the table that a name or a model stands for, where a method may stand."""
    found = for_any_style(name)
    return name if found is None else found.method


_USES = {
    "style": "'stylize'",
    "texture": "'texture'",
    "upscale": "'upscale'",
    "any": "'stylize' as `method`",
}
