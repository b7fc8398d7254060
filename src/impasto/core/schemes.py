"""Prefixes that mark a source as a sample, a model or a file where its name alone is ambiguous."""

from __future__ import annotations

SAMPLE = "sample:"  # an image that comes with the package
MODEL = "model:"  # a style, texture or upscaler of a shipped model, by its name
FILE = "file:"  # always a path
SCHEMES = (SAMPLE, MODEL, FILE)


def without_scheme(source: str) -> str:
    """Return a source without its prefix.

    Example:
        >>> without_scheme("model:starry-night"), without_scheme("photo.jpg")
        ('starry-night', 'photo.jpg')
    """
    for scheme in SCHEMES:
        if source.startswith(scheme):
            return source.removeprefix(scheme)
    return source
