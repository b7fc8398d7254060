"""Define a batch job as data, which every engine runs alike."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from impasto.api.options import Controls, StylizeOptions
from impasto.core.schemes import FILE, MODEL, SAMPLE, without_scheme
from impasto.errors import InputError
from impasto.image import WRITE_SUFFIXES, check_target
from impasto.methods.style import SUFFIX
from impasto.models import checkpoint, zoo
from impasto.training.sources import image_paths

_FORMAT = 1


@dataclass(frozen=True)
class JobStyle:
    """One of a job's styles.

    Attributes:
        source: What :func:`impasto.api.stylize.stylize` takes as a style, as text.
        label: Its name, unique in this job.
        digest: Of the file's bytes, so that a changed file under the same name is another job;
            empty for what is shipped with the package.
    """

    source: str
    label: str
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class Job(StylizeOptions):
    """Images, styles, and how to stylize: see :class:`~impasto.api.options.StylizeOptions`.

    Attributes:
        folder: The images, including all subfolders; an absolute path, if other processes or
            machines are to find it.
        styles: See :func:`styles`.
        random: One style for each image, drawn from the seed and the image's name; else each
            image in each style.
        ending: Of the stylized files, such as ``.png``; empty is each image's own.
        bits: Bits per channel of the stylized files: 8, or 16 for PNG and TIFF.
        keep_metadata: See :func:`impasto.image.save`.

    Raises:
        InputError: There are no styles, or no image can be written with such an ending or depth.
    """

    folder: str
    styles: tuple[JobStyle, ...]
    random: bool = False
    ending: str = ""
    bits: int = 8
    keep_metadata: bool = False

    def __post_init__(self) -> None:
        """Check the styles, the ending and the depth."""
        if not self.styles:
            raise InputError("no style given: name at least one painting")
        if self.ending and self.ending not in WRITE_SUFFIXES:
            known = ", ".join(WRITE_SUFFIXES)
            raise InputError(f"cannot write pictures that end in {self.ending}: choose {known}")
        check_target(BytesIO(), format=self.ending or "png", depth=self.bits)

    def json(self) -> str:
        """Return this job as JSON, which :meth:`parse` reads."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=2)

    @classmethod
    def parse(cls, text: str) -> Job:
        """Parse the output of :meth:`json`.

        Raises:
            InputError: It is no job, or one of another version.
        """
        try:
            data = json.loads(text)
            if data.pop("format") != _FORMAT:
                raise ValueError("another version")
            data["styles"] = tuple(JobStyle(**one) for one in data["styles"])
            data["controls"] = Controls(**data["controls"])
            return cls(**data)
        except InputError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError("it is damaged, or of another version of Impasto") from error

    def differences(self, other: Job) -> list[str]:
        """Describe the differences to another job: ``size was 256, is 512``."""
        mine, its = self._flat(), other._flat()
        changes = {
            name: f"{name} was {_shown(mine.get(name))}, is {_shown(its.get(name))}"
            for name in {**mine, **its}
            if mine.get(name) != its.get(name)
        }
        if "styles" in changes:
            changes["styles"] = "the styles are others, or their files have changed"
        return list(changes.values())

    def _flat(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.json())  # values as they are read from a file
        controls, settings, _ = (data.pop(name) for name in ("controls", "settings", "memory"))
        return {**data, **controls, **{f"--set {name}": value for name, value in settings.items()}}


def _shown(value: Any) -> str:
    return "not given" if value is None or value == "" else str(value)


def styles(sources: Iterable[str | os.PathLike[str]]) -> tuple[JobStyle, ...]:
    """Return the styles of a job with unique labels.

    Args:
        sources: Style images, folders of them (including all subfolders), ``sample:NAME``, names
            of ``impasto styles``, ``.style`` files and models (``x.safetensors#name``).

    Raises:
        InputError: A source is none of these.
    """
    found = [one for source in sources for one in _expand_source(os.fspath(source))]
    labels = _labels([stem for _, stem, _ in found])
    return tuple(
        JobStyle(source, label, digest)
        for (source, _, digest), label in zip(found, labels, strict=True)
    )


def _expand_source(source: str) -> list[tuple[str, str, str]]:
    """Return (source, stem of its label, digest) of each style that a source stands for."""
    if source.startswith(MODEL):
        zoo.find(source)  # raises for an unknown name
        return [(source, without_scheme(source), "")]
    source = source.removeprefix(FILE)
    path, hash_mark, wanted = source.partition("#")
    if path.endswith(checkpoint.SUFFIX):
        learned = zoo.find(source)
        assert learned is not None  # find raises for an unknown name
        whole = os.path.abspath(path) + hash_mark + wanted
        return [(whole, wanted or Path(path).stem, _digest(path))]
    if source.startswith(SAMPLE):
        return [(source, source.removeprefix(SAMPLE), "")]
    if os.path.isdir(source):
        files: Sequence[str] = image_paths(source)
    elif os.path.isfile(source):
        files = [source]
    elif zoo.find(source) is not None:
        return [(source, source, "")]
    else:
        known = f"a painting, a folder, a {SUFFIX} file or a name of 'impasto styles'"
        raise InputError(f"there is no style {source}: give {known}")
    return [(os.path.abspath(file), Path(file).stem, _digest(file)) for file in files]


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _labels(stems: Sequence[str]) -> list[str]:
    """Return folder names for stems, unique also where case is ignored."""
    taken: set[str] = set()
    labels = []
    for stem in stems:
        plain = re.sub(r"[^\w=-]+", "-", stem)[:60] or "style"
        number, label = 1, plain
        while label.casefold() in taken:
            number += 1
            label = f"{plain}-{number}"
        taken.add(label.casefold())
        labels.append(label)
    return labels
