"""Synthesise textures from samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Unpack

from impasto.api.blend import blend_styles
from impasto.api.controls import ResolvedStyle
from impasto.api.inputs import Source, resize_long_edge
from impasto.api.options import check_side
from impasto.api.resolve import StyleResolver
from impasto.core.device import Place
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.base import Method
from impasto.methods.style import Style


def synthesize(
    style: Source | Style | Sequence[Source | Style],
    *,
    size: int | tuple[int, int] | None = None,
    method: str | Method | None = None,
    sample_size: int | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    seamless: bool = False,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Image:
    """Synthesise a texture from a sample.

    Args:
        style: The sample, or several for a method that blends; or a learned or an encoded texture.
        size: Size of the result in pixels: a side, or (width, height); None is the method's
            default.
        method: The name of a method, or a method that was built before; None is ``texture``, and
            for a learned or encoded texture its own method.
        sample_size: Long edge in pixels to resize the sample to; None shrinks larger samples, to
            the method's default size, or to half of it for the methods that copy pixels.
        weights: One for each sample; equal if None.
        seed: Of all random numbers.
        seamless: Make a texture that tiles: its opposite edges continue each other. The methods
            ``texture``, ``cnnmrf`` and ``texture-net`` do so for sides that are multiples of 16
            pixels, ``resample`` with ``algorithm=wei-levoy`` for all; others raise an error.
        callback: Called after every step; if it cancels, the image so far is returned.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Hyperparameters of the method to change, by name.
        runtime: See :func:`impasto.get_method`.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The texture.

    Raises:
        InputError: An argument cannot be used.
        InterruptedRun: The run was interrupted; the error carries the last good image.
    """
    how: dict[str, Any] = {"preset": preset, "settings": settings, "runtime": runtime, **place}
    resolved = StyleResolver(method, kind="texture", **how)(style, weights)
    method = resolved[0].method
    if any(style.method is not method for style in resolved):
        raise InputError("textures of different networks do not blend: name one")
    default = method.default_size or 512
    width, height = _sides(default if size is None else size)
    limit = default // 2 if default < 256 else default

    def encoded(style: ResolvedStyle) -> Style:
        if isinstance(style.source, Style):
            return style.source
        return method.encode(resize_long_edge(style.source, sample_size, limit, "sample size").rgb)

    mixed = blend_styles(method, [style.weight for style in resolved], map(encoded, resolved))
    with method.seamless(height, width) if seamless else nullcontext():
        painted = method.synthesize(mixed, height, width, seed=seed, callback=callback)
    first = resolved[0].source
    return Image(painted.cpu(), note=first.note if isinstance(first, Image) else "")


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return width and height in pixels.

    Raises:
        InputError: A side is out of range.
    """
    width, height = size if isinstance(size, tuple) else (size, size)
    check_side("size", width)
    check_side("size", height)
    return width, height
