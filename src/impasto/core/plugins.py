"""Load the methods and losses of other installed packages through their entry points."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points


def load(group: str) -> None:
    """Import the entry points of a group; each registers what its module defines.

    An entry point that cannot be imported is skipped with a warning in the log ``impasto``, which
    Python writes to standard error unless the program configures logging.

    Args:
        group: ``impasto.methods`` or ``impasto.losses``.
    """
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        try:
            point.load()
        except Exception as error:  # whatever another package's code may raise
            text = " ".join(str(error).split()) or type(error).__name__
            logging.getLogger("impasto").warning(
                "impasto: the plug-in %s (%s) is left out: %s", point.name, point.value, text
            )
