"""Describe what determines a stylized video, to detect frames made with other settings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from impasto.api.controls import Controls
from impasto.api.inputs import as_list, read_image
from impasto.core.schemes import FILE, SAMPLE
from impasto.errors import InputError
from impasto.methods import style as style_file
from impasto.methods.base import Method
from impasto.methods.style import Style
from impasto.models import checkpoint, zoo
from impasto.video.reader import Clip, Folder


def describe_job(
    clip: Clip,
    style: Any,
    *,
    method: str | Method | None,
    weights: Sequence[float] | None,
    masks: Sequence[Any],
    controls: Controls,
    settings: dict[str, Any],
    **others: Any,
) -> dict[str, Any]:
    """Describe a job by its options and file digests; equal descriptions mean equal frames.

    Raises:
        InputError: A file cannot be read.
    """
    name = method.name if isinstance(method, Method) else method
    return {
        "video": f"{clip.path.absolute()} {_clip(clip)}",
        "styles": [_style(one) for one in as_list(style)],
        "weights": None if weights is None else list(weights),
        "masks": [mask if mask == "alpha" else _picture(mask) for mask in masks],
        "method": name,
        **({"numbers": repr(method.config)} if isinstance(method, Method) else {}),
        **{key: value for key, value in others.items() if value is not None},
        **asdict(controls),
        **{f"--set {key}": value for key, value in settings.items()},
    }


def _clip(clip: Clip) -> str:
    if not isinstance(clip, Folder):
        return _file(clip.path)
    lines = [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in clip.files]
    return _short("\n".join(lines).encode())


def _style(style: Any) -> str:
    """Return a style's name, and a digest of its file or tensors."""
    if isinstance(style, Style):
        parts = [(part.weight, sorted(part.tensors)) for part in style]
        tensors = b"".join(
            part.tensors[name].detach().cpu().contiguous().numpy().tobytes()
            for part in style
            for name in sorted(part.tensors)
        )
        return f"{style.method} {_short(repr(parts).encode() + tensors)}"
    if not isinstance(style, (str, os.PathLike)):
        return _picture(style)
    text = os.fspath(style).removeprefix(FILE)
    path = text.partition("#")[0] if checkpoint.SUFFIX in text else text
    if os.path.isfile(path):
        return f"{os.path.abspath(text)} {_file(Path(path))}"
    if text.startswith(SAMPLE) or zoo.find(text) or style_file.load_if_style(text):
        return text
    return f"{text} {_picture(text)}"


def _picture(source: Any) -> str:
    picture = read_image(source)
    return _short(picture.rgb.numpy().tobytes())


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
