"""Write the folder of the page: its own files, the runtime, the models, a table of all of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from impasto.core.progress import Callback, Progress, silent
from impasto.errors import CancelledError, InputError
from impasto.image import samples
from impasto.web import graphs, models, runtime_files

STROKES = 512  # pixels; long edge of a picture for which the networks' strokes have the right size
_SAMPLE, _SAMPLE_EDGE = "coffee", 640
_MARK = "files.js"  # every folder of this module has it
_LATER = "models/", "runtime/", "thumbnails/"  # the page asks for these when it needs them


@dataclass(frozen=True)
class Built:
    """A written folder.

    Attributes:
        path: The folder.
        sizes: Bytes of each file, by its path in the folder.
    """

    path: Path
    sizes: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return the size of the folder in bytes."""
        return sum(self.sizes.values())

    @property
    def first_visit(self) -> int:
        """Return the bytes that a first visit transfers, with the first model and no WebGPU."""
        first = json.loads((self.path / "models.json").read_text())["models"][0]["folder"]
        skipped = [f"runtime/{name}{end}" for name in runtime_files.GRAPHICS for end in ("", ".gz")]
        return sum(
            size
            for name, size in self.sizes.items()
            if name not in skipped and (not name.startswith("models/") or name.startswith(first))
        )


def build(
    output: Path,
    styles: Sequence[str] = (models.DEFAULT,),
    *,
    onnxruntime_web: Path | None = None,
    npm: bool = False,
    overwrite: bool = False,
    callback: Callback = silent,
) -> Built:
    """Write a folder of static files that stylizes photos in the visitor's browser.

    Args:
        output: The folder, which must not exist yet.
        styles: See :func:`impasto.web.models.choose`.
        onnxruntime_web: A folder of the npm package of that name; None is the cache.
        npm: Let npm download that package if the cache does not have it.
        overwrite: Replace a folder that this function has written.
        callback: Called after every step; nothing is written if it cancels.

    Raises:
        CancelledError: The callback cancelled.
        ImpastoError: A model cannot be exported.
        InputError: The folder exists or cannot be written, a style is unknown or cannot be painted
            by the page, or onnxruntime-web is missing.
        MissingExtraError: The libraries of the extra ``onnx`` are not installed.
    """
    _check(output, overwrite=overwrite)
    chosen = models.choose(styles)
    runtime = _runtime(onnxruntime_web, npm=npm)
    files = _own_files()
    table: dict[str, list[Any]] = {"models": [], "styles": []}
    for step, (path, choices) in enumerate(chosen.items()):
        _report(callback, Progress(step, len(chosen), stage=f"exporting {path.stem}"))
        files |= _model(f"models/{step}-{path.stem}", path, choices, table)
    files["models.json"] = json.dumps(table, ensure_ascii=False, indent=1).encode()
    files |= _runtime_files(runtime)
    files[_MARK] = _list(files)
    _write(output, files)
    return Built(output, {name: len(content) for name, content in sorted(files.items())})


def _report(callback: Callback, progress: Progress) -> None:
    callback(progress)
    if progress.cancelled:
        raise CancelledError("cancelled, nothing written")


def _check(output: Path, *, overwrite: bool) -> None:
    """Raise :class:`InputError` if the folder may not be written."""
    if not output.exists():
        return
    if not (output / _MARK).is_file():
        raise InputError(f"{output} exists: name a folder that is not there yet")
    if not overwrite:
        raise InputError(f"{output} is such a page already: add `overwrite` to replace it")


def _runtime(folder: Path | None, *, npm: bool) -> Path:
    """Return the folder of onnxruntime-web's files.

    Raises:
        InputError: See :mod:`impasto.web.runtime_files`.
    """
    if folder is not None or not npm:
        return runtime_files.find(folder)
    try:
        return runtime_files.find()
    except InputError:
        return runtime_files.fetch()


def _own_files() -> dict[str, bytes]:
    """Return the static files of the page, and the sample photo."""
    static = resources.files("impasto") / "web" / "static"
    found = {one.name: one.read_bytes() for one in static.iterdir() if one.is_file()}
    picture = samples.photo(_SAMPLE).pil().convert("RGB")
    picture.thumbnail((_SAMPLE_EDGE, _SAMPLE_EDGE))
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=88)
    return {**found, "sample.jpg": buffer.getvalue()}


def _model(
    folder: str, path: Path, choices: Sequence[models.Choice], table: dict[str, list[Any]]
) -> dict[str, bytes]:
    """Return the files of a model, and add it and its styles to the table."""
    facts, made = models.exported(path)
    files = {f"{folder}/{graphs.WEIGHTS}.gz": _packed(made.weights)}
    files |= {f"{folder}/{name}.onnx.gz": _packed(one) for name, one in made.graphs.items()}
    index = len(table["models"])
    table["models"].append(
        {
            "folder": folder,
            "styles": len(facts["styles"]) if "weights" in made.inputs else 0,
            "multiple": facts["multiple"],
            "smallest": facts["smallest"],
            "strokes": STROKES,
            "channels": made.channels,
            "reach": made.reach,
            "bytes": len(files[f"{folder}/{graphs.WEIGHTS}.gz"]),
        }
    )
    for one in choices:
        entry = {"name": one.name, "title": one.title, "model": index, "index": one.index}
        if one.thumbnail:
            entry["thumbnail"] = f"thumbnails/{one.name}.jpg"
            files[f"thumbnails/{one.name}.jpg"] = one.thumbnail
        table["styles"].append(entry)
    return files


def _runtime_files(folder: Path) -> dict[str, bytes]:
    """Return the files of onnxruntime-web; the page decompresses the large ones."""
    files = {}
    for name in (*runtime_files.PROCESSOR, *runtime_files.GRAPHICS):
        content = (folder / name).read_bytes()
        if name.endswith(".wasm"):
            files[f"runtime/{name}.gz"] = _packed(content)
        else:
            files[f"runtime/{name}"] = content
    return files


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)


def _list(files: Mapping[str, bytes]) -> bytes:
    """Return the script that tells the service worker the files and their version."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + hashlib.sha256(files[name]).digest())
    first = sorted(name for name in files if not name.startswith(_LATER) and name != "sw.js")
    entry = json.dumps({"version": digest.hexdigest()[:16], "first": first}, indent=1)
    return f"// written by 'impasto web'\nself.FILES = {entry};\n".encode()


def _write(output: Path, files: Mapping[str, bytes]) -> None:
    """Write all files, or none.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".impasto-") as place:
            made = Path(place) / "page"
            for name, content in files.items():
                target = made / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            if output.exists():
                shutil.rmtree(output)
            made.rename(output)
    except OSError as error:
        raise InputError(f"{output} cannot be written ({error.strerror})") from error
