"""The metadata of a trained model: how it was trained, and small copies of its style images."""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import sys
from pathlib import Path
from typing import Any

import torch

from impasto._version import __version__
from impasto.api import recipes
from impasto.api.inputs import Source
from impasto.core.schemes import without_scheme
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.network import NetworkMethod
from impasto.models import checkpoint
from impasto.training import loop

_THUMBNAIL = 96  # pixels of the long edge


def model_path(output: str | Path) -> Path:
    """Return the path of a model that is to be written.

    Raises:
        InputError: It has another ending.
    """
    target = Path(output)
    if target.suffix != checkpoint.SUFFIX:
        raise InputError(f"{target}: a model's name ends in {checkpoint.SUFFIX}")
    return target


def describe(recipe: recipes.Recipe, result: loop.Result, method: NetworkMethod) -> dict[str, Any]:
    """Return the metadata of a training, from which it can be repeated."""
    return {
        "kind": method.kind,
        "recipe": recipe.plan_and_crops(),
        "version": __version__,
        "torch": torch.__version__,
        "command": shlex.join(["impasto", *sys.argv[1:]]),
        "runtime": method.runtime.describe(),
        "threads": result.threads,
        "steps": result.steps,
        "finished": result.finished,
        "seconds": round(result.seconds),
        "losses": {name: round(series[-1], 5) for name, series in result.losses.items()},
        "skipped": len(result.skipped),
    }


def thumbnail(picture: Image) -> dict[str, str]:
    """Encode a small copy of a style image as JPEG in base64, with the hash of its pixels."""
    factor = _THUMBNAIL / max(picture.size)
    small = picture.resized(*(max(1, round(s * factor)) for s in (picture.height, picture.width)))
    pixels = small.pil().convert("RGB")
    buffer = io.BytesIO()
    pixels.save(buffer, "jpeg", quality=85)
    return {
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "jpeg": base64.b64encode(buffer.getvalue()).decode(),
    }


def name_of(style: Source, target: Path) -> str:
    """Return the default name of a style: that of its file, or of the model's file."""
    if isinstance(style, (str, Path)) and str(style) != "-":
        return Path(without_scheme(str(style))).stem
    return target.stem
