"""What is to be done with many pictures, as data: every engine runs the same."""

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
from impasto.core.schemes import FILE, MODEL, SAMPLE, bare
from impasto.errors import InputError
from impasto.image import WRITE_SUFFIXES, check_target
from impasto.methods.style import SUFFIX
from impasto.models import checkpoint, zoo
from impasto.training.sources import find

_FORMAT = 1


@dataclass(frozen=True)
class Chosen:
    """One of a job's styles.

    Attributes:
        source: What :func:`impasto.api.stylize.stylize` takes as a style, as text.
        label: Its name in this job, which no other style of the job has.
        digest: Of the file's bytes, so that another file under the same name is another job; empty
            for what comes with the package.
    """

    source: str
    label: str
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class Job(StylizeOptions):
    """Images, styles, and how to paint: see :class:`~impasto.api.options.StylizeOptions`.

    Attributes:
        folder: The pictures, with all folders in it; an absolute path, if other processes or
            machines are to find it.
        styles: See :func:`styles`.
        random: One style for each picture, drawn by the seed and the picture's name; else each
            picture in each style.
        ending: Of the painted files, such as ``.png``; empty is each picture's own.
        bits: A channel of the painted files: 8, or 16 for PNG and TIFF.
        keep_metadata: See :func:`impasto.image.save`.

    Raises:
        InputError: There are no styles, or no picture is written with such an ending or depth.
    """

    folder: str
    styles: tuple[Chosen, ...]
    random: bool = False
    ending: str = ""
    bits: int = 8
    keep_metadata: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if not self.styles:
            raise InputError("no style given: name at least one painting")
        if self.ending and self.ending not in WRITE_SUFFIXES:
            known = ", ".join(WRITE_SUFFIXES)
            raise InputError(f"cannot write pictures that end in {self.ending}: choose {known}")
        check_target(BytesIO(), format=self.ending or "png", depth=self.bits)

    def json(self) -> str:
        """This job as text; :meth:`parse` reads it again."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=2)

    @classmethod
    def parse(cls, text: str) -> Job:
        """Read what :meth:`json` wrote.

        Raises:
            InputError: It is no job, or one of another version.
        """
        try:
            told = json.loads(text)
            if told.pop("format") != _FORMAT:
                raise ValueError("another version")
            told["styles"] = tuple(Chosen(**one) for one in told["styles"])
            told["controls"] = Controls(**told["controls"])
            return cls(**told)
        except InputError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError("it is damaged, or of another version of Impasto") from error

    def differences(self, other: Job) -> list[str]:
        """In words, where another job differs: ``size was 256, is 512``."""
        mine, its = self._flat(), other._flat()
        words = {
            name: f"{name} was {_shown(mine.get(name))}, is {_shown(its.get(name))}"
            for name in {**mine, **its}
            if mine.get(name) != its.get(name)
        }
        if "styles" in words:
            words["styles"] = "the styles are others, or their files have changed"
        return list(words.values())

    def _flat(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.json())  # as a file would give it back
        controls, settings, _ = (told.pop(name) for name in ("controls", "settings", "memory"))
        return {**told, **controls, **{f"--set {name}": value for name, value in settings.items()}}


def _shown(value: Any) -> str:
    return "not given" if value is None or value == "" else str(value)


def styles(sources: Iterable[str | os.PathLike[str]]) -> tuple[Chosen, ...]:
    """The styles of a job, each under a label of its own.

    Args:
        sources: Paintings, folders of paintings (with all folders in them), ``sample:NAME``, names
            of ``impasto styles``, ``.style`` files and models (``x.safetensors#name``).

    Raises:
        InputError: One of them is nothing of these.
    """
    found = [one for source in sources for one in _expanded(os.fspath(source))]
    labels = _labels([stem for _, stem, _ in found])
    return tuple(
        Chosen(source, label, digest)
        for (source, _, digest), label in zip(found, labels, strict=True)
    )


def _expanded(source: str) -> list[tuple[str, str, str]]:
    """(source, stem of its label, digest) of each style that is meant."""
    if source.startswith(MODEL):
        zoo.find(source)  # or it raises
        return [(source, bare(source), "")]
    source = source.removeprefix(FILE)
    path, hash_mark, wanted = source.partition("#")
    if path.endswith(checkpoint.SUFFIX):
        learned = zoo.find(source)
        assert learned is not None  # it is a model's name, or find has raised
        whole = os.path.abspath(path) + hash_mark + wanted
        return [(whole, wanted or Path(path).stem, _digest(path))]
    if source.startswith(SAMPLE):
        return [(source, source.removeprefix(SAMPLE), "")]
    if os.path.isdir(source):
        files: Sequence[str] = find(source)
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
    """Names for folders, each once, also where a file system ignores case."""
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
