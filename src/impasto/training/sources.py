"""Find training images in a folder, a list of files, or shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from impasto.errors import InputError, check_range
from impasto.image import READ_SUFFIXES
from impasto.image.kinds import EMPTY, OTHER, TEXT, explain_unreadable

SUFFIXES = READ_SUFFIXES
HIDDEN = "hidden file or folder"

# Formats that an installation may not support: such files are inspected before they are accepted.
_OPTIONAL = {".avif", ".heic", ".heif", ".hif"}

# Larger files are rejected; no photo comes near this size.
_MOST_BYTES = 1 << 30


class Member(NamedTuple):
    """Position of an image inside a shard.

    Attributes:
        shard: Path of the tar file.
        start: Offset of the image in it, in bytes.
        length: Length of the image file, in bytes.
    """

    shard: str
    start: int
    length: int


@dataclass(frozen=True)
class Source:
    """Training images, and how crops are cut from them.

    Attributes:
        files: Paths of the images; for shards, names for messages (``photos-0000.tar/0001.jpg``).
        crop: Side S of the square crops, in pixels.
        zoom: Largest scale, 1 or more. For each crop the image's short side is resized to a length
            drawn uniformly in [crop, zoom * crop], but not above its own length, since enlarging
            adds nothing to learn from; an image smaller than the crop is enlarged to it. 1 always
            shows the whole short side.
        flip: Whether half of the crops are mirrored horizontally.
        members: For shards the position of each image; empty if ``files`` are paths.
        repeat: Number of consecutive training steps that get the same crops.
        passed: Number of files of a folder that were skipped, by kind.

    Raises:
        InputError: There are no files, or a value is out of range.
    """

    files: tuple[str, ...]
    crop: int = 256
    zoom: float = 1.5
    flip: bool = True
    members: tuple[Member, ...] = ()
    repeat: int = 1
    passed: Mapping[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Raise an error for values out of range, or if there are no files."""
        if not self.files:
            raise InputError("there are no pictures to train on: give some files")
        check_range(1, crop=self.crop, zoom=self.zoom, repeat=self.repeat)

    def read(self, index: int) -> bytes:
        """Return the content of one image file.

        Args:
            index: Index of the image.

        Raises:
            InputError: The file cannot be read, is too large or cut short.
        """
        name = self.files[index]
        path, start, length = self.members[index] if self.members else Member(name, 0, -1)
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
    """Images that were found, and files that were skipped.

    Attributes:
        files: Paths of the images; those of a folder are sorted.
        passed: Number of files and links that were skipped, by kind.
    """

    files: tuple[str, ...]
    passed: Mapping[str, int]


def image_paths(source: str | Path) -> tuple[str, ...]:
    """Return the paths of the images in a folder or a list; see :func:`find_images`."""
    return find_images(source).files


def find_images(source: str | Path) -> Found:
    """Find the images of a folder, of a list, or a single image.

    Args:
        source: A folder, see :func:`search`; or a text file with one path per line, relative to the
            folder of the text file, where blank lines and lines that begin with ``#`` are ignored;
            or one image.

    Raises:
        InputError: The path does not exist, or has no images.
    """
    path = Path(source)
    if path.is_dir():
        found = search(path)
    elif path.is_file():
        found = Found(_read_list(path, why) if (why := _why_no_image(path)) else (str(path),), {})
    else:
        raise InputError(f"{source}: there is no such folder, list or shard of pictures")
    if not found.files:
        over = f" (passed over: {describe_skipped(found.passed)})" if found.passed else ""
        raise InputError(f"{source} holds no pictures{over}: put some in, or name another place")
    return found


def search(folder: Path, besides: Path | None = None) -> Found:
    """Search a folder recursively for images, by the content of the files.

    A file with the suffix of an image is always listed: if it is broken, reading it reports that.
    Links are followed, and each folder is entered once.

    Args:
        folder: Hidden files and folders in it are skipped.
        besides: A folder of results: files in it are ignored, unless ``folder`` itself is inside.
    """
    files: list[str] = []
    passed: Counter[str] = Counter()
    for file, why in _walk(folder, besides and besides.resolve()):
        if why := why or _why_no_image(file):
            passed[why] += 1
        else:
            files.append(str(file))
    return Found(tuple(sorted(files)), dict(sorted(passed.items())))


def search_flat(folder: Path) -> Found:
    """Search a folder as :func:`search` does, without its subfolders."""
    files: list[str] = []
    passed: Counter[str] = Counter()
    for entry in sorted(folder.iterdir()):
        if why := _why_skipped(entry) or ("" if entry.is_dir() else _why_no_image(entry)):
            passed[why] += 1
        elif not entry.is_dir():
            files.append(str(entry))
    return Found(tuple(files), dict(sorted(passed.items())))


def sum_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of counts by kind."""
    return dict(sum(map(Counter, counts), Counter()))


def describe_skipped(passed: Mapping[str, int]) -> str:
    """Return counts by kind as text.

    Example:
        >>> describe_skipped({"text file": 2, "video": 1})
        '2 x text file, 1 x video'
    """
    return ", ".join(f"{count} x {kind}" for kind, count in passed.items())


def _why_no_image(file: Path) -> str:
    """Return the kind of a file that is no image; empty if it may be one."""
    suffix = file.suffix.lower()
    return "" if suffix in SUFFIXES and suffix not in _OPTIONAL else explain_unreadable(file)


def _why_skipped(entry: Path) -> str:
    """Return why an entry of a folder is no readable file or folder; empty if it is one."""
    try:
        if entry.name.startswith("."):
            return HIDDEN
        if entry.is_dir() or entry.is_file():
            return ""
        if not entry.is_symlink():
            return "device or pipe"
        return "dangling link" if not entry.exists() else "link to a device or pipe"
    except OSError:  # the folder may be listed but not entered
        return "file that cannot be opened"


def _walk(folder: Path, besides: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield each file or skipped entry, with the reason to skip it if known without reading it."""
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
            why = _why_skipped(entry)
            if why or not entry.is_dir():
                yield entry, why
                continue
            real = entry.resolve()
            if apart is not None and real.is_relative_to(apart):
                continue
            # Folders inside the searched folder are entered directly, not through links.
            linked = entry.is_symlink() or not inside
            if real in seen or (linked and real.is_relative_to(root)):
                yield entry, "link to a folder that is read already"
            elif linked and root.is_relative_to(real):
                yield entry, "link to a folder around this one"
            else:
                seen.add(real)
                waiting.append(entry)


def _read_list(path: Path, why: str) -> tuple[str, ...]:
    """Return the paths in a text file.

    Args:
        path: The file.
        why: Its kind; only text, empty and unknown files are read.

    Raises:
        InputError: The file is no text file.
    """
    hint = "write a path on each line"
    if why not in {TEXT, EMPTY, OTHER}:
        raise InputError(f"{path} is no picture and no list of pictures ({why}): {hint}")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no list of pictures: {hint}") from error
    return tuple(str(path.parent / line) for line in lines if line and not line.startswith("#"))
