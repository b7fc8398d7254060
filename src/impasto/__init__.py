"""Impasto: neural style transfer, the whole lineage in one package."""

from impasto._version import __version__

__all__ = ["__version__"]
