"""Show what trained models have learned: all styles on one image, or the parts of a style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Unpack

from impasto.api.inputs import Source, read_image, resize_long_edge
from impasto.api.load import open_model
from impasto.api.stylize import stylize
from impasto.core.device import Place
from impasto.core.progress import Callback, PartProgress, silent
from impasto.errors import InputError, check_range
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet
from impasto.methods.protocols import HasParts
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.models import zoo


def styles(
    photo: Source,
    names: Sequence[str] = (),
    *,
    size: int | None = None,
    columns: int = 4,
    callback: Callback = silent,
    **place: Unpack[Place],
) -> Image:
    """Make a labelled sheet of a content image in each learned style.

    Args:
        photo: Any source that :func:`impasto.stylize` takes.
        names: Names of ``impasto styles``, or paths of models; by default all styles that ship
            with the package.
        size: Long edge of each image in pixels; None is the content image's own, 384 at most.
        columns: Number of images in a row.
        callback: Called after every style; if it cancels, the rest is left out.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The sheet, with the content image first.

    Raises:
        InputError: An argument cannot be used.
    """
    check_range(1, columns=columns)
    shown = resize_long_edge(read_image(photo), size, 384)
    known = [one.name for one in zoo.shipped() if one.kind == "style"]
    wanted = [_find_learned(name) for name in names or known]
    opened = cache(lambda path: open_model(path, **place))
    tiles = [("photo", shown)]
    for index, one in enumerate(wanted):
        watch = PartProgress(callback, index, len(wanted), one.name)
        network = opened(replace(one, index=0, name="", title=""))  # one key for each model
        painted = stylize(shown, network.own_style(one.index), method=network, callback=watch)
        tiles.append((one.name, painted))
        if watch.cancelled:
            break
    return contact_sheet(tiles, columns=columns, height=shown.height)


def inspect(
    model: str | Path,
    style: str | None = None,
    *,
    photo: Source = "sample:astronaut",
    size: int | None = None,
    columns: int = 16,
    callback: Callback = silent,
    **place: Unpack[Place],
) -> Image:
    """Make a labelled sheet of what each part of a trained model has learned of a style.

    Args:
        model: A model of a method that can be inspected: a file, ``stylebank`` for the one that the
            package ships, or a name of ``impasto styles``.
        style: Name of the style in the model; None is the first.
        photo: Image that the parts respond to: any source that :func:`impasto.stylize` takes.
        size: Long edge of the image in pixels; None is its own, 512 at most.
        columns: Number of images in a row.
        callback: Called after every part; if it cancels, the rest is left out.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The sheet.

    Raises:
        InputError: An argument cannot be used, or the model's method has no parts to show.
    """
    check_range(1, columns=columns)
    # a name without a style may be that of a style itself
    found = zoo.find(model) if style is None else None
    if found is None:
        path = zoo.model_of(model)
        found = _find_learned(f"{path}#{style}" if style else path)
    get(found.method, Ability.INSPECT)
    method = open_model(found, **place)
    if not isinstance(method, HasParts):
        raise InputError(f"{method.name} has no parts to inspect")
    shown = resize_long_edge(read_image(photo), size, 512)
    parts = method.inspect(method.own_style(found.index), shown.rgb, callback=callback)
    tiles = [(name, Image(picture)) for name, picture in parts]
    return contact_sheet(tiles, columns=min(columns, len(tiles)), height=tiles[0][1].height)


def _find_learned(name: str | Path) -> zoo.Learned:
    """Return the learned style of this name or model file.

    Raises:
        InputError: There is no such model.
    """
    found = zoo.find(name)
    if found is None:
        raise InputError(f"no model {str(name)!r}: give a model file, or see 'impasto styles'")
    return found
