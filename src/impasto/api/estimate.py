"""Estimate how long painting takes and how much memory, before anything is painted.

The estimate is a measured cost per pixel and step, scaled by the speed of a matrix product on this
machine. It leaves out what is read, loaded and written, and the style images.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from impasto.api import cycle_spinning, strokes, tiling
from impasto.api.controls import Controls, ResolvedStyle
from impasto.api.inputs import Source, read_image, resize_long_edge
from impasto.api.memory import check_memory
from impasto.api.resolve import StyleResolver
from impasto.core.device import Runtime
from impasto.methods.base import Method
from impasto.methods.executor import Executor
from impasto.methods.optimization.base import OptimizationConfig
from impasto.methods.optimization.sizes import level_count
from impasto.methods.spec import Ability
from impasto.methods.style import Style

_SPEED = 52.0  # GFLOP/s of the matrix products at which COSTS were measured
_PRODUCT = 512  # side of the matrices


@dataclass(frozen=True)
class Cost:
    """Hold the measured cost of a method.

    Attributes:
        seconds: For each megapixel and step, at 52 GFLOP/s.
        memory: Bytes for each pixel of the largest image, on top of the loaded networks.
    """

    seconds: float
    memory: int


# Measured once at 256x256 in float32, on one AVX2 thread: processor time of painting with a style
# image of the same size, at the speed of a matrix product right after it, converted to 52 GFLOP/s;
# and the growth of the resident memory, for optimisers in a process that had painted before.
# Optimisers took 4 steps at one level, with what comes before the first step. Other programs were
# running: two runs of starry-night differed by 15 % after conversion (the mean is here), of adain
# by 2 %.
COSTS = {
    "johnson": Cost(9.2, 850),  # starry-night; also for the other learned styles, of like networks
    "style-prediction": Cost(24, 1000),
    "adain": Cost(35, 840),
    "wct": Cost(67, 1000),  # the memory is assumed
    "gatys": Cost(47, 2600),
    "mmd": Cost(70, 2800),
    "nnst": Cost(34, 4800),  # the mean of 12 pairs at 384x256, without `reduction`
    "cnnmrf": Cost(41, 3200),  # larger images take more, since all positions are compared
}


@dataclass(frozen=True)
class Estimate:
    """Describe a picture before it is painted, with its estimated time and memory.

    Attributes:
        method: Name of the method, or of several.
        width: Of the result in pixels.
        height: Of the result in pixels.
        runtime: Device and number format.
        seconds: About how long painting takes.
        memory: About how many bytes it takes, on top of the program and its networks.
    """

    method: str
    width: int
    height: int
    runtime: str
    seconds: float
    memory: int

    def __str__(self) -> str:
        """Return the estimate as a line of text."""
        size = f"{self.width}x{self.height}"
        mebibytes = f"{float(f'{self.memory / 2**20:.2g}'):.0f} MiB"
        seconds = f"{float(f'{self.seconds:.2g}'):g} s"
        return f"{self.method}  {size}  {self.runtime}  about {seconds}, about {mebibytes}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def estimate(
    content: Source,
    style: Source | Style | Sequence[Source | Style],
    *,
    weights: Sequence[float] | None = None,
    masks: Sequence[Source] = (),
    controls: Controls | None = None,
    **options: Any,
) -> Estimate:
    """Estimate what :func:`impasto.stylize` would take with the same arguments; paint nothing.

    Args:
        content: As for :func:`impasto.stylize`.
        style: As for :func:`impasto.stylize`.
        weights: As for :func:`impasto.stylize`.
        masks: As for :func:`impasto.stylize`; they are counted, not read.
        controls: As for :func:`impasto.stylize`.
        options: Further arguments of :class:`impasto.api.resolve.StyleResolver`.

    Raises:
        InputError: An argument cannot be used, or the memory that is granted does not suffice.
    """
    controls = controls or Controls()
    styles = StyleResolver(**options)(style, weights)
    whole = read_image(content)
    default = min(one.method.default_edge(whole.size) for one in styles)
    photo = resize_long_edge(whole, controls.size, default)
    starts = [style.start for style in styles if style.start is not None]
    painted = [one for group in (styles, starts) for one in _passes(group, bool(masks), controls)]
    size = (photo.height, photo.width)
    check_memory([*styles] * (controls.regions or 1), size, controls)
    return Estimate(
        method=", ".join(dict.fromkeys(_names(styles, controls))),
        width=photo.width,
        height=photo.height,
        runtime=styles[0].method.runtime.describe(),
        seconds=painting_seconds(styles, size, bool(masks), controls),
        memory=max(memory_of(method, size, controls) for method in painted),
    )


def painting_seconds(
    styles: Sequence[ResolvedStyle], size: strokes.Size, masked: bool, controls: Controls
) -> float:
    """Return about how many seconds painting takes on this machine.

    Args:
        styles: Resolved styles.
        size: Height and width of the result in pixels.
        masked: Whether there are masks.
        controls: As for :func:`estimate`.
    """
    speed = _SPEED / gigaflops(styles[0].method.runtime)
    starts = [style.start for style in styles if style.start is not None]
    seconds = 0.0
    for group, own in ((styles, controls), (starts, replace(controls, shifts=None))):
        networks = 2 if group and group[0].second is not None and own.shifts != 1 else 1
        passes = _passes(group, masked, own)
        seconds += sum(seconds_of(one, size, own, networks) for one in passes)
    return speed * seconds


def seconds_of(method: Method, size: strokes.Size, controls: Controls, networks: int = 1) -> float:
    """Return how long a method takes for an image of height and width, at 52 GFLOP/s.

    Args:
        method: The method.
        size: Height and width of the result in pixels.
        controls: As for :func:`estimate`.
        networks: Number of networks whose results are averaged, each with fewer shifts.
    """
    sizes, most = _levels(method, size, controls), max(1, method.shifts // networks)
    shifts = [cycle_spinning.count(most, controls.shifts, one) for one in sizes]
    pixels = sum(h * w * count for (h, w), count in zip(sizes, shifts, strict=True))
    steps = 1.0
    if isinstance(config := method.config, OptimizationConfig):
        split = getattr(config, "split_steps", 0)  # None is as many as the others
        steps = config.steps + (config.steps if split is None else split)
        levels = level_count(*size, config.levels, config.smallest_level)
        steps += sum(config.coarse_steps / 4**depth for depth in range(1, levels))
    return cost_of(method).seconds * steps * pixels / 1e6


def memory_of(method: Method, size: strokes.Size, controls: Controls) -> int:
    """Return how many bytes a method takes for an image of height and width.

    A method that would exceed the memory budget works in strips or tiles.
    """
    pixels = max(height * width for height, width in _levels(method, size, controls))
    return min(cost_of(method).memory * pixels, method.runtime.memory_budget())


def cost_of(method: Method) -> Cost:
    """Return the cost of a method; of one that is not in the table, that of a similar one."""
    similar = "johnson" if isinstance(method, Executor) or method.stroke_size else "gatys"
    return COSTS.get(method.name, COSTS[similar])


def gigaflops(runtime: Runtime) -> float:
    """Measure for a tenth of a second how many GFLOP/s matrix products reach on a device."""
    shape = (_PRODUCT, _PRODUCT)
    matrix = torch.rand(shape, device=runtime.device, dtype=runtime.dtype)
    (matrix @ matrix)[0, 0].item()  # the first one is slow; item() waits for the device
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < 0.1:
        (matrix @ matrix)[0, 0].item()
        count += 1
    return count * 2 * _PRODUCT**3 / taken / 1e9


def _levels(method: Method, size: strokes.Size, controls: Controls) -> list[strokes.Size]:
    """Return the sizes that a method paints an image at."""
    native = method.stroke_size
    levels = strokes.sizes(*strokes.arguments(size, controls, native))
    if controls.seamless and native is not None:
        return tiling.wrapped_sizes(size, levels, tiling.border_of(size, levels))
    return levels


def _names(styles: Sequence[ResolvedStyle], controls: Controls) -> Iterator[str]:
    for style in styles:
        yield style.method.name
        if style.second is not None and controls.shifts != 1:
            yield style.second.name


def _passes(styles: Sequence[ResolvedStyle], masked: bool, controls: Controls) -> list[Method]:
    """Return the method of each pass: one for all styles, or one for each region.

    Second networks are the last passes.
    """
    seconds = [style.second for style in styles if style.second and controls.shifts != 1]
    groups = [style.method for style in styles], seconds
    return [method for group in groups for method in _method_passes(group, masked, controls)]


def _method_passes(methods: list[Method], masked: bool, controls: Controls) -> list[Method]:
    if controls.regions is not None:
        methods = methods if len(methods) > 1 else methods * controls.regions
    elif not masked:
        return methods[:1]
    alone = len(set(methods)) == 1
    return methods[:1] if alone and Ability.MASKS in methods[0].abilities else methods
