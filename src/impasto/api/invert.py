"""Reconstruct images from the features of layers of the encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from impasto.api.inputs import Source, read_image, resize_long_edge
from impasto.api.load import get_method
from impasto.core.device import Place
from impasto.core.progress import Callback, PartProgress, silent
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
    """Reconstruct an image from its features at one layer or several.

    Args:
        image: Any source that :func:`impasto.stylize` takes.
        layers: Names such as ``relu4_2``.
        kind: ``content`` for the features, ``style`` for their Gram matrices.
        size: Long edge in pixels; None is the image's own, 256 at most.
        seed: Of the initial noise.
        callback: Called after every step.
        preset: ``default`` or ``paper``.
        settings: Hyperparameters of the method to change, by name.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The reconstruction, with the image's alpha.

    Raises:
        InputError: An argument cannot be used.
    """
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    changed = {**(settings or {}), "kind": kind, "layers": names}
    method = get_method(
        "invert",
        Ability.RECONSTRUCT,
        preset=preset,
        settings=changed,
        **place,
    )
    photo = resize_long_edge(read_image(image), size, 256)
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
    """Make a labelled sheet of reconstructions of an image from one layer after another.

    It is modelled on figure 1 of Gatys, Ecker and Bethge, CVPR 2016.

    Args:
        image: Any source that :func:`impasto.stylize` takes.
        kind: ``content`` reconstructs from each layer alone; ``style`` from the Gram matrices of
            the first layer, of the first two, and so on.
        layers: The layers; by default the second ReLU of each block for content, and the first for
            style.
        size: Long edge of each reconstruction in pixels; None is the image's own, 256 at most.
        seed: Of the initial noise.
        callback: Called after every step of all reconstructions.
        settings: Hyperparameters of the method to change, by name.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The sheet, with the image first.

    Raises:
        InputError: An argument cannot be used.
    """
    from impasto.methods.optimization.inversion import CONTENT_LADDER, STYLE_LADDER, Inversion

    changed = {**(settings or {}), "kind": kind}
    first: Method = get_method("invert", Ability.RECONSTRUCT, settings=changed, **place)
    assert isinstance(first, Inversion)
    names = tuple(layers) or (STYLE_LADDER if kind == "style" else CONTENT_LADDER)
    sets = [names[: i + 1] if kind == "style" else (name,) for i, name in enumerate(names)]
    photo = resize_long_edge(read_image(image), size, 256)
    first.encoder(photo.rgb.to(first.runtime.device), names)  # raises now if a layer is unknown
    tiles = [("original", photo)]
    for index, one in enumerate(sets):
        label = f"{one[0]} to {one[-1]}" if len(one) > 1 else one[0]
        watch = PartProgress(callback, index, len(sets), label)
        rebuilt = first.at(one).reconstruct(photo.rgb, seed=seed, callback=watch)
        tiles.append((label, Image(rebuilt.cpu())))
        if watch.cancelled:
            break
    return contact_sheet(tiles, height=photo.height)
