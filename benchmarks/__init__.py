"""Measure the package: each module prints its results when run."""
