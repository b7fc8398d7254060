"""Generate a small network for one style, by a model of a meta network."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from impasto._version import __version__
from impasto.api import encode
from impasto.api.card import model_path, name_of
from impasto.api.inputs import Source, as_list
from impasto.api.load import open_model
from impasto.core.device import Place
from impasto.errors import InputError
from impasto.methods.protocols import WritesNetworks
from impasto.methods.style import SUFFIX, Style
from impasto.models import checkpoint, zoo


def specialize(
    model: str | Path,
    style: Source | Style | Sequence[Source | Style],
    output: str | Path,
    *,
    weights: Sequence[float] | None = None,
    size: int | None = None,
    name: str | None = None,
    **place: Unpack[Place],
) -> checkpoint.Model:
    """Write the network that a meta network generates for a style as a model of its own.

    Its results are those of the meta network, but it needs neither the meta network nor an encoder.
    Use it as the style: ``impasto.stylize(photo, "small.safetensors")``.

    Args:
        model: A model of ``meta-network``, by its name or its path.
        style: One or several, see :func:`impasto.api.encode.encode`; several are blended.
        output: Path of the new model, such as ``small.safetensors``. Its weights are in float32, so
            that the results do not change.
        weights: One for each style; equal if None.
        size: Long edge in pixels to resize each style image to; None is its own, 512 at most.
        name: Name of the style; None is the name of the first style's file.
        place: See :func:`impasto.core.device.choose`.

    Returns:
        The new model.

    Raises:
        InputError: An argument cannot be used, or the model does not generate networks.
        ImpastoError: The file could not be written.
    """
    target = model_path(output)
    found = zoo.find_arbitrary(str(model))
    if found is None:
        raise InputError(f"{model} is no model that writes networks: give one of meta-network")
    if target.resolve() == found.path.resolve():
        raise InputError(f"{target} is the model itself: write to another file")
    method = open_model(found, **place)
    if not isinstance(method, WritesNetworks):
        raise InputError(f"{method.name} writes no networks: give a model of meta-network")
    encoded = encode.encode(style, method=method, weights=weights, size=size)
    first = as_list(style)[0]
    called = name or (target.stem if isinstance(first, Style) else name_of(first, target))
    card = {
        "version": __version__,
        "command": shlex.join(["impasto", *sys.argv[1:]]),
        "source": found.name,
    }
    made = method.specialize(encoded, called.removesuffix(SUFFIX), card)
    checkpoint.save(made, target, bits=32)
    return made
