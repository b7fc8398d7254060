"""The package's errors: which of Python's they are, too, and their one line."""

import pytest

from impasto import errors
from impasto.api.options import Controls


def test_bad_arguments_are_value_errors():
    with pytest.raises(ValueError, match="size is 0"):
        Controls(size=0)
    for kind in (errors.TooSmallError, errors.WeightsError, errors.MissingExtraError):
        assert issubclass(kind, ValueError)
    for kind in (errors.ImpastoError, errors.InterruptedRun, errors.PassedOverError):
        assert not issubclass(kind, ValueError)


def test_one_line():
    assert str(errors.InputError(" a\n  b ")) == "a b"
