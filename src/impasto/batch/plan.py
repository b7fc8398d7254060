"""A job's pictures one by one: which style each gets, and what its painted file is called."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from impasto.batch.job import Job
from impasto.errors import InputError
from impasto.image import DEEP_SUFFIXES, READ_SUFFIXES, WRITE_SUFFIXES
from impasto.training.sources import Found, in_words, search

JOB, MANIFEST = "batch.json", "manifest.jsonl"

_MARK = "~"


@dataclass(frozen=True)
class Item:
    """One picture in one style.

    Attributes:
        picture: Its path in the job's folder, with slashes.
        style: Its place among the job's styles.
        seed: Of everything random.
        output: The painted picture's path in the folder of the results, with slashes.
    """

    picture: str
    style: int
    seed: int
    output: str


def plan(job: Job, out: Path, found: Sequence[str] | None = None) -> list[Item]:
    """All that there is to do, one style after another, so that few are in memory at once.

    Args:
        job: The job.
        out: The folder of the results; pictures in it are none of the job's.
        found: The pictures, see :func:`pictures`; None looks for them.

    Raises:
        InputError: There are no pictures, or a result would take the place of one.
    """
    names = pictures(Path(job.folder), out).files if found is None else found
    outputs = _outputs(names, job.ending, job.bits)
    if job.random:
        items = [_drawn(job, picture, outputs[picture]) for picture in names]
        items.sort(key=lambda item: item.style)  # stable: the pictures stay in order
    else:
        several = len(job.styles) > 1
        items = [
            Item(
                picture,
                index,
                job.controls.seed,
                f"{style.label}/{outputs[picture]}" if several else outputs[picture],
            )
            for index, style in enumerate(job.styles)
            for picture in names
        ]
    _check(items, job, out)
    return items


def pictures(folder: Path, out: Path) -> Found:
    """List the images to paint, as sorted paths in the folder, and count what was passed over.

    Args:
        folder: Of the pictures.
        out: Of the results; nothing in it counts.

    Raises:
        InputError: There are no pictures, or both are one folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: name a folder of pictures")
    if folder.resolve() == out.resolve():
        raise InputError(f"{out} holds the pictures to paint: choose another folder with -o")
    files, passed = search(folder, out)
    if not files:
        over = f" (passed over: {in_words(passed)})" if passed else ""
        raise InputError(f"{folder} holds no pictures to paint{over}: name another folder")
    return Found(tuple(Path(file).relative_to(folder).as_posix() for file in files), passed)


def _outputs(pictures: Iterable[str], ending: str, bits: int = 8) -> dict[str, str]:
    """The painted file of each picture, of which no two are alike.

    A name depends on its picture's alone, so that a picture more in the folder changes none of
    the others; but for pictures whose names differ in case only, which get a number of their own.
    """
    named = {picture: renamed(picture, ending, bits) for picture in pictures}
    many = Counter(map(_folded, named.values()))
    return {
        picture: _numbered(picture, output) if many[_folded(output)] > 1 else output
        for picture, output in named.items()
    }


def renamed(picture: str, ending: str = "", bits: int = 8) -> str:
    """A picture's path with the ending of its painted file; never the same for two pictures.

    Where the ending changes, the old one stays as a part of the name; where it is no picture's, the
    whole name does.

    Args:
        picture: A path with slashes.
        ending: Such as ``.png``; empty is the picture's own, or PNG where nobody writes that, or
            not with so many bits.
        bits: A channel: 8 or 16.

    Example:
        >>> renamed("a/b.jpg"), renamed("a/b.gif"), renamed("a/b.jpg", ".png"), renamed("b.dat")
        ('a/b.jpg', 'a/b~gif.png', 'a/b~jpg.png', 'b.dat~.png')
    """
    path = PurePosixPath(picture)
    written = DEEP_SUFFIXES if bits == 16 else WRITE_SUFFIXES
    ending = ending or (path.suffix if path.suffix.lower() in written else ".png")
    if path.suffix.lower() not in READ_SUFFIXES:
        return str(path.with_name(f"{path.name}{_MARK}{ending}"))
    _, mark, tail = path.stem.rpartition(_MARK)
    # what looks like a name or an ending that was kept would be taken for one
    ambiguous = bool(mark) and (not tail or f".{tail.lower()}" in READ_SUFFIXES)
    if path.suffix == ending and not ambiguous:
        return picture
    return str(path.with_name(f"{path.stem}{_MARK}{path.suffix[1:]}{ending}"))


def _numbered(picture: str, output: str) -> str:
    path = PurePosixPath(output)
    number = hashlib.sha256(picture.encode(errors="surrogateescape")).hexdigest()[:8]
    return str(path.with_name(f"{path.stem}{_MARK}{number}{path.suffix}"))


def _folded(path: str) -> str:
    """A path as a file system sees it that ignores case."""
    return unicodedata.normalize("NFC", path).casefold()


def _drawn(job: Job, picture: str, output: str) -> Item:
    """A style and a seed for a picture, whatever else is in the folder."""
    text = f"{job.controls.seed}\n{picture}"
    number = int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:16])
    seed, draw = divmod(number, 1 << 64)
    return Item(picture, draw % len(job.styles), seed >> 1, output)


def _check(items: Iterable[Item], job: Job, out: Path) -> None:
    """Refuse results that would take the place of a picture, a painting or the job's own files."""
    folder = Path(job.folder).resolve()
    given = {folder / item.picture for item in items}
    given |= {Path(style.source) for style in job.styles if style.digest}
    whole = out.resolve()
    for item in items:
        if whole / item.output in given:
            raise InputError(f"{whole / item.output} would be painted over: choose another folder")
        if _folded(item.output.partition("/")[0]) in {JOB, MANIFEST}:
            raise InputError(f"{item.output} bears a name that the job needs: rename that folder")
