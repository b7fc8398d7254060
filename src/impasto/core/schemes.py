"""Prefixes that say what a source is, where a path and a name could be confused."""

from __future__ import annotations

SAMPLE = "sample:"  # an image that the package draws or brings
MODEL = "model:"  # what a model of the package has learned, by its name
FILE = "file:"  # a path, whatever it looks like
SCHEMES = (SAMPLE, MODEL, FILE)


def bare(source: str) -> str:
    """Return a source without its prefix.

    Example:
        >>> bare("model:starry-night"), bare("photo.jpg")
        ('starry-night', 'photo.jpg')
    """
    for scheme in SCHEMES:
        if source.startswith(scheme):
            return source.removeprefix(scheme)
    return source
