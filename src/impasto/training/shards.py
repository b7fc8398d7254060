"""Read WebDataset shards: tar files of samples, whose files share a name up to the first dot.

Training reads its images by index, so that it can resume, and so that any number of processes sees
the same order; the library ``webdataset`` only streams. So the shards' tables of contents are read
once, by the library's naming rules, and each image is read by its offset in the tar file.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

from impasto.errors import InputError, MissingExtraError
from impasto.training.sources import SUFFIXES, Member


def is_shards(place: str | Path) -> bool:
    """Check whether a path is named like shards.

    Example:
        >>> is_shards("photos-{0000..0009}.tar"), is_shards("photos.tar"), is_shards("photos")
        (True, True, False)
    """
    name = str(place).lower()
    return name.endswith((".tar", ".tar.gz", ".tgz")) and not Path(place).is_dir()


def index(places: str) -> tuple[tuple[str, ...], tuple[Member, ...]]:
    """List the images of shards, in the order of the shards.

    Args:
        places: A tar file, or several in brace notation: ``photos-{0000..0009}.tar``.

    Returns:
        Names of the images for messages, and the position of each in its shard.

    Raises:
        InputError: A shard is missing, damaged, compressed or remote, or none contains an image.
        MissingExtraError: The library ``webdataset`` is not installed.
    """
    naming = _library()
    if "://" in places or places.startswith("pipe:"):
        raise InputError(f"{places} is not on this machine: download the shards first")
    files: list[str] = []
    members: list[Member] = []
    for shard in [places] if Path(places).is_file() else naming.expand_urls(places):
        for name, member in _contents(shard, naming):
            files.append(name)
            members.append(member)
    if not files:
        raise InputError(f"{places} holds no pictures: name shards with files such as 0001.jpg")
    return tuple(files), tuple(members)


def _library() -> Any:
    try:
        import webdataset.shardlists
        import webdataset.tariterators
    except ImportError as error:
        raise MissingExtraError("training on shards", "train") from error

    class Naming:
        expand_urls = staticmethod(webdataset.shardlists.expand_urls)
        split = staticmethod(webdataset.tariterators.base_plus_ext)

    return Naming


def _contents(shard: str, naming: Any) -> list[tuple[str, Member]]:
    if shard.lower().endswith("gz"):
        raise InputError(f"{shard} is packed: unpack it to a .tar, of which any part can be read")
    try:
        with tarfile.open(shard, "r:") as tar:
            return [
                (f"{shard}/{entry.name}", Member(shard, entry.offset_data, entry.size))
                for entry in tar
                if entry.isreg() and _is_picture(entry.name, naming)
            ]
    except FileNotFoundError as error:
        raise InputError(f"{shard}: there is no such shard") from error
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(
            f"{shard} is no sound tar file ({error}): make or fetch it anew"
        ) from error


def _is_picture(name: str, naming: Any) -> bool:
    """Check whether a file is its sample's image: ``1.jpg`` is, ``1.mask.png`` is not."""
    key, extension = naming.split(name)
    if not key or name.startswith("__"):  # metadata of the shard
        return False
    return f".{extension.lower()}" in SUFFIXES
