"""Load batches of random crops that depend only on the seed and the step.

The n-th image of a training and its crop are functions of the seed and of n. So a resumed run sees
the same batches as an uninterrupted one, and two processes with half the batch each see together
the same images as one process with the whole batch.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from impasto.errors import ImpastoError, InputError
from impasto.training import shards
from impasto.training.crops import crop
from impasto.training.sources import SUFFIXES, Source, find_images, image_paths

__all__ = ["SUFFIXES", "BatchLoader", "Source", "image_paths", "open_source"]

_PREFETCH = 4  # batches that each worker prepares


def open_source(
    place: str | Path, crop: int = 256, zoom: float = 1.5, flip: bool = True, repeat: int = 1
) -> Source:
    """Find the training images in a folder, a list or shards.

    Args:
        place: A folder, searched recursively; a text file with one path per line, see
            :func:`~impasto.training.sources.find_images`; or WebDataset shards: one ``.tar``, or
            several as ``photos-{0000..0009}.tar``.
        crop: See :class:`Source`.
        zoom: See :class:`Source`.
        flip: See :class:`Source`.
        repeat: See :class:`Source`.

    Raises:
        InputError: The path does not exist, or has no images.
        MissingExtraError: Shards are given, and the library ``webdataset`` is not installed.
    """
    if shards.is_shards(place):
        files, members = shards.index(str(place))
        return Source(files, crop, zoom, flip, members, repeat)
    files, passed = find_images(place)
    return Source(files, crop, zoom, flip, repeat=repeat, passed=passed)


class _Crops:
    """The crops of a source, by index from 0 without end."""

    def __init__(self, name: str, source: Source, seed: int) -> None:
        self.source = source
        # With the name, two sources that use one folder draw different images.
        self._key = (seed, zlib.crc32(name.encode()))
        self._last: tuple[int, NDArray[np.int64]] | None = None

    def __getitem__(self, index: int) -> tuple[Tensor, list[str]]:
        """Return a crop (3, S, S) and the files that were skipped.

        If a file cannot be read, the next one in the order of the epoch is tried.

        Raises:
            InputError: No file of the source can be read.
        """
        source = self.source
        skipped: list[str] = []
        for attempt in range(len(source.files)):
            place = self._place(index, attempt)
            random = np.random.default_rng((*self._key, 1, index))
            name = source.files[place]
            try:
                return crop(source.read(place), name, source, random), skipped
            except InputError:
                skipped.append(name)
        raise InputError(
            f"none of the {len(source.files)} pictures can be read, {source.files[0]} for one: "
            "give PNG, JPEG, WebP, TIFF, BMP or GIF files"
        )

    def _place(self, index: int, attempt: int) -> int:
        """Return the index of the image to try; each epoch has its own random order."""
        epoch, first = divmod(index, len(self.source.files))
        if self._last is None or self._last[0] != epoch:
            random = np.random.default_rng((*self._key, 0, epoch))
            self._last = epoch, random.permutation(len(self.source.files))
        # Attempts wrap around within the epoch, so that each file is tried once.
        return int(self._last[1][(first + attempt) % len(self.source.files)])


@dataclass
class _Loaded:
    """One process's part of a batch, as a worker returns it.

    Attributes:
        pictures: Images (B, 3, S, S), uint8, by the name of their source.
        skipped: Files that could not be read.
        error: Message of the error if loading failed. It is passed as text, because torch would
            append the worker's traceback to the message of an exception.
    """

    pictures: dict[str, Tensor]
    skipped: list[str]
    error: str = ""


class _Batches(Dataset[_Loaded]):
    """Data set of one process's part of the batch of each step."""

    def __init__(
        self, sources: Mapping[str, Source], seed: int, batch: int, rank: int, world: int
    ) -> None:
        self._parts = {name: _Crops(name, source, seed) for name, source in sources.items()}
        self._batch, self._rank, self._share = batch, rank, batch // world
        self._repeated: dict[str, tuple[int, Tensor]] = {}  # step number and last crops by source

    def __getitem__(self, step: int) -> _Loaded:
        loaded = _Loaded({}, [])
        try:
            for name, part in self._parts.items():
                loaded.pictures[name] = self._crops(name, part, step, loaded.skipped)
        except ImpastoError as error:
            return _Loaded({}, [], str(error))
        return loaded

    def _crops(self, name: str, part: _Crops, step: int, skipped: list[str]) -> Tensor:
        """Return a source's crops of a step (B, 3, S, S), and extend ``skipped``."""
        number = step // part.source.repeat  # steps with the same number get the same crops
        if name in self._repeated and self._repeated[name][0] == number:
            return self._repeated[name][1]
        first = number * self._batch + self._rank * self._share
        crops = [part[first + i] for i in range(self._share)]
        skipped += [file for _, files in crops for file in files]
        stacked = torch.stack([picture for picture, _ in crops])
        if part.source.repeat > 1:
            self._repeated[name] = number, stacked
        return stacked


