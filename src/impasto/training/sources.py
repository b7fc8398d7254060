"""Where pictures to train on come from: a folder, a list of files, or shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from impasto.errors import InputError
from impasto.image import READ_SUFFIXES
from impasto.image.kinds import EMPTY, OTHER, TEXT, why_not

SUFFIXES = READ_SUFFIXES
HIDDEN = "hidden file or folder"

# Of formats that an installation may lack: such a file is looked at before it is taken.
_OPTIONAL = {".avif", ".heic", ".heif", ".hif"}

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
        repeat: Number of training steps in a row that get the same crops.
        passed: How many files of a folder were passed over, by kind.

    Raises:
        InputError: There are no files, or a number makes no sense.
    """

    files: tuple[str, ...]
    crop: int = 256
    zoom: float = 1.5
    flip: bool = True
    members: tuple[Member, ...] = ()
    repeat: int = 1
    passed: Mapping[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Refuse what makes no crops."""
        if not self.files:
            raise InputError("there are no pictures to train on: give some files")
        if self.crop < 1:
            raise InputError(f"crop is {self.crop}: it must be 1 or more")
        if not 1 <= self.zoom < float("inf"):
            raise InputError(f"zoom is {self.zoom}: it must be 1 or more")
        if self.repeat < 1:
            raise InputError(f"repeat is {self.repeat}: it must be 1 or more")

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


class Found(NamedTuple):
    """What a place holds.

    Attributes:
        files: Its pictures; those of a folder sorted.
        passed: How many files and links of a folder were passed over, by kind.
    """

    files: tuple[str, ...]
    passed: Mapping[str, int]


def find(place: str | Path) -> tuple[str, ...]:
    """The picture files of a place; see :func:`look`."""
    return look(place).files


def look(place: str | Path) -> Found:
    """The picture files of a folder, of a list, or one picture.

    Args:
        place: A folder, see :func:`search`; or a text file with a path on each line, relative to
            the list's own folder, where blank lines and lines that begin with ``#`` count for
            nothing; or one picture.

    Raises:
        InputError: There is no such place, or no picture in it.
    """
    path = Path(place)
    if path.is_dir():
        found = search(path)
    elif path.is_file():
        found = Found(_listed(path, why) if (why := _why_not(path)) else (str(path),), {})
    else:
        raise InputError(f"{place}: there is no such folder, list or shard of pictures")
    if not found.files:
        over = f" (passed over: {in_words(found.passed)})" if found.passed else ""
        raise InputError(f"{place} holds no pictures{over}: put some in, or name another place")
    return found


def search(folder: Path, besides: Path | None = None) -> Found:
    """Search a folder, with all folders in it, for pictures by what files hold.

    A file whose ending is a picture's is taken as one in any case: if it is broken, who reads it
    says so. Links are followed, each folder is entered once.

    Args:
        folder: Hidden files and folders in it are passed over.
        besides: A folder of results, wherever it lies: nothing in it counts, unless the whole
            search is inside of it.
    """
    files: list[str] = []
    passed: Counter[str] = Counter()
    for file, why in _walk(folder, besides and besides.resolve()):
        if why := why or _why_not(file):
            passed[why] += 1
        else:
            files.append(str(file))
    return Found(tuple(sorted(files)), dict(sorted(passed.items())))


def flat(folder: Path) -> Found:
    """Search a folder as :func:`search` does, but none of the folders in it."""
    files: list[str] = []
    passed: Counter[str] = Counter()
    for entry in sorted(folder.iterdir()):
        if why := _refused(entry) or ("" if entry.is_dir() else _why_not(entry)):
            passed[why] += 1
        elif not entry.is_dir():
            files.append(str(entry))
    return Found(tuple(files), dict(sorted(passed.items())))


def together(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sums of counts by kind."""
    return dict(sum(map(Counter, counts), Counter()))


def in_words(passed: Mapping[str, int]) -> str:
    """Counts by kind as text.

    Example:
        >>> in_words({"text file": 2, "video": 1})
        '2 x text file, 1 x video'
    """
    return ", ".join(f"{count} x {kind}" for kind, count in passed.items())


def _why_not(file: Path) -> str:
    """What keeps a file from being taken as a picture; empty if nothing does."""
    suffix = file.suffix.lower()
    return "" if suffix in SUFFIXES and suffix not in _OPTIONAL else why_not(file)


def _refused(entry: Path) -> str:
    """Why an entry of a folder is neither file nor folder that is looked at; empty if it is."""
    try:
        if entry.name.startswith("."):
            return HIDDEN
        if entry.is_dir() or entry.is_file():
            return ""
        if not entry.is_symlink():
            return "device or pipe"
        return "dangling link" if not entry.exists() else "link to a device or pipe"
    except OSError:  # a folder that may be listed but not entered
        return "file that cannot be opened"


def _walk(folder: Path, besides: Path | None) -> Iterator[tuple[Path, str]]:
    """Every file, and what is passed over, with the reason if it is known without reading."""
    root = folder.resolve()
    apart = None if besides is None or root.is_relative_to(besides) else besides
    seen = {root}
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        inside = here.resolve().is_relative_to(root)
        try:
            entries = sorted(here.iterdir())
        except OSError:
            yield here, "folder that cannot be opened"
            continue
        for entry in entries:
            why = _refused(entry)
            if why or not entry.is_dir():
                yield entry, why
                continue
            real = entry.resolve()
            if apart is not None and real.is_relative_to(apart):
                continue
            # folders of the tree itself are entered by their own names
            linked = entry.is_symlink() or not inside
            if real in seen or (linked and real.is_relative_to(root)):
                yield entry, "link to a folder that is read already"
            elif linked and root.is_relative_to(real):
                yield entry, "link to a folder around this one"
            else:
                seen.add(real)
                waiting.append(entry)


def _listed(path: Path, why: str) -> tuple[str, ...]:
    """The paths in a list; a file that is ``why`` is none, unless that is text."""
    hint = "write a path on each line"
    if why not in {TEXT, EMPTY, OTHER}:
        raise InputError(f"{path} is no picture and no list of pictures ({why}): {hint}")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no list of pictures: {hint}") from error
    return tuple(str(path.parent / line) for line in lines if line and not line.startswith("#"))
