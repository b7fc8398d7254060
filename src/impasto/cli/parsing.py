"""Parse command-line values: weighted style images, sizes, times."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from impasto.core.schemes import FILE, SCHEMES
from impasto.errors import InputError

_OPTIONS = {"resume=False": "--restart", "restart=True": "--restart", "masks": "--mask"}


def as_options(message: str) -> str:
    """Replace parameter names in backticks by option names in a message.

    Example:
        >>> as_options('leave `style_scale` out, or use `precision="float32"`')
        'leave --style-scale out, or use --precision float32'
        >>> as_options("`size=(64, 32)` is large enough, or `restart=True`")
        '--size 64x32 is large enough, or --restart'
    """

    def option(found: re.Match[str]) -> str:
        if found[0][1:-1] in _OPTIONS:
            return _OPTIONS[found[0][1:-1]]
        value = re.sub(r"\((\d+), (\d+)\)", r"\1x\2", (found[2] or "").strip("\"'"))
        return f"--{found[1].replace('_', '-')} {value}".strip()

    return re.sub(r"`([a-z]\w*)(?:=([^`]*))?`", option, message)


def split_weights(styles: Sequence[str]) -> tuple[list[str], list[float] | None]:
    """Split ``PAINTING:WEIGHT`` into paths and weights; None for weights if none is given.

    A number after a colon that belongs to an existing file's name stays part of the name.

    Example:
        >>> split_weights(["a.jpg", "b.jpg:0.3"])
        (['a.jpg', 'b.jpg'], [1.0, 0.3])
    """
    paths, weights, given = [], [], False
    for style in styles:
        path, colon, tail = style.rpartition(":")
        whole = Path(style.removeprefix(FILE)).exists() or f"{path}:" in SCHEMES
        weight = _number(tail) if colon and path and not whole else None
        given = given or weight is not None
        paths.append(style if weight is None else path)
        weights.append(1.0 if weight is None else weight)
    return paths, weights if given else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def parse_size(text: str | None) -> int | tuple[int, int] | None:
    """Parse ``256`` or ``320x200``.

    Example:
        >>> parse_size("320x200"), parse_size("256"), parse_size(None)
        ((320, 200), 256, None)
    """
    if text is None:
        return None
    numbers = text.lower().split("x")
    if len(numbers) > 2 or not all(number.strip().isdecimal() for number in numbers):
        raise InputError(f"size {text!r}: write 256 or 320x200")
    width, *rest = (int(number) for number in numbers)
    return (width, rest[0]) if rest else width


def parse_memory(text: str | None) -> int | None:
    """Parse ``4G``, ``500M`` or plain bytes.

    Example:
        >>> parse_memory("4G"), parse_memory("1.5k"), parse_memory(None)
        (4294967296, 1536, None)
    """
    if text is None:
        return None
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    factor = units.get(text[-1:].lower(), 1)
    value = _number(text[:-1] if factor > 1 else text)
    if value is None or value <= 0:
        raise InputError(f"memory {text!r}: write 4G or 500M")
    return int(value * factor)


def parse_count(text: str) -> int:
    """Parse ``50M``, ``20k`` or a plain number.

    Example:
        >>> parse_count("50M"), parse_count("1.5k")
        (50000000, 1500)
    """
    units = {"k": 10**3, "m": 10**6, "g": 10**9}
    factor = units.get(text[-1:].lower(), 1)
    value = _number(text[:-1] if factor > 1 else text)
    if value is None or value * factor < 1:
        raise InputError(f"number {text!r}: write 50M or 50000000")
    return int(value * factor)


def parse_seconds(text: str | None) -> float | None:
    """Parse ``90s``, ``20m``, ``8h`` or plain seconds.

    Example:
        >>> parse_seconds("90"), parse_seconds("1.5h"), parse_seconds(None)
        (90.0, 5400.0, None)
    """
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    factor = units.get(text[-1:], 1)
    value = _number(text.rstrip("smh"))
    if value is None or value <= 0:
        raise InputError(f"time {text!r}: write 90s, 20m or 8h")
    return value * factor
