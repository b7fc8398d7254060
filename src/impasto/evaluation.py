"""Methods compared on the same photos and paintings: metrics, seconds, memory.

Each method paints in a process of its own (:mod:`impasto.trial`); this one looks at the pictures
afterwards, so that looking costs no method time.
"""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from impasto import catalog, image, metrics, pipeline, trial
from impasto import model as model_file
from impasto.comparison import Comparison, Failure, Row
from impasto.encoder import Encoder
from impasto.errors import ImpastoError, InputError
from impasto.image import Picture
from impasto.methods.registry import Ability
from impasto.progress import Callback, Progress, silent
from impasto.runtime import choose
from impasto.sources import SAMPLE, alike, check_side, fit, read
from impasto.training.sources import find

PHOTO = "photo"  # the baseline: the photo as it is

Places = str | Path | Sequence[str | Path]

# of the root mean square of a model's thumbnail and a picture: 0.03 to 0.06 where it is of that
# picture, 0.19 and more among sixty others
_SAME = 0.1
_KEPT = 64  # views of pictures in memory; 10 MB each at 384 pixels


@dataclass(frozen=True)
class Entrant:
    """What takes part in a comparison.

    Attributes:
        name: A method that stylizes, a learned style, a model file, or ``photo``.
        settings: Numbers of the method to change, as text, by name.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name with its settings, as tables show it."""
        return ":".join([self.name, *(f"{key}={value}" for key, value in self.settings.items())])

    @classmethod
    def parse(cls, text: str) -> Entrant:
        """Read ``gatys`` or ``gatys:steps=50:levels=2``.

        Example:
            >>> Entrant.parse("gatys:steps=50").settings
            {'steps': '50'}
        """
        name, *settings = re.split(r":(?=[^:]*=)", text.strip())
        pairs = [one.partition("=") for one in settings]
        return cls(name.strip(), {key.strip(): value.strip() for key, _, value in pairs})


def evaluate(
    contents: Places,
    styles: Places,
    methods: Sequence[str | Entrant],
    *,
    size: int = 384,
    seed: int = 0,
    folder: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    callback: Callback = silent,
) -> Comparison:
    """Paint every photo in every style by every method, and measure.

    Args:
        contents: A folder, a list file, a picture or ``sample:NAME``, or several of these.
        styles: The same.
        methods: Entrants, or their text, see :meth:`Entrant.parse`. A learned style is measured
            against its own painting, which must be among the styles.
        size: Long edge to paint and measure at, in pixels.
        seed: Of everything random.
        folder: Where the painted pictures are kept; None keeps none.
        device: See :func:`impasto.runtime.choose`.
        precision: See :func:`impasto.runtime.choose`; metrics are float32 in any case.
        callback: Called after every picture painted and every picture measured; cancelling keeps
            what there is.

    Returns:
        What was measured. A pair that fails is listed, and the others go on.

    Raises:
        InputError: There are no pictures, or something that takes part is unknown.
    """
    check_side("size", size)
    photos, paintings = pictures(contents), pictures(styles)
    entrants = [one if isinstance(one, Entrant) else Entrant.parse(one) for one in methods]
    if not entrants:
        raise InputError("no methods to evaluate: name at least one")
    place = {"device": device, "precision": precision}
    own = [_paintings_of(entrant, paintings, place) for entrant in entrants]
    watch = _Watch(callback, 2 * len(photos) * sum(map(len, own)))
    gauge = _Gauge(size, device)
    if folder is not None:
        _make(Path(folder))
    results: list[Row | Failure] = []
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as top:
        for entrant, its in zip(entrants, own, strict=True):
            pairs = _pairs(photos, its, Path(top) / _safe(entrant.label))
            job = trial.Trial(entrant.name, dict(entrant.settings), pairs, size, seed, **place)
            outcomes = _outcomes(job, watch)
            for pair, painted in zip(pairs, outcomes, strict=False):  # fewer, if cancelled
                results.append(gauge.result(entrant.label, pair, painted))
                watch.step(f"{entrant.label}, measuring")
            if watch.cancelled:
                break
    rows = tuple(one for one in results if isinstance(one, Row))
    return Comparison(size, seed, rows, tuple(one for one in results if isinstance(one, Failure)))


def pictures(places: Places) -> list[str]:
    """The pictures of folders, list files and ``sample:NAME``, in order.

    Raises:
        InputError: There is no such place, or no picture in it.
    """
    found: list[str] = []
    for place in [places] if isinstance(places, (str, Path)) else places:
        found += [str(place)] if str(place).startswith(SAMPLE) else find(place)
    if not found:
        raise InputError("no pictures to evaluate on: name some files or a folder")
    return found


