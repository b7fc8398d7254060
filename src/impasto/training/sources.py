"""Where pictures to train on come from: a folder, a list of files, or shards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from impasto.errors import InputError
from impasto.image import READ_SUFFIXES
from impasto.image.kinds import why_not

SUFFIXES = READ_SUFFIXES

# Far above any photo; a file beyond it is no picture to train on.
_MOST_BYTES = 1 << 30


class Member(NamedTuple):
    """Where a picture lies inside a shard.

    Attributes:
        shard: The tar file.
        start: The picture's first byte in it.
        length: Its bytes.
    """

    shard: str
    start: int
    length: int


@dataclass(frozen=True)
class Source:
    """Pictures, and what is cut out of them.

    Attributes:
        files: The pictures; of shards, names for people (``photos-0000.tar/0001.jpg``).
        crop: Side S of the square that is cut out, in pixels.
        zoom: How far away a picture is seen at most. For each crop the picture's short side is
            resized to a length drawn uniformly in [crop, zoom * crop], but not above its own
            length, since enlarging adds nothing to learn from; a picture smaller than the crop is
            enlarged to it. 1 always shows the whole short side.
        flip: Whether half of the crops are mirrored.
        members: Of shards, where each picture lies; empty where ``files`` are files.

    Raises:
        InputError: There are no files, or a number makes no sense.
    """

    files: tuple[str, ...]
    crop: int = 256
    zoom: float = 1.5
    flip: bool = True
    members: tuple[Member, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what makes no crops."""
        if not self.files:
            raise InputError("there are no pictures to train on: give some files")
        if self.crop < 1:
            raise InputError(f"crop is {self.crop}: it must be 1 or more")
        if not 1 <= self.zoom < float("inf"):
            raise InputError(f"zoom is {self.zoom}: it must be 1 or more")

    def read(self, place: int) -> bytes:
        """The bytes of one picture's file.

        Raises:
            InputError: It cannot be read.
        """
        name = self.files[place]
        path, start, length = self.members[place] if self.members else Member(name, 0, -1)
        most = _MOST_BYTES if length < 0 else length
        try:
            with open(path, "rb") as file:
                file.seek(start)
                data = file.read(min(most, _MOST_BYTES) + (length < 0))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise InputError(f"cannot read {name}: {error}") from error
        if len(data) > _MOST_BYTES or len(data) < length:
            raise InputError(f"{name} is too large or cut short")
        return data


def find(place: str | Path) -> tuple[str, ...]:
    """The picture files of a folder, sorted, or of a list.

    Args:
        place: A folder, searched with all folders in it, hidden files left out; or a text file
            with a path on each line, relative to the list's own folder, where blank lines and
            lines that begin with ``#`` count for nothing; or one picture.

    Raises:
        InputError: There is no such place, or no picture in it.
    """
    path = Path(place)
    if path.is_dir():
        files = list(search(path).files)
    elif path.is_file():
        files = [str(path)] if not _why_not(path) else _listed(path)
    else:
        raise InputError(f"{place}: there is no such folder, list or shard of pictures")
    if not files:
        raise InputError(f"{place} holds no pictures: it needs some of {', '.join(SUFFIXES)}")
    return tuple(files)


class Found(NamedTuple):
    """What a folder holds.

    Attributes:
        files: Its pictures, sorted.
        passed: How many files and links were passed over, by kind.
    """

    files: tuple[str, ...]
    passed: dict[str, int]


def search(folder: Path, besides: Path | None = None) -> Found:
    """Search a folder and all folders in it, linked ones too, for pictures of any ending.

    Args:
        folder: Hidden files and folders in it are passed over.
        besides: A folder that is none of its own, wherever it lies; nothing in it counts.
    """
    files: list[str] = []
    passed: Counter[str] = Counter()
    for file, why in _walk(folder, besides and besides.resolve()):
        if why := why or _why_not(file):
            passed[why] += 1
        else:
            files.append(str(file))
    return Found(tuple(sorted(files)), dict(sorted(passed.items())))


def _why_not(file: Path) -> str:
    """What keeps a file from being a picture; one that claims to be one is tried in any case."""
    return "" if file.suffix.lower() in SUFFIXES else why_not(file)


def _walk(folder: Path, besides: Path | None) -> Iterator[tuple[Path, str]]:
    """Every file and link that leads nowhere, with why it is passed over if that is known."""
    root = folder.resolve()
    seen = {root}
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(here.iterdir())
        except OSError:
            yield here, "folder that cannot be opened"
            continue
        for entry in entries:
            if entry.name.startswith("."):
                yield entry, "hidden file or folder"
            elif entry.is_dir():
                real = Path(os.path.realpath(entry))
                # each folder once; those of the tree itself by their own names
                around = real.is_relative_to(root) or root.is_relative_to(real)
                if real == besides:
                    continue
                linked = entry.is_symlink() or not here.resolve().is_relative_to(root)
                if real in seen or (linked and around):
                    yield entry, "link to a folder that is read already"
                else:
                    seen.add(real)
                    waiting.append(entry)
            elif entry.is_file():
                yield entry, ""
            else:
                yield entry, "dangling link" if entry.is_symlink() else "device or pipe"


def _listed(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no list of pictures: write a path on each line") from error
    return [str(path.parent / line) for line in lines if line and not line.startswith("#")]
