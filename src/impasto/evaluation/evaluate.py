"""Evaluate methods on the same photos and style images: metrics, seconds, memory.

Each method runs in its own process (:mod:`impasto.evaluation.worker`); the results are measured
afterwards in this process, so that measuring does not count as time of the method.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

from impasto.api.inputs import (
    Places,
    find_all_images,
    read_image,
    resize_long_edge,
    resize_to_same_pixels,
    suggest_size,
)
from impasto.api.options import check_side
from impasto.core.device import choose
from impasto.core.progress import Callback, Progress, silent
from impasto.core.schemes import SAMPLE
from impasto.errors import ImpastoError, InputError, TooSmallError
from impasto.evaluation import distributions, metrics, worker
from impasto.evaluation.candidates import (
    PHOTO,
    SENTINELS,
    Entrant,
    parse_candidates,
    style_images_of,
)
from impasto.evaluation.results import Comparison, Failure, Row
from impasto.image import Image
from impasto.nn.vgg import Encoder
from impasto.training.sources import sum_counts

_CACHE_SIZE = 64  # cached image features; 13 MB each at 384 pixels


def evaluate(
    contents: Places,
    styles: Places,
    methods: Sequence[str | Entrant],
    *,
    size: int = 384,
    seed: int = 0,
    folder: str | Path | None = None,
    flicker: bool = False,
    device: str = "auto",
    precision: str = "auto",
    callback: Callback = silent,
) -> Comparison:
    """Stylize every photo in every style by every method, and measure the results.

    The photo and the painting themselves are measured too, as sentinels: a metric that one of them
    wins says little about methods.

    Args:
        contents: A folder, a list file, an image or ``sample:NAME``, or several of these.
        styles: The same for style images.
        methods: Candidates, or their text, see :meth:`Entrant.parse`; ``all`` is
            :func:`~impasto.evaluation.candidates.all_candidates`. A learned style is measured
            against the image that it was trained on, which must be among the styles.
        size: Long edge to stylize and measure at, in pixels.
        seed: Seed of all random numbers.
        folder: Where the stylized images are stored; None stores none.
        flicker: Whether each photo is stylized twice more, shifted by a pixel, to measure flicker.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`; metrics are float32 in any case.
        callback: Called after every image stylized and every image measured, and a few times a
            second while a method runs; cancelling keeps what is finished.

    Returns:
        The measurements. A pair that fails is listed, and the others continue.

    Raises:
        InputError: There are no images, or a candidate is unknown.
    """
    check_side("size", size)
    (photos, passed), (paintings, others) = find_all_images(contents), find_all_images(styles)
    given = parse_candidates(methods, paintings)  # an error if there are none
    candidates = parse_candidates([*SENTINELS, *given], paintings)
    where = {"device": device, "precision": precision}
    own = style_images_of(candidates, paintings, where)
    counter = _StepCounter(callback, 2 * len(photos) * sum(map(len, own)))
    meter = _ResultMeter(size, device, storing=folder is not None)
    if folder is not None:
        make_folder(Path(folder))
    results: list[Row | Failure] = []
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as top:
        names = file_names(one.label for one in candidates)
        for candidate, its, name in zip(candidates, own, names, strict=True):
            pairs = _pairs(photos, its, Path(top) / name)
            job = worker.WorkerRequest(
                candidate.name, dict(candidate.settings), pairs, size, seed, flicker, **where
            )
            outcomes = _run_worker(job, counter)
            for pair, painted in zip(pairs, outcomes, strict=False):  # fewer if cancelled
                results.append(meter.result(candidate, pair, painted))
                counter.step(f"{candidate.label}, measuring")
            if counter.cancelled:
                break
    rows = tuple(one for one in results if isinstance(one, Row))
    failures = tuple(one for one in results if isinstance(one, Failure))
    return Comparison(size, seed, rows, failures, sum_counts([passed, others]), meter.weights)


def _pairs(
    photos: Sequence[str], paintings: Sequence[str], folder: Path
) -> tuple[tuple[str, str, str], ...]:
    """Return each pair of photo and style image, with the path of its result."""
    return tuple(
        (photo, painting, str(folder / f"{i:03}-{_stem(photo)}--{j:03}-{_stem(painting)}.png"))
        for i, photo in enumerate(photos, start=1)
        for j, painting in enumerate(paintings, start=1)
    )


def safe_name(name: str) -> str:
    """Replace characters of a label that are unsafe in a file name."""
    return re.sub(r"[^\w.=-]+", "-", name)[:80]


def file_names(labels: Iterable[str]) -> list[str]:
    """Return unique file names for labels, also where case is ignored; numbers resolve clashes."""
    found: list[str] = []
    taken: set[str] = set()
    for label in labels:
        name, number = safe_name(label), 2
        while name.lower() in taken:
            name, number = f"{safe_name(label)}-{number}", number + 1
        taken.add(name.lower())
        found.append(name)
    return found


def _stem(path: str) -> str:
    return safe_name(Path(path.removeprefix(SAMPLE)).stem)


class _StepCounter:
    """Count steps and report them to a callback."""

    def __init__(self, callback: Callback, total: int) -> None:
        self._callback, self._total, self._done = callback, total, 0
        self.cancelled = False

    def step(self, stage: str, steps: int = 1) -> None:
        self._done += steps
        progress = Progress(self._done, self._total, stage=stage)
        self._callback(progress)
        self.cancelled = self.cancelled or progress.cancelled


def _run_worker(job: worker.WorkerRequest, counter: _StepCounter) -> list[worker.PairOutcome]:
    """Let a method stylize its pairs until all are done or the user cancels."""
    outcomes = []
    with closing(_start_worker(job)) as process:
        for painted in process:
            if painted is not None:
                outcomes.append(painted)
            counter.step(f"{job.name}, painting", 0 if painted is None else 1)
            if counter.cancelled:
                break
    return outcomes


def _start_worker(job: worker.WorkerRequest) -> Generator[worker.PairOutcome | None, None, None]:
    if job.name in SENTINELS:
        yield from [worker.PairOutcome()] * len(job.pairs)
        return
    for folder in {Path(target).parent for _, _, target in job.pairs}:
        make_folder(folder)
    yield from worker.run(job)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if they are missing.

    Raises:
        InputError: It cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: choose another") from error


class _ResultMeter:
    """Measure stylized images; features of each photo and each style image are cached."""

    def __init__(self, size: int, device: str, *, storing: bool) -> None:
        self._size, self._storing = size, storing
        runtime = choose(device, "float32")
        self._encoder = Encoder(depth="relu5_1").to_runtime(runtime)
        self.weights, other = distributions.find_encoder()
        self._other = other and other.to_runtime(runtime)
        self._photo = lru_cache(_CACHE_SIZE)(self._encode_photo)
        self._style = lru_cache(_CACHE_SIZE)(self._encode_style)

    def result(
        self, candidate: Entrant, pair: tuple[str, str, str], painted: worker.PairOutcome
    ) -> Row | Failure:
        """Return the measurements of a pair, or its failure."""
        label, (content, style, target) = candidate.label, pair
        sentinel = candidate.name in SENTINELS
        if painted.error:
            return Failure(label, content, style, painted.error)
        try:
            photo, seen = self._photo(content)
            if candidate.name == PHOTO:
                view = seen
            elif sentinel:
                view = self._encode(read_image(style).resized(photo.height, photo.width))
            else:
                view = self._encode(read_image(target))
            scores = metrics.measure(view, seen, self._style(style, photo.height, photo.width))
        except ImpastoError as error:
            return Failure(label, content, style, str(error))
        names = ("gram", "content", "sliced")
        layers = {"style": scores.moments, **{name: getattr(scores, name) for name in names}}
        flicker = {} if painted.flicker is None else {"flicker": painted.flicker}
        numbers = {**scores.means(), **flicker}
        cost = (painted.seconds, painted.memory, painted.device_memory)
        stored = target if self._storing and not sentinel else ""
        return Row(label, content, style, numbers, layers, *cost, stored, sentinel)

    def _encode(self, picture: Image, **options: Any) -> metrics.View:
        return metrics.encode_view(self._encoder, picture.rgb, other=self._other, **options)

    def _encode_photo(self, path: str) -> tuple[Image, metrics.View]:
        whole = read_image(path)
        photo = resize_long_edge(whole, self._size, None)
        try:
            return photo, self._encode(photo)
        except TooSmallError as error:
            raise InputError(f"{error}; {suggest_size(error.least, whole)}") from error

    def _encode_style(self, path: str, height: int, width: int) -> metrics.View:
        """Return the features of a style image, resized as in stylizing."""
        blank = Image(self._encoder.mean.new_zeros(1, 3, height, width))
        return self._encode(resize_to_same_pixels(read_image(path), blank), content=())
