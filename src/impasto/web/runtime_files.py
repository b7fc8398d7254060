"""Find onnxruntime-web, the ONNX Runtime for browsers, or let npm download it.

``npm/package-lock.json`` pins its version and the hash of its archive. Only the files that the page
loads are kept, in the user's cache.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from impasto.errors import InputError
from impasto.nn.vgg_weights import cache_dir

NAME = "onnxruntime-web"
# with WebAssembly only; and with WebGPU, whose WebAssembly is twice as large
PROCESSOR = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
GRAPHICS = (
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)


def pinned() -> dict[str, Any]:
    """Return the entry of the lock file: ``version``, ``integrity``, ``license``."""
    lock = resources.files("impasto") / "web" / "npm" / "package-lock.json"
    entry: dict[str, Any] = json.loads(lock.read_text())["packages"][f"node_modules/{NAME}"]
    return entry


def cached() -> Path:
    """Return the folder of the cache for the pinned version; it may not exist yet."""
    return cache_dir() / NAME / str(pinned()["version"])


def find(folder: Path | None = None) -> Path:
    """Return the folder with the files of the pinned onnxruntime-web.

    Args:
        folder: A folder of the npm package, such as ``node_modules/onnxruntime-web``; None is the
            cache.

    Raises:
        InputError: It is not there, of another version, or incomplete.
    """
    version = pinned()["version"]
    if folder is None:
        if all((cached() / name).is_file() for name in (*PROCESSOR, *GRAPHICS)):
            return cached()
        raise InputError(
            f"the page needs {NAME} {version}, which is not here: add `npm` to let npm download "
            f"it (33 MB), or name the folder of that package in `onnxruntime_web`"
        )
    try:
        found = json.loads((folder / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder} is no folder of the npm package {NAME} {version}") from error
    if found != version:
        raise InputError(f"{folder} has {NAME} {found}: this version of Impasto needs {version}")
    for name in (*PROCESSOR, *GRAPHICS):
        if not (folder / "dist" / name).is_file():
            raise InputError(f"{folder} lacks dist/{name}: install {NAME} {version} again")
    return folder / "dist"


def fetch() -> Path:
    """Let npm download the pinned onnxruntime-web into the cache, and return its folder there.

    Raises:
        InputError: npm is missing or fails, or the archive is not the pinned one.
    """
    version, npm = pinned()["version"], shutil.which("npm")
    if npm is None:
        raise InputError(
            f"npm is not installed: install Node.js, or unpack {NAME} {version} elsewhere and name "
            f"its folder in `onnxruntime_web`"
        )
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            [npm, "pack", f"{NAME}@{version}", "--ignore-scripts", "--pack-destination", place],
            capture_output=True,
            text=True,
            check=False,
        )
        archives = list(Path(place).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InputError(f"npm could not download {NAME} {version} ({last})")
        return _unpack(archives[0])


def _unpack(archive: Path) -> Path:
    """Copy the files that the page needs from the archive of the npm package into the cache.

    Raises:
        InputError: Its hash is not the pinned one, or the cache cannot be written.
    """
    if _hash(archive.read_bytes()) != pinned()["integrity"]:
        raise InputError(f"npm gave an archive that is not {NAME} {pinned()['version']}: its hash")
    target = cached()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as place, tarfile.open(archive) as tar:
            for name in (*PROCESSOR, *GRAPHICS):
                member = tar.extractfile(f"package/dist/{name}")
                assert member is not None  # the hash says that these are files
                (Path(place) / name).write_bytes(member.read())
            target.mkdir(exist_ok=True)
            for name in (*PROCESSOR, *GRAPHICS):
                (Path(place) / name).replace(target / name)
    except OSError as error:
        reason = f"{error.strerror}: name another place in IMPASTO_CACHE"
        raise InputError(f"{target} cannot be written ({reason})") from error
    return target


def _hash(content: bytes) -> str:
    """Return the SHA-512 of a file as lock files of npm write it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
