"""Style: what a method keeps of its style pictures, so that it can be used again and blended.

A style can be kept in a file of its own, ``x.style``: safetensors with the tensors of each part,
and a header that says which method encoded them, their weights, and how the pictures looked.
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
    """What was kept of one style picture.

    Attributes:
        tensors: By name; which names there are is the method's own business.
        weight: Its share in a blend.
        thumbnail: How the picture looked: (1, 3, h, w), uint8, 96 pixels at most; None where
            nobody kept it.
    """

    tensors: Mapping[str, Tensor]
    weight: float = 1.0
    thumbnail: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Style:
    """A weighted sum of style pictures, as one method keeps them.

    ``0.3 * a + 0.7 * b`` blends two styles of one method. The sum stays formal: each method
    decides what adding its parts means (losses that add up, statistics that are averaged).

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
        """This style, if it is one of ``method``.

        Raises:
            InputError: It was encoded by another method.
        """
        if self.method != method:
            raise InputError(f"this style was encoded by {self.method}, not by {method}")
        return self

    def shares(self) -> Tensor:
        """How much of it each part is: (P,), a sum of 1.

        Raises:
            InputError: A weight is negative, or all are 0.
        """
        weights = torch.tensor([part.weight for part in self])
        if not bool((weights >= 0).all()) or not float(weights.sum()) > 0:
            raise InputError("weights of styles must not be negative, nor all 0")
        return weights / weights.sum()

    def pictured(self, picture: Image) -> Style:
        """This style with a thumbnail of the picture that it is of."""
        width, height = picture.size
        factor = min(1.0, _THUMBNAIL / max(width, height))
        small = picture.resized(*(max(1, round(side * factor)) for side in (height, width))).rgb
        thumbnail = (small.clamp(0, 1) * 255).round().to(torch.uint8)
        return replace(self, parts=tuple(replace(part, thumbnail=thumbnail) for part in self.parts))

    def preview(self) -> Image | None:
        """The thumbnails of its pictures side by side, at one height; None if there are none."""
        kept = [Image(part.thumbnail / 255) for part in self if part.thumbnail is not None]
        if not kept:
            return None
        height = max(one.height for one in kept)
        widths = [max(1, round(one.width * height / one.height)) for one in kept]
        row = [one.resized(height, width).rgb for one, width in zip(kept, widths, strict=True)]
        return Image(torch.cat(row, dim=-1))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as one whole file or none; :func:`load` reads it again, exactly.

        Args:
            path: A name that ends in ``.style``.

        Raises:
            InputError: The name has another ending, the file cannot be written, or there is
                nothing to keep: a style that a network has learned lies in its model.
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
        told = {
            "format": _FORMAT,
            "method": self.method,
            "weights": [part.weight for part in self],
        }
        # cloned, since parts of a blend may share what safetensors wants apart
        state = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        files.write(serialize(state, {_KEY: json.dumps(told)}), path)


def check_target(path: str | os.PathLike[str]) -> None:
    """Find out before the work whether a style can be written there.

    Raises:
        InputError: The name has another ending, or the place cannot be written.
    """
    if Path(path).suffix != SUFFIX:
        raise InputError(f"{os.fspath(path)}: the name of a style ends in {SUFFIX}")
    files.check(path)


def ready(source: object) -> Style | None:
    """A style that was encoded before: itself, or of the file that is named; None for all else.

    Raises:
        InputError: The file is missing or damaged.
    """
    if isinstance(source, Style):
        return source
    if isinstance(source, (str, os.PathLike)) and Path(os.fsdecode(source)).suffix == SUFFIX:
        return load(os.fsdecode(source).removeprefix(FILE))
    return None


def load(path: str | os.PathLike[str]) -> Style:
    """Read a style, its tensors on the CPU.

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
            told = json.loads((file.metadata() or {}).get(_KEY, "null"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as a style; encode it again") from error
    _check(told, source)
    parts = tuple(_part(state, index, weight) for index, weight in enumerate(told["weights"]))
    if not all(part.tensors for part in parts) or not all(map(_sound, state.values())):
        raise InputError(f"{source}: the style is damaged; encode it again")
    return Style(told["method"], parts)


def _check(told: Any, source: Path) -> None:
    """Refuse a header that :meth:`Style.save` did not write."""
    if not isinstance(told, dict) or told.get("format") != _FORMAT:
        raise InputError(f"{source}: is no style of Impasto, or one of a newer version")
    method, weights = told.get("method"), told.get("weights")
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
        thumbnail = None  # painting goes on without
    return Part(tensors, float(weight), thumbnail)


def _sound(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())
