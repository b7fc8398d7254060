"""Convert the roles, tables and doctests of docstrings to Markdown for the site."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc|obj):`~?([\w.]+)`")
_DOCTEST = re.compile(r"^( *)>>> .*(?:\n *\S.*)*", re.MULTILINE)
_RULE = re.compile(r"^\s*=+(?: +=+)+\s*$")


class Docstrings(Extension):
    """Convert every docstring before it is parsed."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Convert the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Convert roles to code, tables with rules of ``=`` to Markdown's, doctests to fenced code.

    Example:
        >>> as_markdown("See :func:`impasto.losses.gram.gram_matrix`.")
        'See `gram_matrix`.'
    """
    text = _ROLE.sub(lambda found: f"`{found[1].rsplit('.', 1)[-1]}`", text)
    text = _DOCTEST.sub(r"\1```pycon\n\g<0>\n\1```", text)
    lines, rows, starts, made = text.split("\n"), [], [], []
    for line in lines:
        if _RULE.match(line):
            if starts:  # the rule that ends the table
                made += _table(rows, starts, indent=starts[0])
                rows, starts = [], []
            else:
                starts = [found.start() for found in re.finditer("=+", line)]
        elif starts:
            rows.append(line)
        else:
            made.append(line)
    return "\n".join(made)


def _table(rows: list[str], starts: list[int], indent: int) -> list[str]:
    cells: list[list[str]] = []
    for row in rows:
        ends = [*starts[1:], len(row)]
        parts = [row[a:b].strip() for a, b in zip(starts, ends, strict=True)]
        if parts[0]:
            cells.append(parts)
        elif cells:  # the rest of a cell
            cells[-1] = [f"{old} {new}".strip() for old, new in zip(cells[-1], parts, strict=True)]
    blank = [" " * indent + "| " + " | ".join([""] * len(starts)) + " |"]
    rule = [" " * indent + "|" + "---|" * len(starts)]
    escaped = [[part.replace("|", "\\|") for part in parts] for parts in cells]
    return blank + rule + [" " * indent + "| " + " | ".join(parts) + " |" for parts in escaped]
