"""Looking into networks: a photo rebuilt from layers, and what a trained model has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from impasto.api.inputs import Source, fit, read
from impasto.api.load import get_method
from impasto.core.device import Place
from impasto.core.progress import Callback, Share, silent
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet
from impasto.methods.base import Method
from impasto.methods.spec import Ability


def invert(
    image: Source,
    layers: str | Sequence[str] = "relu4_2",
    *,
    kind: str = "content",
    size: int | None = None,
    seed: int = 0,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> Image:
    """Rebuild a picture from what one layer, or several together, keep of it.

    Args:
        image: Anything that :func:`impasto.stylize` takes.
        layers: Names such as ``relu4_2``.
        kind: ``content`` for the features, ``style`` for their Gram matrices.
        size: Long edge; None is the picture's own, 256 at most.
        seed: Of the noise it starts from.
        callback: Called after every step.
        preset: ``default`` or ``paper``.
        settings: Numbers of the method to change, by name.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: Something given cannot be used.
    """
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    numbers = {**(settings or {}), "kind": kind, "layers": names}
    method = get_method(
        "invert",
        Ability.RECONSTRUCT,
        preset=preset,
        settings=numbers,
        **place,
    )
    photo = fit(read(image), size, 256)
    rebuilt = method.reconstruct(photo.rgb, seed=seed, callback=callback)
    return Image(rebuilt.cpu(), photo.alpha, photo.note)


def ladder(
    image: Source,
    *,
    kind: str = "content",
    layers: Sequence[str] = (),
    size: int | None = None,
    seed: int = 0,
    callback: Callback = silent,
    settings: Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> Image:
    """A labelled sheet of a picture rebuilt from one layer after another, after Gatys' figure 1.

    Args:
        image: Anything that :func:`impasto.stylize` takes.
        kind: ``content`` rebuilds from each layer alone; ``style`` from the Gram matrices of the
            first layer, the first two, and so on.
        layers: The rungs; by default the second ReLU of each block for content, the first for
            style.
        size: Long edge of each picture; None is the picture's own, 256 at most.
        seed: Of the noise they start from.
        callback: Called after every step of the whole ladder.
        settings: Numbers of the method to change, by name.
        place: See :func:`impasto.core.device.choose`.

    Raises:
        InputError: Something given cannot be used.
    """
    from impasto.methods.optimization.inversion import CONTENT_LADDER, STYLE_LADDER, Inversion

    numbers = {**(settings or {}), "kind": kind}
    first: Method = get_method("invert", Ability.RECONSTRUCT, settings=numbers, **place)
    assert isinstance(first, Inversion)
    names = tuple(layers) or (STYLE_LADDER if kind == "style" else CONTENT_LADDER)
    rungs = [names[: i + 1] if kind == "style" else (name,) for i, name in enumerate(names)]
    photo = fit(read(image), size, 256)
    first.encoder(photo.rgb.to(first.runtime.device), names)  # an unknown one is found now
    tiles = [("original", photo)]
    for index, rung in enumerate(rungs):
        label = f"{rung[0]} to {rung[-1]}" if len(rung) > 1 else rung[0]
        watch = Share(callback, index, len(rungs), label)
        rebuilt = first.at(rung).reconstruct(photo.rgb, seed=seed, callback=watch)
        tiles.append((label, Image(rebuilt.cpu())))
        if watch.cancelled:
            break
    return contact_sheet(tiles, height=photo.height)
