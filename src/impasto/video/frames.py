"""Sort and check the files of a folder of frames."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from impasto.errors import InputError
from impasto.image.kinds import explain_unreadable


def ordered(files: Iterable[Path]) -> list[Path]:
    """Sort files by the numbers in their names: ``frame2`` before ``frame10``."""
    return sorted(files, key=lambda file: _natural(file.name))


def check(files: Sequence[Path]) -> None:
    """Check that every frame is an image, and that none is missing in between.

    Args:
        files: The frames.

    Raises:
        InputError: A file with the ending of an image is none, or the numbers have a gap.
    """
    for file in files:
        if why := explain_unreadable(file):
            raise InputError(
                f"{file} cannot be read as a frame ({why}): make it again, or move it away"
            )
    numbered: dict[tuple[str, str], dict[int, Path]] = defaultdict(dict)
    for file in files:
        found = re.fullmatch(r"(.*?)(\d{1,18})(\D*)", file.stem, re.DOTALL)
        if found is not None:
            numbered[found[1], found[3]][int(found[2])] = file
    for group in numbered.values():
        if gap := _gap(sorted(group)):
            before, after = (group[number].name for number in gap)
            raise InputError(
                f"frames are missing between {before} and {after} in {files[0].parent}: add them, "
                f"or give the files names without a gap"
            )


def _gap(numbers: Sequence[int]) -> tuple[int, int] | None:
    """Return the numbers around the first gap in an even sequence; None if there is none.

    A sequence is even if at least half of its steps are the smallest step, and all are multiples of
    it: other numbers, such as times, do not count frames.

    Example:
        >>> _gap([1, 2, 3, 5]), _gap([0, 10, 20]), _gap([3, 17, 40])
        ((3, 5), None, None)
    """
    steps = Counter(later - earlier for earlier, later in pairwise(numbers))
    usual = min(steps, default=0)
    even = all(step % usual == 0 for step in steps) and 2 * steps[usual] >= steps.total()
    if len(steps) < 2 or not even:
        return None
    return next((a, b) for a, b in pairwise(numbers) if b - a > usual)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that compares digits by their numerical value."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
