"""Closed-form maps that align one distribution of features with another."""

from impasto.alignment import strip_forms  # noqa: F401 (registers forms)
from impasto.alignment.adabn import adapt
from impasto.alignment.adain import adain
from impasto.alignment.whitening import gaussian, monge, roots, wct

__all__ = ["adain", "adapt", "gaussian", "monge", "roots", "wct"]
