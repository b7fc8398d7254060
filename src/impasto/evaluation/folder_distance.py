"""Measure the distance of two sets of images, layer by layer: the domain gap of a style.

Li et al., "Demystifying Neural Style Transfer", IJCAI 2017, treat style transfer as domain
adaptation: photos are one distribution, paintings another. There the samples are the features of
one image; here a sample is an image, as the means and standard deviations of its channels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from impasto.api.inputs import Places, find_all_images, read_image, resize_long_edge, suggest_size
from impasto.api.options import check_side
from impasto.core.device import choose
from impasto.core.progress import Callback, Progress, silent
from impasto.errors import CancelledError, ImpastoError, InputError, check_choice, check_range
from impasto.evaluation.metrics import STYLE_LAYERS
from impasto.losses.mmd import Gaussian, Kernel, Linear, Polynomial
from impasto.losses.moments import moments
from impasto.losses.two_sample import frechet_distance, median_bandwidth, permutation_test
from impasto.nn.vgg import Encoder
from impasto.nn.vgg_layers import layer_names, smallest_side
from impasto.training.sources import sum_counts

KERNELS = ("linear", "polynomial", "gaussian")

_BATCH_PIXELS = 1 << 19  # pixels of one batch: eight images of 256x256
_MAX_WAITING_PIXELS = 1 << 23  # pixels of images waiting for others of their shape: 100 MB


@dataclass(frozen=True)
class Distance:
    """The distance of one set from the other at a layer.

    Attributes:
        mmd2: The unbiased estimate of MMD², on vectors divided by the layer's ``unit``.
        p: The p-value of the permutation test.
        frechet: The squared Fréchet distance of Gaussians fitted to the sets, on the same vectors.
    """

    mmd2: float
    p: float
    frechet: float


@dataclass(frozen=True)
class Layer:
    """The distances at a layer.

    Attributes:
        name: Such as ``relu3_1``.
        unit: The root mean square distance of the vectors of both sets from their common mean, in
            feature values. The vectors are divided by it.
        before: From the first set to the second.
        after: From the third set to the second, in the same units and with the same kernel.
    """

    name: str
    unit: float
    before: Distance
    after: Distance | None = None


@dataclass(frozen=True)
class Gap:
    """The gap between two sets of images.

    Attributes:
        layers: From the first to the deepest.
        counts: The number of images used in the first, second and third set.
        skipped: The reason for each image that could not be used, by path.
        kernel: ``linear``, ``polynomial`` or ``gaussian``.
        permutations: The number of permutations of the tests.
        size: Long edge of the images, in pixels.
        seed: Seed of the tests.
        passed: The number of files in the folders that were passed over, by kind.
    """

    layers: tuple[Layer, ...]
    counts: tuple[int, ...]
    skipped: Mapping[str, str]
    kernel: str
    permutations: int
    size: int
    seed: int
    passed: Mapping[str, int] = field(default_factory=dict)

    def json(self) -> str:
        """Return all fields as JSON."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @property
    def header(self) -> tuple[str, ...]:
        """Return the column names of the table."""
        names = ("MMD²", "p", "Fréchet")
        third = (*(f"{name} after" for name in names), "MMD² left") if len(self.counts) > 2 else ()
        return ("layer", *names, *third)

    def table(self) -> Iterator[tuple[str, ...]]:
        """Yield a row of text for each layer, in the columns of :attr:`header`."""
        for layer in self.layers:
            cells = _cells(layer.before)
            if layer.after is not None:
                left = layer.after.mmd2 / layer.before.mmd2 if layer.before.mmd2 > 0 else None
                cells += [*_cells(layer.after), "" if left is None else f"{left:.0%}"]
            yield (layer.name, *cells)


def gap(
    first: Places,
    second: Places,
    after: Places | None = None,
    *,
    layers: Sequence[str] = STYLE_LAYERS,
    kernel: str = "gaussian",
    permutations: int = 1000,
    size: int = 256,
    seed: int = 0,
    device: str = "auto",
    callback: Callback = silent,
) -> Gap:
    """Measure the distance of one set of images from another, at each layer of VGG-19.

    At each layer, an image is one vector: the means and the standard deviations of its channels,
    (2C,). The vectors are centred and divided by one number, so that those of both sets together
    have mean 0 and mean square 1. Layers can then be compared, and kernels need no tuning. The
    kernels are

    ==============  ===========================  ===============================================
    ``linear``      x·y                          compares means
    ``polynomial``  (x·y + 1)²                   compares means and covariances
    ``gaussian``    exp(-|x - y|² / 2σ²)         compares everything; σ is the median distance
    ==============  ===========================  ===============================================

    Args:
        first: A folder, a list file, an image or ``sample:NAME``, or several of these.
        second: The same.
        after: A third set, such as the first stylized, compared with the second. Centre, unit and
            σ come from the first and the second set alone, so that third sets can be compared.
        layers: Layers of VGG-19, in float32.
        kernel: One of the table above.
        permutations: Of the test, see :func:`impasto.losses.two_sample.permutation_test`.
        size: Long edge that every image is resized to, which changes the scale of brush strokes.
        seed: Seed of the permutations.
        device: See :func:`impasto.core.device.choose`.
        callback: Called after every image; cancelling raises CancelledError.

    Raises:
        InputError: A set has fewer than two usable images, or an option is unknown.
        CancelledError: The callback asked to stop.
    """
    check_side("size", size)
    check_choice("kernel", kernel, KERNELS)
    check_range(1, permutations=permutations)
    sources = [first, second] if after is None else [first, second, after]
    found = [find_all_images(source) for source in sources]
    total = sum(len(one.files) for one in found)
    look = _FeatureCollector(list(dict.fromkeys(layers)), size, device, callback, total)
    seen = [look.vectors_of(one.files, source) for one, source in zip(found, sources, strict=True)]
    measured = [
        _measure(name, [one[name] for one in seen], kernel, permutations, seed)
        for name in look.layers
    ]
    counts = tuple(len(one[look.layers[0]]) for one in seen)
    passed = sum_counts(one.passed for one in found)
    return Gap(tuple(measured), counts, look.skipped, kernel, permutations, size, seed, passed)


