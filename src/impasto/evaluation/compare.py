"""Compare methods on one photo and one style image, as a contact sheet and an HTML page."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten, wrap

import torch

from impasto.api import presets as qualities
from impasto.api.inputs import Source, read_image, resize_long_edge, resize_to_same_pixels
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.evaluation import evaluate, html_report, labels
from impasto.evaluation.candidates import ALL, Entrant, parse_candidates
from impasto.evaluation.results import Comparison
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
_TALLEST = 384  # height of an image on the sheet, in pixels
_LONGEST = 36  # characters per line on the sheet; a longer line would shrink all others


@dataclass(frozen=True, eq=False)
class SideBySide:
    """The result of a comparison on one photo and one style image.

    Attributes:
        photo: The photo at the size at which it was stylized.
        painting: The style image, resized to as many pixels.
        names: The names of the photo and the style image.
        pictures: The stylized images, by the label of their candidate.
        numbers: The measurements and the failures.
    """

    photo: Image
    painting: Image
    names: tuple[str, str]
    pictures: Mapping[str, Image]
    numbers: Comparison

    def sheet(self) -> Image:
        """Return a labelled contact sheet of photo, style image and results; failures are grey."""
        blank = Image(torch.full_like(self.photo.rgb, 0.9))
        tiles = [("photo", self.photo), ("painting", self.painting)]
        failures = self.numbers.failures
        lines = list(self.numbers.table())
        shown = labels.shorten_labels([*(line[0] for line in lines), *(f.method for f in failures)])
        for line in lines:
            cells = dict(zip(self.numbers.header, line, strict=True))
            if cells["method"] in self.pictures:
                label = (
                    f"{_wrapped(shown[cells['method']])}\n"
                    f"style {cells['style']}  content {cells['content']}\n"
                    f"edges {cells['edges']}  {cells['seconds']} s  {cells['memory']}"
                )
                tiles.append((label, self.pictures[cells["method"]]))
        for one in failures:
            why = shorten(f"failed: {one.error}", _LONGEST, placeholder=" ...")
            tiles.append((f"{_wrapped(shown[one.method])}\n{why}", blank))
        height = min(self.photo.height, _TALLEST)
        return contact_sheet(tiles, columns=_COLUMNS, height=height)

    def page(self) -> str:
        """Return a self-contained HTML page with a before/after slider for each result."""
        return html_report.render(
            self.names, self.photo, self.painting, self.pictures, self.numbers
        )

    def write(self, target: str | Path) -> None:
        """Write the files that the target's name asks for.

        Args:
            target: A file: ``.html`` gets the page, an image file the sheet. Anything else is a
                folder, created if missing: it gets both, every stylized image, and the measurements
                as JSON.

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
    """Check before the work whether :meth:`SideBySide.write` can write a target.

    Raises:
        InputError: The target cannot be written.
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
    """Stylize a content image by several methods, and measure the results.

    Args:
        content: Anything that :func:`impasto.stylize` takes.
        style: Anything that :func:`impasto.stylize` takes as a style image.
        methods: See :func:`impasto.evaluation.evaluate.evaluate`. ``all`` is every method
            that takes any style, with the shipped models, and a learned style if it was trained on
            this style image.
        size: Long edge to stylize at; None is the photo's own, 512 at most.
        quality: Preset for the methods that optimise, see :mod:`impasto.api.presets`: ``good`` or
            ``best``; ``fast`` leaves them out of ``all``.
        steps: Their steps at full size; None is the preset's.
        seed: Seed of all random numbers.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        callback: See :func:`impasto.evaluation.evaluate.evaluate`.

    Returns:
        The results and their measurements. A method that fails is listed; after cancelling, the
        finished results are returned.

    Raises:
        InputError: An argument cannot be used.
    """
    if isinstance(style, str) and zoo.find(style) is not None:
        raise InputError(f"{style} is what a network has learned: give its painting's picture")
    shown = resize_long_edge(read_image(content), size, DEFAULT_SIZE)
    names = (_name(content, "photo"), _name(style, "painting"))
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{name}.png") for name in ("photo", "painting")]
        painting = resize_to_same_pixels(read_image(style), shown)
        for picture, path in zip((shown, painting), paths, strict=True):
            picture.save(path, depth=16)  # each method reads them in its own process
        found = evaluate.evaluate(
            paths[:1],
            paths[1:],
            _with_quality_settings(methods, paths[1:], quality, steps),
            size=max(shown.size),
            seed=seed,
            folder=folder,
            device=device,
            precision=precision,
            callback=callback,
        )
        pictures = {row.method: read_image(row.picture) for row in found.rows if row.picture}
    rows = (replace(one, content=names[0], style=names[1], picture="") for one in found.rows)
    failures = (replace(one, content=names[0], style=names[1]) for one in found.failures)
    found = replace(found, rows=tuple(rows), failures=tuple(failures))
    return SideBySide(shown, painting, names, pictures, found)


def _with_quality_settings(
    given: Sequence[str | Entrant], paintings: Sequence[str], quality: str, steps: int | None
) -> list[Entrant]:
    """Return candidates, those that optimise with the numbers of steps of a quality preset."""
    settings = qualities.choose(quality).settings
    changed = {name: str(value) for name, value in settings.items() if name.endswith("steps")}
    if steps is not None:
        changed["steps"] = str(steps)
    table = list_methods(Ability.STYLIZE)
    optimizing = {one.name for one in table if not issubclass(one.build, NetworkMethod)}
    asked = {one.name if isinstance(one, Entrant) else Entrant.parse(one).name for one in given}
    found = []
    for candidate in parse_candidates(given, paintings):
        if candidate.name not in optimizing:
            found.append(candidate)
        elif quality != "fast" or candidate.name in asked:
            own = {**changed, **candidate.settings}
            found.append(Entrant(candidate.name, own, candidate.label))
    return found


def _wrapped(label: str) -> str:
    """Wrap a label into the lines that it needs on the sheet."""
    return "\n".join(wrap(label, _LONGEST, break_on_hyphens=False)) or label


def _name(source: Source, otherwise: str) -> str:
    """Return a display name for an image: its path, or a default."""
    named_so = isinstance(source, (str, os.PathLike)) and os.fspath(source) != "-"
    return str(source) if named_so else otherwise


def _is_page(path: Path) -> bool:
    return path.suffix.lower() in {".html", ".htm"}


def _is_folder(path: Path) -> bool:
    return path.is_dir() or not path.suffix
