"""Where pictures to train on come from: a folder, a list of files, or shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from impasto.errors import InputError
from impasto.image import READ_SUFFIXES

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
        repeat: Number of training steps in a row that get the same crops.

    Raises:
        InputError: There are no files, or a number makes no sense.
    """

    files: tuple[str, ...]
    crop: int = 256
    zoom: float = 1.5
    flip: bool = True
    members: tuple[Member, ...] = ()
    repeat: int = 1

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
        files = sorted(str(file) for file in path.rglob("*") if _is_picture(file, path))
    elif path.is_file():
        files = [str(path)] if path.suffix.lower() in SUFFIXES else _listed(path)
    else:
        raise InputError(f"{place}: there is no such folder, list or shard of pictures")
    if not files:
        raise InputError(f"{place} holds no pictures: it needs some of {', '.join(SUFFIXES)}")
    return tuple(files)


def _is_picture(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.suffix.lower() in SUFFIXES and file.is_file()


def _listed(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no list of pictures: write a path on each line") from error
    return [str(path.parent / line) for line in lines if line and not line.startswith("#")]
