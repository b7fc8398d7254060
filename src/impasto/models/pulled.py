"""Find the models that the user has pulled from a hub, by the names of their repositories."""

from __future__ import annotations

import os
import re
from pathlib import Path

from impasto.models.checkpoint import SUFFIX

_NAME = re.compile(r"(?!.*\.\.)[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def folder() -> Path:
    """Return the user's folder of models: ``$IMPASTO_MODELS``, or one among the user's data."""
    import platformdirs

    override = os.environ.get("IMPASTO_MODELS")
    return Path(override) if override else Path(platformdirs.user_data_dir("impasto")) / "models"


def is_repository(name: str) -> bool:
    """Check whether a text is the name of a repository.

    Example:
        >>> is_repository("ada/wave"), is_repository("wave"), is_repository("ada/../wave")
        (True, False, False)
    """
    return _NAME.fullmatch(name) is not None


def path_of(repository: str) -> Path:
    """Return the path of a repository's model, which may not exist yet.

    Args:
        repository: ``owner/name``.
    """
    return folder().joinpath(*f"{repository}{SUFFIX}".split("/"))


def find(name: str) -> Path | None:
    """Return the path of a pulled model, or None if no such model was pulled.

    Args:
        name: ``owner/name``.
    """
    path = path_of(name) if is_repository(name) else None
    return path if path is not None and path.is_file() else None


def names() -> list[str]:
    """Return the names of the repositories whose models were pulled, sorted."""
    found = (path.relative_to(folder()) for path in folder().glob(f"*/*{SUFFIX}"))
    return sorted(name for path in found if is_repository(name := path.as_posix()[: -len(SUFFIX)]))
