"""Render a comparison as one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from io import BytesIO
from pathlib import Path
from string import Template

from impasto._version import __version__
from impasto.core.schemes import SAMPLE
from impasto.evaluation import labels
from impasto.evaluation.results import Comparison
from impasto.image import Image, save

_QUALITY = 90  # of WebP, which supports transparency


def render(
    names: tuple[str, str],
    photo: Image,
    painting: Image,
    pictures: Mapping[str, Image],
    numbers: Comparison,
) -> str:
    """Render the page: a before/after slider for each result, the measurements, and the failures.

    Args:
        names: The names of the photo and of the style image.
        photo: The photo, as large as the results.
        painting: The style image, of any size.
        pictures: The stylized images, by the label of their candidate.
        numbers: The measurements.
    """
    short = [Path(name.removeprefix(SAMPLE)).name for name in names]
    template = resources.files("impasto") / "data" / "comparison.html"
    cells = {line[0]: dict(zip(numbers.header, line, strict=True)) for line in numbers.table()}
    shown = labels.shorten_labels([*cells, *(one.method for one in numbers.failures)])
    figures = [
        _figure((label, shown[label]), picture, short[0], cells[label])
        for label, picture in pictures.items()
    ]
    image = f'<img src="{_uri(painting)}" alt="{escape(short[1])}">'
    figures.append(f"<figure>{image}<figcaption>the painting</figcaption></figure>")
    columns = [0, *range(2, len(numbers.header))]  # without "n": each method has one here
    lines = [numbers.header, *((shown[label], *rest) for label, *rest in numbers.table())]
    rows = [
        _row([line[i] for i in columns], "td" if n else 'th scope="col"')
        for n, line in enumerate(lines)
    ]
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=escape(f"{short[0]} in the style of {short[1]}"),
        width=photo.width,
        height=photo.height,
        photo=_uri(photo),
        figures="\n".join(figures),
        failures=_failures(numbers),
        table="\n".join(rows),
        about=f"{photo.width}×{photo.height} pixels, seed {numbers.seed}, Impasto {__version__}.",
    )


def _figure(label: tuple[str, str], picture: Image, photo: str, cells: Mapping[str, str]) -> str:
    """Return a result over the photo with its slider, and a caption; ``label`` is (full, short)."""
    name, short = map(escape, label)
    distances = (f"{word} {cells[word]}" for word in ("style", "content", "edges"))
    cost = (f"{cells['seconds']} s", cells["memory"])
    line = escape(", ".join(filter(None, (*distances, *cost))))
    return (
        f'<figure><div class="frame photo slides">'
        f'<img src="{_uri(picture)}" alt="{escape(photo)} as {name} paints it" draggable="false">'
        f'</div><input type="range" min="0" max="100" value="50" '
        f'aria-label="{name}: how much of the photo is shown, in percent">'
        f'<figcaption title="{name}">{short}<br><small>{line}</small></figcaption></figure>'
    )


def _row(cells: Sequence[str], kind: str = "td") -> str:
    """Return a table row whose cells all use one element."""
    name = kind.partition(" ")[0]
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{name}>" for cell in cells) + "</tr>"


def _failures(numbers: Comparison) -> str:
    if not numbers.failures:
        return ""
    items = (f"<li>{escape(one.method)}: {escape(one.error)}</li>" for one in numbers.failures)
    return "<h2>What failed</h2>\n<ul>\n" + "\n".join(items) + "\n</ul>"


def _uri(picture: Image) -> str:
    """Return an image as a data URI."""
    out = BytesIO()
    save(picture, out, format="webp", quality=_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode("ascii")