def _paintings_of(entrant: Entrant, paintings: list[str], place: Mapping[str, Any]) -> list[str]:
    """The style pictures that an entrant is measured on.

    Raises:
        InputError: It is unknown, or has learned none of them.
    """
    learned = None if entrant.name == PHOTO else trial.learned(entrant.name)
    if entrant.settings and (learned or entrant.name == PHOTO):
        raise InputError(f"{entrant.name} has no settings: those are of methods")
    if learned is not None:
        return _own(learned, paintings)
    if entrant.name != PHOTO:  # what cannot be built is better known before hours of work
        pipeline.build(entrant.name, Ability.STYLIZE, settings=entrant.settings, **place)
    return paintings


def _own(learned: catalog.Learned, paintings: list[str]) -> list[str]:
    """Those pictures that look like the thumbnail of what a model has learned."""
    told = model_file.load(learned.path, weights=False).card.get("thumbnails", {})
    if learned.name not in told:
        raise InputError(f"{learned.name} does not tell what it has learned: leave it out")
    small = image.load(base64.b64decode(told[learned.name]["jpeg"]))

    def same(path: str) -> bool:
        with suppress(InputError):  # an unreadable one fails in its turn, by name
            other = read(path).resized(small.height, small.width)
            return float((other.rgb - small.rgb).square().mean().sqrt()) < _SAME
        return False

    own = [path for path in paintings if same(path)]
    if not own:
        raise InputError(f"the painting of {learned.name} is not among the styles: add it")
    return own


def _pairs(
    photos: Sequence[str], paintings: Sequence[str], folder: Path
) -> tuple[tuple[str, str, str], ...]:
    """Each photo with each style picture, and where the painted picture goes."""
    return tuple(
        (photo, painting, str(folder / f"{i:03}-{_stem(photo)}--{j:03}-{_stem(painting)}.png"))
        for i, photo in enumerate(photos, start=1)
        for j, painting in enumerate(paintings, start=1)
    )


def _safe(name: str) -> str:
    """A label as a file's name."""
    return re.sub(r"[^\w.=-]+", "-", name)[:80]


def _stem(path: str) -> str:
    return _safe(Path(path.removeprefix(SAMPLE)).stem)


class _Watch:
    """Counts steps for a callback."""

    def __init__(self, callback: Callback, total: int) -> None:
        self._callback, self._total, self._done = callback, total, 0
        self.cancelled = False

    def step(self, stage: str) -> None:
        self._done += 1
        progress = Progress(self._done, self._total, stage=stage)
        self._callback(progress)
        self.cancelled = self.cancelled or progress.cancelled


def _outcomes(job: trial.Trial, watch: _Watch) -> list[trial.Painted]:
    """Let a method paint all its pairs, or as many as there is patience for."""
    outcomes = []
    with closing(_painting(job)) as process:
        for painted in process:
            outcomes.append(painted)
            watch.step(f"{job.name}, painting")
            if watch.cancelled:
                break
    return outcomes


def _painting(job: trial.Trial) -> Generator[trial.Painted, None, None]:
    if job.name == PHOTO:
        yield from [trial.Painted()] * len(job.pairs)
        return
    for folder in {Path(target).parent for _, _, target in job.pairs}:
        _make(folder)
    yield from trial.run(job)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: choose another") from error


class _Gauge:
    """Measures painted pictures; looks at each photo and each style picture once."""

    def __init__(self, size: int, device: str) -> None:
        self._size = size
        self._encoder = Encoder(depth="relu5_1").place(choose(device, "float32"))
        self._photo = lru_cache(_KEPT)(self._see_photo)
        self._style = lru_cache(_KEPT)(self._see_style)

    def result(
        self, label: str, pair: tuple[str, str, str], painted: trial.Painted
    ) -> Row | Failure:
        """The row of a pair, or why there is none."""
        content, style, target = pair
        if painted.error:
            return Failure(label, content, style, painted.error)
        try:
            photo, seen = self._photo(content)
            view = seen if label == PHOTO else metrics.look(self._encoder, read(target).rgb)
            scores = metrics.measure(view, seen, self._style(style, photo.height, photo.width))
        except ImpastoError as error:
            return Failure(label, content, style, str(error))
        layers = {"style": scores.moments, "gram": scores.gram, "content": scores.content}
        cost = (painted.seconds, painted.memory, painted.device_memory)
        return Row(label, content, style, scores.means(), layers, *cost)

    def _see_photo(self, path: str) -> tuple[Picture, metrics.View]:
        photo = fit(read(path), self._size, None)
        return photo, metrics.look(self._encoder, photo.rgb)

    def _see_style(self, path: str, height: int, width: int) -> metrics.View:
        """A style picture as large as the photo, as the pipeline paints with it."""
        blank = Picture(self._encoder.mean.new_zeros(1, 3, height, width))
        painting = alike(read(path), blank)
        return metrics.look(self._encoder, painting.rgb, content=())
