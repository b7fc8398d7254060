"""The package's own errors: each says what was wrong and what to do about it, in one line.

A message names a parameter in backticks, with a value where one is advised: ```size```,
```precision="float32"```. The command line shows the option instead, see
:func:`impasto.cli.parsing.as_options`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class ImpastoError(Exception):
    """Any failure that Impasto foresees. Its text is one line, meant for a person.

    Attributes:
        exit_code: What the command line returns when it ends with this error.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InputError(ImpastoError, ValueError):
    """The caller gave something that cannot be used: a file, an option, a size."""

    exit_code = 2


class PassedOverError(ImpastoError):
    """All that could be read is done, but some files of a folder were passed over."""

    exit_code = 3


class TooSmallError(InputError):
    """A picture is too small for a layer of an encoder.

    Attributes:
        least: What its sides must be at least for that layer, in pixels.
    """

    def __init__(self, message: str, least: int) -> None:
        super().__init__(message)
        self.least = least


class WeightsError(InputError):
    """Weights are missing, damaged, or of another network than asked for."""


class MissingExtraError(InputError):
    """A part of the package that this installation left out is needed.

    Args:
        feature: What was asked for, in words.
        extra: The name of the extra to install.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'impasto[{extra}]'")


class InterruptedRun(ImpastoError):  # noqa: N818 (what was made is kept: not quite an error)
    """A long job ended early; what it had made so far is kept.

    Attributes:
        picture: The last good picture, (1, 3, H, W) in [0, 1], or None when there was none yet.
    """

    def __init__(self, message: str, picture: Tensor | None = None) -> None:
        super().__init__(message)
        self.picture = picture


class DivergedError(InterruptedRun):
    """The optimisation ran away or met a number that is not finite."""


class CancelledError(InterruptedRun):
    """The user cancelled the job before it had a picture to keep."""

    exit_code = 130
