"""One photo in the style of one painting by every method: on a sheet, and on a page of HTML."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten, wrap

import torch

from impasto.api import presets as qualities
from impasto.api.inputs import Source, alike, fit, read
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.evaluation import evaluate, html_report, labels
from impasto.evaluation.candidates import ALL, Entrant, named
from impasto.evaluation.results import HEADER, Comparison
from impasto.image import Image, files
from impasto.image import check_target as check_picture
from impasto.image.contact_sheet import contact_sheet
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import list_methods
from impasto.methods.spec import Ability
from impasto.models import zoo

DEFAULT_SIZE = 512
NAME = "comparison"  # of the files in a folder

_COLUMNS = 4
_TALLEST = 384  # of a picture on the sheet
_LONGEST = 36  # letters of a line on the sheet, which all lines would shrink for


@dataclass(frozen=True, eq=False)
class SideBySide:
    """What became of a photo.

    Attributes:
        photo: At the size it was painted at.
        painting: With as many pixels.
        names: Of the two.
        pictures: By the label of what painted them.
        numbers: What was measured of them, and what failed.
    """

    photo: Image
    painting: Image
    names: tuple[str, str]
    pictures: Mapping[str, Image]
    numbers: Comparison

    def sheet(self) -> Image:
        """Photo, painting and all pictures with their numbers, labelled; what failed is grey."""
        blank = Image(torch.full_like(self.photo.rgb, 0.9))
        tiles = [("photo", self.photo), ("painting", self.painting)]
        failures = self.numbers.failures
        lines = list(self.numbers.table())
        shown = labels.shown([*(line[0] for line in lines), *(f.method for f in failures)])
        for line in lines:
            told = dict(zip(HEADER, line, strict=True))
            if told["method"] in self.pictures:
                label = (
                    f"{_wrapped(shown[told['method']])}\n"
                    f"style {told['style']}  content {told['content']}\n"
                    f"edges {told['edges']}  {told['seconds']} s  {told['memory']}"
                )
                tiles.append((label, self.pictures[told["method"]]))
        for one in failures:
            why = shorten(f"failed: {one.error}", _LONGEST, placeholder=" ...")
            tiles.append((f"{_wrapped(shown[one.method])}\n{why}", blank))
        height = min(self.photo.height, _TALLEST)
        return contact_sheet(tiles, columns=_COLUMNS, height=height)

    def page(self) -> str:
        """HTML that needs no other file, with a slider over the photo for each picture."""
        return html_report.render(
            self.names, self.photo, self.painting, self.pictures, self.numbers
        )

    def write(self, target: str | Path) -> None:
        """Write what a target's name asks for.

        Args:
            target: A file: ``.html`` gets the page, a picture file the sheet. Anything else is a
                folder, made if it is not there: it gets both, every painted picture, and the
                numbers as JSON.

        Raises:
            InputError: It cannot be written.
        """
        path = Path(target)
        if _is_page(path):
            files.write(self.page().encode(), path)
        elif not _is_folder(path):
            self.sheet().save(path)
        else:
            evaluate.make_folder(path)
            names = evaluate.file_names((NAME, *self.pictures))[1:]
            for name, picture in zip(names, self.pictures.values(), strict=True):
                picture.save(path / f"{name}.png")
            self.sheet().save(path / f"{NAME}.png")
            files.write(f"{self.numbers.json()}\n".encode(), path / f"{NAME}.json")
            files.write(self.page().encode(), path / f"{NAME}.html")


def check_target(target: str | Path) -> None:
    """Find out before the work whether :meth:`SideBySide.write` will take this target.

    Raises:
        InputError: What it would say.
    """
    path = Path(target)
    if _is_page(path):
        files.check(path)
    elif _is_folder(path):
        files.check(path / f"{NAME}.html" if path.is_dir() else path)
    else:
        check_picture(path)


def compare(
    content: Source,
    style: Source,
    methods: Sequence[str | Entrant] = (ALL,),
    *,
    size: int | None = None,
    quality: str = "good",
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    callback: Callback = silent,
) -> SideBySide:
    """Paint a content image in the style of another by several methods, and measure.

    Args:
        content: Anything that :func:`impasto.stylize` takes.
        style: The same.
        methods: See :func:`impasto.evaluation.evaluate.evaluate`. ``all`` is every method
            that paints in any style, with the shipped models, and a learned style if it is of this
            painting.
        size: Long edge to paint at; None is the photo's own, 512 at most.
        quality: What the methods that optimise spend, see :mod:`impasto.api.presets`: ``good`` or
            ``best``; ``fast`` leaves them out of ``all``.
        steps: Their steps at full size; None is what ``quality`` says.
        seed: Of everything random.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        callback: See :func:`impasto.evaluation.evaluate.evaluate`.

    Returns:
        The pictures and their numbers. A method that fails is listed; after cancelling those are
        there that were finished.

    Raises:
        InputError: Something given cannot be used.
    """
    if isinstance(style, str) and zoo.find(style) is not None:
        raise InputError(f"{style} is what a network has learned: give its painting's picture")
    shown = fit(read(content), size, DEFAULT_SIZE)
    names = (_name(content, "photo"), _name(style, "painting"))
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{name}.png") for name in ("photo", "painting")]
        painting = alike(read(style), shown)
        for picture, path in zip((shown, painting), paths, strict=True):
            picture.save(path, depth=16)  # each method reads them in a process of its own
        found = evaluate.evaluate(
            paths[:1],
            paths[1:],
            _with_numbers(methods, paths[1:], quality, steps),
            size=max(shown.size),
            seed=seed,
            folder=folder,
            device=device,
            precision=precision,
            callback=callback,
        )
        pictures = {row.method: read(row.picture) for row in found.rows if row.picture}
    rows = (replace(one, content=names[0], style=names[1], picture="") for one in found.rows)
    failures = (replace(one, content=names[0], style=names[1]) for one in found.failures)
    found = replace(found, rows=tuple(rows), failures=tuple(failures))
    return SideBySide(shown, painting, names, pictures, found)


def _with_numbers(
    given: Sequence[str | Entrant], paintings: Sequence[str], quality: str, steps: int | None
) -> list[Entrant]:
    """Entrants, those that optimise with the numbers of a quality."""
    numbers = dict(qualities.choose(quality).settings)
    if steps is not None:
        numbers["steps"] = steps
    table = list_methods(Ability.STYLIZE)
    optimizing = {one.name for one in table if not issubclass(one.build, NetworkMethod)}
    asked = {one.name if isinstance(one, Entrant) else Entrant.parse(one).name for one in given}
    found = []
    for entrant in named(given, paintings):
        if entrant.name not in optimizing:
            found.append(entrant)
        elif quality != "fast" or entrant.name in asked:
            settings = {**{name: str(value) for name, value in numbers.items()}, **entrant.settings}
            found.append(Entrant(entrant.name, settings, entrant.label))
    return found


def _wrapped(label: str) -> str:
    """A label over as many lines of the sheet as it takes."""
    return "\n".join(wrap(label, _LONGEST, break_on_hyphens=False)) or label


def _name(source: Source, otherwise: str) -> str:
    """What to call a picture that somebody handed in."""
    named_so = isinstance(source, (str, os.PathLike)) and os.fspath(source) != "-"
    return str(source) if named_so else otherwise


def _is_page(path: Path) -> bool:
    return path.suffix.lower() in {".html", ".htm"}


def _is_folder(path: Path) -> bool:
    return path.is_dir() or not path.suffix
