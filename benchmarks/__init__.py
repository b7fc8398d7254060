"""Measurements, each a module with `run() -> dict` that prints a table when it is run."""
