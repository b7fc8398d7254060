"""Shorten the labels of a comparison without making two of them alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile

SETTINGS = re.compile(r":(?=[^:]*=)")  # the colons before settings
ELLIPSIS = "…"

_LONGEST = 32  # characters; a shorter label is shown unchanged


def shorten_labels(labels: Iterable[str], longest: int = _LONGEST) -> dict[str, str]:
    """Shorten labels by leaving out what several candidates of one method have in common.

    Settings that all of them share are left out, then the common parts at both ends of lists. What
    differs stays complete, whatever its length. A label that is alone for its method is truncated.

    Args:
        labels: Names with settings, such as ``gatys:steps=50:levels=2``.
        longest: Characters that a label may have before anything is left out.

    Returns:
        The text to show for each label; no two are the same.

    Example:
        >>> few, many = (f"gatys:steps={n}:style_layers=relu1_1,relu2_1" for n in (50, 500))
        >>> list(shorten_labels([few, many]).values())
        ['gatys:steps=50:…', 'gatys:steps=500:…']
    """
    different = list(dict.fromkeys(labels))
    found: dict[str, str] = {}
    for _, group in groupby(sorted(different, key=_method), key=_method):
        found |= _of_one_method(list(group), longest)
    taken = list(found.values())
    return {one: found[one] if taken.count(found[one]) == 1 else one for one in different}


def _method(label: str) -> str:
    return SETTINGS.split(label)[0]


def _of_one_method(labels: Sequence[str], longest: int) -> dict[str, str]:
    if len(labels) == 1:
        (label,) = labels
        short = label if len(label) <= longest else f"{label[: longest - 1]}{ELLIPSIS}"
        return {label: short}
    settings = [SETTINGS.split(label)[1:] for label in labels]
    shared = set(settings[0]).intersection(*settings[1:])
    found = {}
    for label, own in zip(labels, settings, strict=True):
        if len(label) <= longest:
            found[label] = label
            continue
        remaining = [_ends_left_out(one, settings) for one in own if one not in shared]
        found[label] = ":".join([_method(label), *remaining, *([ELLIPSIS] if shared else [])])
    return found


def _ends_left_out(setting: str, settings: Sequence[Sequence[str]]) -> str:
    """Remove the parts at both ends of a list that this setting has in all candidates."""
    key, _, value = setting.partition("=")
    lists = [
        one.partition("=")[2].split(",")
        for each in settings
        for one in each
        if one.partition("=")[0] == key
    ]
    if len(lists) < len(settings) or "," not in value:
        return setting
    shortest = min(map(len, lists))
    first = min(_same(list(zip(*lists, strict=False))), shortest - 1)  # at least one part stays
    last = _same(list(zip(*(one[::-1] for one in lists), strict=False)))
    last = min(last, shortest - 1 - first)
    parts = value.split(",")
    middle = parts[first : len(parts) - last]
    ends = ([ELLIPSIS] if first else []), ([ELLIPSIS] if last else [])
    return f"{key}={','.join([*ends[0], *middle, *ends[1]])}"


def _same(rows: Sequence[tuple[str, ...]]) -> int:
    """Return the number of leading rows whose entries are all equal."""
    return sum(1 for _ in takewhile(lambda row: len(set(row)) == 1, rows))