class BatchLoader:
    """Iterates over the batches of one process, decoded by worker processes.

    Use it as a context manager; leaving it stops the workers.

    Args:
        sources: Sources by name; without any, the batches are empty.
        batch: Images per step, over all processes together.
        start: The first step.
        steps: End of the range of steps (exclusive).
        seed: Seed of the order of the images and of their crops.
        rank: Index of this process.
        world: Number of processes.
        workers: Number of worker processes that decode; 0 decodes in this process.

    Attributes:
        skipped: Files that could not be read so far.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        batch: int,
        start: int,
        steps: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        workers: int = 1,
    ) -> None:
        self.skipped: set[str] = set()
        self._steps = range(start, max(start, steps))
        self._loaded: Iterator[_Loaded] | None = None
        self._loader: DataLoader[_Loaded] | None = None
        if sources:
            self._loader = DataLoader(
                _Batches(sources, seed, batch, rank, world),
                sampler=self._steps,
                batch_size=None,
                num_workers=workers,
                collate_fn=_identity,
                prefetch_factor=_PREFETCH if workers else None,
                generator=torch.Generator(),  # leaves torch's global generator unchanged
            )

    def __enter__(self) -> BatchLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        workers = getattr(self._loaded, "_workers", ())
        stop = getattr(self._loaded, "_shutdown_workers", None)  # torch stops them in __del__ only,
        self._loaded = self._loader = None  # and the traceback of an error keeps the iterator
        try:
            if stop is not None:
                stop()
        except RuntimeError as late:  # see _is_of_dead_worker
            error = error or late
        if _is_of_dead_worker(error, workers):
            raise ImpastoError(
                f"a process that decodes pictures has died ({error}): if memory ran out, give "
                "fewer workers or workers=0; what was learned up to the last checkpoint is kept"
            ) from error

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield the images of each step by the name of their source: (B, 3, S, S), in [0, 1].

        Raises:
            InputError: No image of a source can be read.
        """
        if self._loader is None:
            for _ in self._steps:
                yield {}
            return
        self._loaded = iter(self._loader)
        while self._loaded is not None and (loaded := next(self._loaded, None)) is not None:
            if loaded.error:
                raise InputError(loaded.error)
            self.skipped.update(loaded.skipped)
            yield {name: crops.float().div_(255) for name, crops in loaded.pictures.items()}


def _is_of_dead_worker(error: BaseException | None, workers: Sequence[Any]) -> bool:
    """Check whether an error comes from the death of one of torch's worker processes.

    Torch raises an error for it from a signal handler, anywhere in this process; unless what the
    worker has sent is read before, and ends too early.
    """
    if isinstance(error, RuntimeError):
        return "DataLoader worker" in str(error)
    early = isinstance(error, EOFError | ConnectionError)
    return early and any(worker.exitcode for worker in workers)


def _identity(loaded: Any) -> Any:
    return loaded
