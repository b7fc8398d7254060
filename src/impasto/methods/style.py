"""Style: encoded style images of one method, to be used again and blended.

A style can be saved to a file ``x.style``: safetensors with the tensors and the thumbnail of each
part, and a header with the name of the method and the weights of the parts.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from impasto.core.schemes import FILE
from impasto.errors import InputError
from impasto.image import Image, files

SUFFIX = ".style"

_KEY, _FORMAT = "impasto-style", 1
_THUMBNAIL = 96  # pixels of the long edge


@dataclass(frozen=True, eq=False)
class Part:
    """An encoded style image.

    Attributes:
        tensors: Tensors by name; the names differ between methods.
        weight: Its weight in a blend.
        thumbnail: The image as (1, 3, h, w), uint8, 96 pixels at most, or None.
    """

    tensors: Mapping[str, Tensor]
    weight: float = 1.0
    thumbnail: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Style:
    """A weighted sum of encoded style images of one method.

    ``0.3 * a + 0.7 * b`` blends two styles of one method. The parts and their weights are stored
    side by side; each method blends them in its own way: it adds losses, or averages statistics.

    Example:
        >>> a, b = Style("gatys", (Part({}),)), Style("gatys", (Part({}),))
        >>> [part.weight for part in 0.25 * (a + b) + a * 0.5]
        [0.25, 0.25, 0.5]
    """

    method: str
    parts: tuple[Part, ...]

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __mul__(self, factor: float) -> Style:
        parts = tuple(replace(part, weight=part.weight * factor) for part in self.parts)
        return replace(self, parts=parts)

    __rmul__ = __mul__

    def __add__(self, other: Style) -> Style:
        if other.method != self.method:
            raise InputError(
                f"a style of {self.method} and one of {other.method} cannot be blended: "
                f"encode both with one method"
            )
        return replace(self, parts=self.parts + other.parts)

    def expect(self, method: str) -> Style:
        """Return this style if it is of ``method``.

        Raises:
            InputError: It was encoded by another method.
        """
        if self.method != method:
            raise InputError(f"this style was encoded by {self.method}, not by {method}")
        return self

    def shares(self) -> Tensor:
        """Return the weights of the P parts, scaled to a sum of 1: (P,).

        Raises:
            InputError: A weight is negative, or all are 0.
        """
        weights = torch.tensor([part.weight for part in self])
        if not bool((weights >= 0).all()) or not float(weights.sum()) > 0:
            raise InputError("weights of styles must not be negative, nor all 0")
        return weights / weights.sum()

    def with_thumbnail(self, picture: Image) -> Style:
        """Return this style with a thumbnail of its style image in every part."""
        width, height = picture.size
        factor = min(1.0, _THUMBNAIL / max(width, height))
        small = picture.resized(*(max(1, round(side * factor)) for side in (height, width))).rgb
        thumbnail = (small.clamp(0, 1) * 255).round().to(torch.uint8)
        return replace(self, parts=tuple(replace(part, thumbnail=thumbnail) for part in self.parts))

    def preview(self) -> Image | None:
        """Return the thumbnails side by side, at one height; None if there are none."""
        images = [Image(part.thumbnail / 255) for part in self if part.thumbnail is not None]
        if not images:
            return None
        height = max(one.height for one in images)
        widths = [max(1, round(one.width * height / one.height)) for one in images]
        row = [one.resized(height, width).rgb for one, width in zip(images, widths, strict=True)]
        return Image(torch.cat(row, dim=-1))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the style to a file, without loss; :func:`load` reads it again.

        If an error occurs, no incomplete file is left.

        Args:
            path: A name that ends in ``.style``.

        Raises:
            InputError: The name has another ending, the file cannot be written, or a part has no
                tensors, as the learned style of a network, whose weights are in its model file.
        """
        check_target(path)
        if not all(part.tensors for part in self):
            raise InputError(f"what {self.method} has learned lies in its model: copy that file")
        tensors: dict[str, Tensor] = {}
        for index, part in enumerate(self):
            for name, value in part.tensors.items():
                tensors[f"{index}.tensor.{name}"] = value
            if part.thumbnail is not None:
                tensors[f"{index}.thumbnail"] = part.thumbnail
        header = {
            "format": _FORMAT,
            "method": self.method,
            "weights": [part.weight for part in self],
        }
        # cloned, since parts may share memory, which safetensors does not allow
        state = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        files.write(serialize(state, {_KEY: json.dumps(header)}), path)


def check_target(path: str | os.PathLike[str]) -> None:
    """Check whether a style can be written to a path.

    Raises:
        InputError: The name has another ending, or the path cannot be written to.
    """
    if Path(path).suffix != SUFFIX:
        raise InputError(f"{os.fspath(path)}: the name of a style ends in {SUFFIX}")
    files.check(path)


def load_if_style(source: object) -> Style | None:
    """Return the style that is given as itself or as the path of its file; None for all else.

    Raises:
        InputError: The file is missing or damaged.
    """
    if isinstance(source, Style):
        return source
    if isinstance(source, (str, os.PathLike)) and Path(os.fsdecode(source)).suffix == SUFFIX:
        return load(os.fsdecode(source).removeprefix(FILE))
    return None


def load(path: str | os.PathLike[str]) -> Style:
    """Read a style from a file, with its tensors on the CPU.

    Args:
        path: A file that :meth:`Style.save` wrote.

    Raises:
        InputError: It is missing, damaged, or no style of this package.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source}: no such style; write one with 'impasto encode'")
    try:
        with safe_open(source, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_KEY, "null"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as a style; encode it again") from error
    _check(header, source)
    parts = tuple(_part(state, index, weight) for index, weight in enumerate(header["weights"]))
    if not all(part.tensors for part in parts) or not all(map(_is_valid, state.values())):
        raise InputError(f"{source}: the style is damaged; encode it again")
    return Style(header["method"], parts)


def _check(metadata: Any, source: Path) -> None:
    """Check that a header is one that :meth:`Style.save` writes."""
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise InputError(f"{source}: is no style of Impasto, or one of a newer version")
    method, weights = metadata.get("method"), metadata.get("weights")
    if not isinstance(method, str) or not isinstance(weights, list) or not weights:
        raise InputError(f"{source}: its header is damaged; encode it again")
    if not all(isinstance(weight, (int, float)) and math.isfinite(weight) for weight in weights):
        raise InputError(f"{source}: its weights are no numbers; encode it again")


def _part(state: Mapping[str, Tensor], index: int, weight: float) -> Part:
    start, thumbnail = f"{index}.tensor.", state.get(f"{index}.thumbnail")
    tensors = {
        name.removeprefix(start): value for name, value in state.items() if name.startswith(start)
    }
    if thumbnail is not None and (thumbnail.ndim != 4 or thumbnail.shape[:2] != (1, 3)):
        thumbnail = None  # not needed for painting
    return Part(tensors, float(weight), thumbnail)


def _is_valid(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())
