"""Show what trained models have learned: every style on one photo, the parts of a style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Unpack

from impasto.api.inputs import Source, fit, read
from impasto.api.load import open_model
from impasto.api.stylize import stylize
from impasto.core.device import Place
from impasto.core.progress import Callback, Share, silent
from impasto.errors import InputError
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet
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
    """A labelled sheet of a photo in every learned style.

    Args:
        photo: Anything that :func:`impasto.stylize` takes.
        names: Styles of ``impasto styles``, or model files; all that the package ships when none
            are named.
        size: Long edge of each picture; None is the photo's own, 384 at most.
        columns: Pictures in a row.
        callback: Called after every style; cancelling leaves the rest out.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: Something given cannot be used.
    """
    if columns < 1:
        raise InputError(f"columns is {columns}: it must be 1 or more")
    shown = fit(read(photo), size, 384)
    known = [one.name for one in zoo.shipped() if one.kind == "style"]
    wanted = [_learned(name) for name in names or known]
    opened = cache(lambda path: open_model(path, **place))
    tiles = [("photo", shown)]
    for index, one in enumerate(wanted):
        watch = Share(callback, index, len(wanted), one.name)
        network = opened(replace(one, index=0, name="", title=""))  # once for all its styles
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
    """A labelled sheet of what each part of a trained model has learned of a style.

    Args:
        model: A model of a method that can be inspected: a file, ``stylebank`` for the one that the
            package ships, or a name of ``impasto styles``.
        style: Its name in the model; the model's first when left out.
        photo: What the parts respond to; anything that :func:`impasto.stylize` takes.
        size: Long edge of the photo; None is its own, 512 at most.
        columns: Pictures in a row of the sheet.
        callback: Called after every part; cancelling leaves the rest out.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: Something given cannot be used, or the model's method has no parts to show.
    """
    if columns < 1:
        raise InputError(f"columns is {columns}: it must be 1 or more")
    # a name alone may be that of a style, which is the one that is meant
    found = zoo.find(model) if style is None else None
    if found is None:
        path = zoo.model_of(model)
        found = _learned(f"{path}#{style}" if style else path)
    get(found.method, Ability.INSPECT)
    method = open_model(found, **place)
    shown = fit(read(photo), size, 512)
    parts = method.inspect(method.own_style(found.index), shown.rgb, callback=callback)
    tiles = [(name, Image(picture)) for name, picture in parts]
    return contact_sheet(tiles, columns=min(columns, len(tiles)), height=tiles[0][1].height)


def _learned(name: str | Path) -> zoo.Learned:
    """What a model has learned.

    Raises:
        InputError: There is no such model.
    """
    found = zoo.find(name)
    if found is None:
        raise InputError(f"no model {str(name)!r}: give a model file, or see 'impasto styles'")
    return found
