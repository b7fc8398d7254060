"""Plan a job: choose the style of each image and the name of its result."""

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
from impasto.training.sources import Found, describe_skipped, search

JOB, MANIFEST = "batch.json", "manifest.jsonl"

_MARK = "~"


@dataclass(frozen=True)
class Item:
    """One image in one style.

    Attributes:
        picture: Its path in the job's folder, with slashes.
        style: Its index in the job's styles.
        seed: Seed of all random numbers.
        output: The result's path in the folder of the results, with slashes.
    """

    picture: str
    style: int
    seed: int
    output: str


def plan(job: Job, out: Path, found: Sequence[str] | None = None) -> list[Item]:
    """List all items of a job, ordered by style, so that few styles are in memory at once.

    Args:
        job: The job.
        out: The folder of the results; images in it are not stylized.
        found: The images, see :func:`pictures`; None searches for them.

    Raises:
        InputError: There are no images, or a result would overwrite one.
    """
    names = pictures(Path(job.folder), out).files if found is None else found
    outputs = _outputs(names, job.ending, job.bits)
    if job.random:
        items = [_random_item(job, picture, outputs[picture]) for picture in names]
        items.sort(key=lambda item: item.style)  # stable: the images stay in order
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
    """List the images to stylize, as sorted paths in the folder, and count the other files.

    Args:
        folder: Of the images.
        out: Of the results, which is not searched.

    Raises:
        InputError: There are no images, or both are one folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: name a folder of pictures")
    if folder.resolve() == out.resolve():
        raise InputError(f"{out} holds the pictures to paint: choose another folder with -o")
    files, passed = search(folder, out)
    if not files:
        over = f" (passed over: {describe_skipped(passed)})" if passed else ""
        raise InputError(f"{folder} holds no pictures to paint{over}: name another folder")
    return Found(tuple(Path(file).relative_to(folder).as_posix() for file in files), passed)


def _outputs(pictures: Iterable[str], ending: str, bits: int = 8) -> dict[str, str]:
    """Return a unique output path for each image.

    A name depends on its image's alone, so that another image in the folder does not change it.
    Only images whose names differ in case alone get a number, derived from their names.
    """
    named = {picture: output_name(picture, ending, bits) for picture in pictures}
    many = Counter(map(_fold_case, named.values()))
    return {
        picture: _numbered(picture, output) if many[_fold_case(output)] > 1 else output
        for picture, output in named.items()
    }


def output_name(picture: str, ending: str = "", bits: int = 8) -> str:
    """Return an image's path with the ending of its result; unique for each image.

    If the ending changes, the old one becomes part of the name; if the old one is not that of an
    image, the whole name does.

    Args:
        picture: A path with slashes.
        ending: Such as ``.png``; empty is the image's own, or PNG if that format cannot be written,
            or not with this bit depth.
        bits: Bits per channel: 8 or 16.

    Example:
        >>> [output_name(name) for name in ("a/b.jpg", "a/b.gif", "b.dat")]
        ['a/b.jpg', 'a/b~gif.png', 'b.dat~.png']
        >>> output_name("a/b.jpg", ".png")
        'a/b~jpg.png'
    """
    path = PurePosixPath(picture)
    written = DEEP_SUFFIXES if bits == 16 else WRITE_SUFFIXES
    ending = ending or (path.suffix if path.suffix.lower() in written else ".png")
    if path.suffix.lower() not in READ_SUFFIXES:
        return str(path.with_name(f"{path.name}{_MARK}{ending}"))
    _, mark, tail = path.stem.rpartition(_MARK)
    # such a name could also result from renaming another file
    ambiguous = bool(mark) and (not tail or f".{tail.lower()}" in READ_SUFFIXES)
    if path.suffix == ending and not ambiguous:
        return picture
    return str(path.with_name(f"{path.stem}{_MARK}{path.suffix[1:]}{ending}"))


def _numbered(picture: str, output: str) -> str:
    path = PurePosixPath(output)
    number = hashlib.sha256(picture.encode(errors="surrogateescape")).hexdigest()[:8]
    return str(path.with_name(f"{path.stem}{_MARK}{number}{path.suffix}"))


def _fold_case(path: str) -> str:
    """Normalize a path as a file system does that ignores case."""
    return unicodedata.normalize("NFC", path).casefold()


def _random_item(job: Job, picture: str, output: str) -> Item:
    """Draw a style and a seed for an image, independently of other files in the folder."""
    text = f"{job.controls.seed}\n{picture}"
    number = int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:16])
    seed, draw = divmod(number, 1 << 64)
    return Item(picture, draw % len(job.styles), seed >> 1, output)


def _check(items: Iterable[Item], job: Job, out: Path) -> None:
    """Check that no result overwrites an image, a style image or the job's own files."""
    folder = Path(job.folder).resolve()
    given = {folder / item.picture for item in items}
    given |= {Path(style.source) for style in job.styles if style.digest}
    whole = out.resolve()
    for item in items:
        if whole / item.output in given:
            raise InputError(f"{whole / item.output} would be painted over: choose another folder")
        if _fold_case(item.output.partition("/")[0]) in {JOB, MANIFEST}:
            raise InputError(f"{item.output} bears a name that the job needs: rename that folder")