def _measure(name: str, sets: Sequence[Tensor], kernel: str, permutations: int, seed: int) -> Layer:
    """Measure the distances of two or three sets of vectors (N, 2C) at one layer."""
    both = torch.cat(list(sets[:2]))
    centre = both.mean(0)
    unit = float((both - centre).square().sum(1).mean().sqrt())
    if not unit > 1e-6:  # the images differ by rounding only
        raise InputError(f"all pictures are the same at {name}: there is nothing to compare")
    x, y, *rest = ((one - centre) / unit for one in sets)
    chosen = _kernel(kernel, torch.cat([x, y]))

    def distance(one: Tensor) -> Distance:
        mmd2, p = permutation_test(one, y, chosen, permutations, seed=seed)
        return Distance(mmd2, p, frechet_distance(one, y))

    return Layer(name, unit, distance(x), distance(rest[0]) if rest else None)


def _kernel(name: str, both: Tensor) -> Kernel:
    if name == "linear":
        return Linear()
    return (
        Polynomial(2, 1.0) if name == "polynomial" else Gaussian(bandwidth=median_bandwidth(both))
    )


class _FeatureCollector:
    """Encode images in batches of one shape, and store their vectors."""

    def __init__(
        self, layers: list[str], size: int, device: str, callback: Callback, total: int
    ) -> None:
        known = layer_names("vgg19")
        unknown = [layer for layer in layers if layer not in known]
        if unknown or not layers:
            raise InputError(f"unknown layer {''.join(unknown[:1])!r}: names are like relu4_1")
        self.layers = sorted(layers, key=known.index)
        self.skipped: dict[str, str] = {}
        self._size, self._least = size, smallest_side(self.layers[-1])
        self._encoder = Encoder(depth=self.layers[-1]).to_runtime(choose(device, "float32"))
        self._callback, self._done, self._total = callback, 0, total

    def vectors_of(self, paths: Sequence[str], which: Places) -> dict[str, Tensor]:
        """Return the vectors of each layer, (N, 2C) in float64, in the order of the images.

        Raises:
            InputError: Fewer than two of the images can be used.
            CancelledError: The callback asked to stop.
        """
        vectors: dict[int, list[Tensor]] = {}
        for indices, batch in self._batches(paths):
            per_layer = self._vectors(batch)
            for row, index in enumerate(indices):
                vectors[index] = [one[row] for one in per_layer]
        if len(vectors) < 2:
            why = next((f": {self.skipped[one]}" for one in paths if one in self.skipped), "")
            raise InputError(
                f"{which} has {len(vectors)} pictures that can be used, and needs 2 at least{why}"
            )
        ordered = [vectors[index] for index in sorted(vectors)]
        return {
            name: torch.stack([one[i] for one in ordered]) for i, name in enumerate(self.layers)
        }

    @torch.inference_mode()
    def _vectors(self, batch: Tensor) -> list[Tensor]:
        """Return the vectors (B, 2C) of each layer."""
        features = self._encoder(batch.to(self._encoder.mean.device), self.layers)
        found = (moments(features[name]) for name in self.layers)
        return [torch.cat([one.mean, one.std], 1).double().cpu() for one in found]

    def _batches(self, paths: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """Yield batches of one shape; the largest group if too many pixels are waiting."""
        waiting: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
        for index, path in enumerate(paths):
            picture = self._picture(path)
            if picture is not None:
                shape = tuple(picture.shape)
                waiting.setdefault(shape, []).append((index, picture))
                if _pixels(waiting[shape]) >= _BATCH_PIXELS:
                    yield _batch(waiting.pop(shape))
                elif sum(map(_pixels, waiting.values())) >= _MAX_WAITING_PIXELS:
                    yield _batch(waiting.pop(max(waiting, key=lambda one: _pixels(waiting[one]))))
            self._step()
        for group in waiting.values():
            yield _batch(group)

    def _picture(self, path: str) -> Tensor | None:
        try:
            whole = read_image(path)
            picture = resize_long_edge(whole, self._size, None)
            if min(picture.size) < self._least:
                raise InputError(
                    f"{path} is {picture.width}x{picture.height} then, too small for "
                    f"{self.layers[-1]}: its sides must be at least {self._least} pixels; "
                    f"{suggest_size(self._least, whole)}"
                )
        except ImpastoError as error:
            self.skipped[path] = str(error)
            return None
        return picture.rgb

    def _step(self) -> None:
        self._done += 1
        progress = Progress(self._done, self._total, stage="looking at the pictures")
        self._callback(progress)
        if progress.cancelled:
            raise CancelledError("cancelled, nothing written")


def _pixels(group: list[tuple[int, Tensor]]) -> int:
    return sum(picture.shape[2] * picture.shape[3] for _, picture in group)


def _batch(group: list[tuple[int, Tensor]]) -> tuple[list[int], Tensor]:
    return [index for index, _ in group], torch.cat([picture for _, picture in group])


def _cells(distance: Distance) -> list[str]:
    return [f"{distance.mmd2:.4f}", f"{distance.p:.3f}", f"{distance.frechet:.4f}"]
