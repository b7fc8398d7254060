"""Enlarge images by super-resolution networks."""

from __future__ import annotations

from typing import Unpack

from impasto.api.inputs import Source, read_image
from impasto.api.load import load_learned
from impasto.core.device import Place
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.image import Image
from impasto.models import zoo


def upscale(
    image: Source,
    *,
    model: str = "upscale-x4",
    callback: Callback = silent,
    runtime: str = "torch",
    **place: Unpack[Place],
) -> Image:
    """Enlarge an image with a super-resolution network.

    Args:
        image: As for :func:`impasto.stylize`.
        model: A name of ``impasto styles`` or the path of a model.
        callback: Called after every step.
        runtime: See :func:`impasto.get_method`.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The enlarged image; its alpha is interpolated.

    Raises:
        InputError: An argument cannot be used.
    """
    found = zoo.find(model, "upscale")
    if found is None:
        raise InputError(f"no model {model!r} to enlarge with: see 'impasto styles'")
    method = load_learned(found, runtime=runtime, **place)
    picture = read_image(image)
    large = method.upscale(picture.rgb, callback=callback).cpu()
    alpha = picture.resized(*large.shape[-2:]).alpha
    return Image(large, alpha, picture.note, picture.metadata)
