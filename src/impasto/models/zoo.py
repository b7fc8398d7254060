"""Find trained models by name: those that the package ships, and files of the user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from impasto.core.schemes import FILE, MODEL, without_scheme
from impasto.errors import InputError
from impasto.models import checkpoint, onnx_file, pulled

LICENCE = "MIT, as the package"  # of the shipped models


@dataclass(frozen=True)
class Learned:
    """A style, texture or upscaler that a trained model offers.

    Attributes:
        name: The name that users give.
        method: Name of its method.
        path: Path of the model file.
        kind: ``style``, ``texture`` or ``upscale``; or ``any``, for a model that takes any style
            image and can be named where a method is expected.
        title: Its title for users.
        index: Its index among the styles of its model.
    """

    name: str
    method: str
    path: Path
    kind: str
    title: str
    index: int = 0


def folder() -> Path:
    """Return the folder of the models that the package ships."""
    return Path(str(resources.files("impasto") / "models"))


@cache
def shipped() -> tuple[Learned, ...]:
    """Return everything that the shipped models offer, sorted by kind and name."""
    found = [one for path in folder().glob(f"*{checkpoint.SUFFIX}") for one in learned_in(path)]
    return tuple(sorted(found, key=lambda one: (one.kind, one.name)))


def learned_in(path: str | os.PathLike[str]) -> tuple[Learned, ...]:
    """Return what the model in a file offers.

    Raises:
        InputError: It is a part of another ONNX export.
        MissingExtraError: It is an ONNX file, and the libraries for these are not installed.
        WeightsError: It is no model.
    """
    path = Path(path)
    exported = path.suffix == onnx_file.SUFFIX
    header = onnx_file.read_header(path) if exported else checkpoint.load(path, weights=False)
    titles: dict[str, Any] = header.card.get("titles", {})
    kind = str(header.card.get("kind", "style"))
    return tuple(
        Learned(name, header.method, path, kind, str(titles.get(name, "")), index)
        for index, name in enumerate(header.styles)
    )


def find(source: object, kind: str | None = "style") -> Learned | None:
    """Find what a user names by a learned name or by the path of a model; None if it is neither.

    Args:
        source: ``wave``, ``mine.safetensors``, ``mine.onnx`` or, of a model with several styles,
            ``mine.safetensors#name``; ``owner/name`` or ``owner/name#style`` of a pulled model.
            ``model:wave`` is a model even if a file is called ``wave``; ``file:wave`` is the file,
            and gives None unless it is a model.
        kind: The ``kind`` that is required, see :class:`Learned`; None accepts any.

    Raises:
        InputError: It is a model, but not of this kind, or has no such style.
    """
    if not isinstance(source, (str, os.PathLike)):
        return None
    text = os.fspath(source)
    meant = isinstance(text, str) and text.startswith(MODEL)
    file = isinstance(text, str) and text.startswith(FILE)
    text = without_scheme(text) if meant or file else text
    path, _, wanted = text.partition("#")
    if isinstance(path, str) and not file and (meant or not Path(path).exists()):
        path = str(pulled.find(path) or path)
    if isinstance(path, str) and path.endswith((checkpoint.SUFFIX, onnx_file.SUFFIX)):
        known = learned_in(Path(path))
        named = [one for one in known if one.name == wanted] if wanted else list(known[:1])
        if not named:
            raise InputError(f"{path} has no {wanted!r}: it has {', '.join(o.name for o in known)}")
    elif file or (not meant and Path(text).exists()):  # an existing file wins over a shipped name
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


def find_arbitrary(method: str) -> Learned | None:
    """Return the model for any style image that a user names as a method.

    Args:
        method: Name of a method, of which the package may ship a model, or the name or path of such
            a model: ``adain``, ``mine.safetensors``.

    Returns:
        None if no such model is named, or none is shipped.

    Raises:
        InputError: It is a model, but of another kind.
    """
    able = (one for one in shipped() if one.kind == "any" and one.method == method)
    return next(able, None) or find(method, "any")


def model_of(source: str | os.PathLike[str]) -> Path:
    """Return the path of a model given its path, its name or the name of a style it has learned.

    The name of a pulled model is that of its repository.

    Raises:
        InputError: There is no model of that name.
    """
    text = without_scheme(os.fspath(source))
    if text.endswith(checkpoint.SUFFIX):
        return Path(text)
    found = pulled.find(text)
    if found is not None:
        return found
    for one in shipped():
        if text in {one.name, one.path.stem}:
            return one.path
    raise InputError(f"no model {text!r}: give its file, or a name of 'impasto styles'")


def method_of(name: str) -> str:
    """Return the name of the method for a name or a model given where a method is expected."""
    found = find_arbitrary(name)
    return name if found is None else found.method


_USES = {
    "style": "'stylize'",
    "texture": "'texture'",
    "upscale": "'upscale'",
    "any": "'stylize' as `method`",
}
