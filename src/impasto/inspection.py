"""Looking into networks: a photo rebuilt from layers, and what a trained model has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Unpack

from impasto import catalog
from impasto.building import open_model
from impasto.errors import InputError
from impasto.image import Picture
from impasto.methods.base import Method
from impasto.methods.registry import Ability, get
from impasto.pipeline import build, stylize
from impasto.progress import Callback, Share, silent
from impasto.runtime import Place
from impasto.sheet import contact_sheet
from impasto.sources import Source, fit, read


def invert(
    picture: Source,
    layers: str | Sequence[str] = "relu4_2",
    *,
    kind: str = "content",
    size: int | None = None,
    seed: int = 0,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> Picture:
    """Rebuild a picture from what one layer, or several together, keep of it.

    Args:
        picture: Anything that :func:`impasto.stylize` takes.
        layers: Names such as ``relu4_2``.
        kind: ``content`` for the features, ``style`` for their Gram matrices.
        size: Long edge; None is the picture's own, 256 at most.
        seed: Of the noise it starts from.
        callback: Called after every step.
        preset: ``default`` or ``paper``.
        settings: Numbers of the method to change, by name.
        place: See :func:`impasto.runtime.choose`.

    Raises:
        InputError: Something given cannot be used.
    """
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    numbers = {**(settings or {}), "kind": kind, "layers": names}
    method = build(
        "invert",
        Ability.RECONSTRUCT,
        preset=preset,
        settings=numbers,
        **place,
    )
    photo = fit(read(picture), size, 256)
    rebuilt = method.reconstruct(photo.rgb, seed=seed, callback=callback)
    return Picture(rebuilt.cpu(), photo.alpha, photo.note)


def ladder(
    picture: Source,
    *,
    kind: str = "content",
    layers: Sequence[str] = (),
    size: int | None = None,
    seed: int = 0,
    callback: Callback = silent,
    settings: Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> Picture:
    """A labelled sheet of a picture rebuilt from one layer after another, after Gatys' figure 1.

    Args:
        picture: Anything that :func:`impasto.stylize` takes.
        kind: ``content`` rebuilds from each layer alone; ``style`` from the Gram matrices of the
            first layer, the first two, and so on.
        layers: The rungs; by default the second ReLU of each block for content, the first for
            style.
        size: Long edge of each picture; None is the picture's own, 256 at most.
        seed: Of the noise they start from.
        callback: Called after every step of the whole ladder.
        settings: Numbers of the method to change, by name.
        place: See :func:`impasto.runtime.choose`.

    Raises:
        InputError: Something given cannot be used.
    """
    from impasto.methods.optimization.inversion import CONTENT_LADDER, STYLE_LADDER, Inversion

    numbers = {**(settings or {}), "kind": kind}
    first: Method = build("invert", Ability.RECONSTRUCT, settings=numbers, **place)
    assert isinstance(first, Inversion)
    names = tuple(layers) or (STYLE_LADDER if kind == "style" else CONTENT_LADDER)
    rungs = [names[: i + 1] if kind == "style" else (name,) for i, name in enumerate(names)]
    photo = fit(read(picture), size, 256)
    first.encoder(photo.rgb.to(first.runtime.device), names)  # an unknown one is found now
    tiles = [("original", photo)]
    for index, rung in enumerate(rungs):
        label = f"{rung[0]} to {rung[-1]}" if len(rung) > 1 else rung[0]
        watch = Share(callback, index, len(rungs), label)
        rebuilt = first.at(rung).reconstruct(photo.rgb, seed=seed, callback=watch)
        tiles.append((label, Picture(rebuilt.cpu())))
        if watch.cancelled:
            break
    return contact_sheet(tiles, height=photo.height)


def styles(
    photo: Source,
    names: Sequence[str] = (),
    *,
    size: int | None = None,
    columns: int = 4,
    callback: Callback = silent,
    **place: Unpack[Place],
) -> Picture:
    """A labelled sheet of a photo in every learned style.

    Args:
        photo: Anything that :func:`impasto.stylize` takes.
        names: Styles of ``impasto styles``, or model files; all that the package ships when none
            are named.
        size: Long edge of each picture; None is the photo's own, 384 at most.
        columns: Pictures in a row.
        callback: Called after every style; cancelling leaves the rest out.
        place: See :func:`impasto.runtime.choose`.

    Raises:
        InputError: Something given cannot be used.
    """
    if columns < 1:
        raise InputError(f"columns is {columns}: it must be 1 or more")
    shown = fit(read(photo), size, 384)
    known = [one.name for one in catalog.shipped() if one.kind == "style"]
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
) -> Picture:
    """A labelled sheet of what each part of a trained model has learned of a style.

    Args:
        model: A model of a method that can be inspected: a file, ``stylebank`` for the one that the
            package ships, or a name of ``impasto styles``.
        style: Its name in the model; the model's first when left out.
        photo: What the parts respond to; anything that :func:`impasto.stylize` takes.
        size: Long edge of the photo; None is its own, 512 at most.
        columns: Pictures in a row of the sheet.
        callback: Called after every part; cancelling leaves the rest out.
        place: See :func:`impasto.runtime.choose`.

    Raises:
        InputError: Something given cannot be used, or the model's method has no parts to show.
    """
    if columns < 1:
        raise InputError(f"columns is {columns}: it must be 1 or more")
    # a name alone may be that of a style, which is the one that is meant
    found = catalog.find(model) if style is None else None
    if found is None:
        path = catalog.model_of(model)
        found = _learned(f"{path}#{style}" if style else path)
    get(found.method, Ability.INSPECT)
    method = open_model(found, **place)
    shown = fit(read(photo), size, 512)
    parts = method.inspect(method.own_style(found.index), shown.rgb, callback=callback)
    tiles = [(name, Picture(picture)) for name, picture in parts]
    return contact_sheet(tiles, columns=min(columns, len(tiles)), height=tiles[0][1].height)


def _learned(name: str | Path) -> catalog.Learned:
    """What a model has learned.

    Raises:
        InputError: There is no such model.
    """
    found = catalog.find(name)
    if found is None:
        raise InputError(f"no model {str(name)!r}: give a model file, or see 'impasto styles'")
    return found
