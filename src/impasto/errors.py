"""Define the package's errors, whose messages say in one line what is wrong and what to do.

A message names a parameter in backticks, with a value if one is advised: ```size```,
```precision="float32"```. The command line replaces it by the option, see
:func:`impasto.cli.parsing.as_options`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor


class ImpastoError(Exception):
    """Base class of the package's errors, with a one-line message for users.

    Attributes:
        exit_code: Exit code of the command line for this error.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InputError(ImpastoError, ValueError):
    """The caller gave something that cannot be used: a file, an option, a size."""

    exit_code = 2


def check_choice(what: str, value: object, known: Collection[str]) -> None:
    """Raise :class:`InputError` for a value that is none of the known ones.

    Args:
        what: What the value chooses, for the message.
        value: The value.
        known: The known values.
    """
    if value not in known:
        raise InputError(f"unknown {what} {value!r}: choose {', '.join(known)}")


def check_range(low: float, high: float = math.inf, **values: float) -> None:
    """Raise :class:`InputError` for a value outside a range, and for NaN.

    Args:
        low: Least value that is allowed.
        high: Greatest value that is allowed.
        values: The values, by their names for the message.
    """
    for name, value in values.items():
        if not low <= value <= high:
            span = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
            raise InputError(f"{name} is {value}: it must be {span}")


class PassedOverError(ImpastoError):
    """All readable files were processed, but some files of a folder were passed over."""

    exit_code = 3


class TooSmallError(InputError):
    """An image is too small for a layer of an encoder.

    Attributes:
        least: Minimum of its sides for that layer, in pixels.
    """

    def __init__(self, message: str, least: int) -> None:
        super().__init__(message)
        self.least = least


class WeightsError(InputError):
    """Weights are missing, damaged, or of another network than requested."""


class MissingExtraError(InputError):
    """A feature needs an optional dependency that is not installed.

    Args:
        feature: The feature, as text for the message.
        extra: The name of the extra to install.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'impasto[{extra}]'")


class InterruptedRun(ImpastoError):  # noqa: N818 (the result so far is kept: not quite an error)
    """A long job ended early; its result so far is kept.

    Attributes:
        picture: The last good image, (1, 3, H, W) in [0, 1], or None if there was none yet.
    """

    def __init__(self, message: str, picture: Tensor | None = None) -> None:
        super().__init__(message)
        self.picture = picture


class DivergedError(InterruptedRun):
    """The optimisation diverged or produced a value that is not finite."""


class CancelledError(InterruptedRun):
    """The user cancelled the job before there was a result."""

    exit_code = 130
