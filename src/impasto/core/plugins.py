"""Load what other installed packages add: methods and losses, by their entry points."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points


def load(group: str) -> None:
    """Import the entry points of a group; each registers what its module defines.

    One that cannot be imported is reported in a line of the log ``impasto``, which goes to standard
    error where a program sets up no other, and the others are loaded.

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
