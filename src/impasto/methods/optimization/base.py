"""The base class of optimising methods: an encoder, a pyramid of sizes, a descent at each size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from impasto.core.memory import spare_memory
from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError, check_choice, check_range
from impasto.losses.objective import Objective
from impasto.losses.tiled import TiledObjective
from impasto.methods.base import Method
from impasto.methods.optimization.levels import Level, StyleImage
from impasto.methods.optimization.memory import (
    Demand,
    feature_bytes,
    least_memory,
    picture_bytes,
    plan_memory,
)
from impasto.methods.optimization.optimizer import SolverConfig, minimize
from impasto.methods.optimization.sizes import level_count, resize, seeded
from impasto.methods.style import Style
from impasto.nn.sizes import check_multiples
from impasto.nn.vgg import Encoder

STARTS = ("content", "noise", "network")

# standard deviation of the initial noise: white noise of full contrast takes a hundred steps to
# remove, and the authors of all these methods start near grey
_NOISE = 0.05
_POOLED = 16  # pixels at a position after four poolings, which cut off a remainder


@dataclass(frozen=True, kw_only=True)
class OptimizationConfig(SolverConfig):
    """Hyperparameters of all optimising methods.

    Attributes:
        arch: ``vgg19`` or ``vgg16``.
        flavor: ``caffe``, ``torchvision`` or ``normalised``.
        pooling: ``max``, ``average`` or ``l2``.
        padding: ``zeros``, ``reflect``, ``replicate`` or ``circular``.
        weights: A name of the table of weights, or a path; None is the default.
        levels: Number of sizes of the pyramid, each half the next; 1 is the full size only.
        smallest_level: Least long side of a level, in pixels; smaller levels are left out.
        coarse_steps: Steps at each level but the last, which takes ``steps``.
        start: Initial image: ``content``, ``noise``, or ``network``, the content image painted by
            the networks of the quality ``fast``, whose colours the result then keeps.
        keep_detail: Whether a level starts from its own initial image plus the enlarged change
            that the level before has made. Otherwise, and always where ``start`` is ``noise``, it
            starts from the enlarged result of the level before.
    """

    arch: str = "vgg19"
    flavor: str = "caffe"
    pooling: str = "max"
    padding: str = "zeros"
    weights: str | None = None
    levels: int = 1
    smallest_level: int = 128  # below it a level has too few features
    coarse_steps: int = 100
    start: str = "content"
    keep_detail: bool = True

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_choice("start", self.start, STARTS)
        check_range(1, levels=self.levels, coarse_steps=self.coarse_steps)
        check_range(1, smallest_level=self.smallest_level)


class OptimizingMethod(Method):
    """Base class of methods that optimise an image; subclasses define the objective."""

    default_size = 512

    @cached_property
    def encoder(self) -> Encoder:
        """Return the encoder of the losses, on the method's device."""
        config = self.config
        encoder = Encoder(
            config.arch,
            flavor=config.flavor,
            pooling=config.pooling,
            padding=config.padding,
            weights=config.weights,
        )
        return encoder.to_runtime(self.runtime)

    @contextmanager
    def seamless(self, height: int, width: int) -> Iterator[None]:
        """Let the encoder wrap around at the edges of images inside the context.

        The whole image is encoded at once, never in tiles.

        Raises:
            InputError: A side is not a multiple of 16 pixels.
        """
        check_multiples(height, width, _POOLED, self.name)
        config, encoder = self.config, self.__dict__.pop("encoder", None)
        self.config = replace(config, padding="circular")
        try:
            yield
        finally:
            self.config = config
            self.__dict__.pop("encoder", None)
            if encoder is not None:
                self.__dict__["encoder"] = encoder

    def objective(self, level: Level) -> Objective:
        """Return the objective to minimise at one level."""
        raise NotImplementedError

    def demand(self, height: int, width: int, style_pixels: float) -> Demand:
        """Return the memory that the objective needs at one size.

        Args:
            height: Of the image in pixels.
            width: Of the image in pixels.
            style_pixels: Sum of the pixels of all style images.
        """
        layers = getattr(self.config, "content_layers", ())
        held = feature_bytes(layers, height * width, self.runtime.dtype.itemsize)
        return Demand(tiled=self.config.padding != "circular", held=held)

    def least_memory(self, height: int, width: int, style_pixels: float) -> int:
        """Return the smallest memory budget in bytes: smallest tiles, and a short history."""
        demand = self.demand(height, width, style_pixels)
        least = least_memory(height, width, self.config, self.runtime.dtype.itemsize, demand)
        return least + picture_bytes(height, width, style_pixels)

    def nothing(self, level: Level) -> Objective:
        """Return an objective without any loss, for the whole image or for its tiles."""
        if level.tile is None or self.config.padding == "circular":
            return Objective(self.encoder, level.regions)
        return TiledObjective(self.encoder, level.regions, side=level.tile)

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """Optimise an image for the content of one image and the style of others."""
        styles = self._styles(style, bool(regions))
        height, width = content.shape[-2:]
        device = self.runtime.device
        base = None if self.base is None else self.base.to(device)
        full = Level(height, width, content.to(device), styles, tuple(regions), base=base)
        return self.descend(full, seed=seed, callback=callback)

    def descend(
        self,
        full: Level,
        *,
        seed: int,
        callback: Callback,
        bounds: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Minimise the objective from the smallest level to the full size.

        Args:
            full: The level of the full size.
            seed: Of all random numbers.
            callback: Called after every step; cancelling returns the best image so far.
            bounds: See :func:`~impasto.methods.optimization.optimizer.minimize`.

        Returns:
            (1, 3, H, W), clamped to [0, 1].

        Raises:
            DivergedError: The loss grew without bound, even after restarts.
            InputError: The memory that the caller granted does not suffice.
        """
        self.check_memory(full.height, full.width, full.style_pixels)
        pictures = picture_bytes(full.height, full.width, full.style_pixels)
        config, levels = self.config, list(self._pyramid(full))
        total = config.coarse_steps * (len(levels) - 1) + config.steps
        image, before, done = None, levels[0], 0
        with seeded(seed, self.runtime.device):
            for number, level in enumerate(levels, start=1):
                steps = config.steps if number == len(levels) else config.coarse_steps
                size = level.height, level.width
                demand = self.demand(*size, level.style_pixels)
                demand = demand._replace(held=demand.held + pictures)
                fitted = plan_memory(*size, config, self.runtime, demand)
                with spare_memory() if fitted.tight else nullcontext():
                    objective = self.objective(replace(level, tile=fitted.tile))
                    stage = f"level {number} of {len(levels)}, {level.width}x{level.height}"
                    if objective.tile is not None:
                        stage = f"{stage} in tiles of {objective.tile}"
                    result = minimize(
                        objective,
                        self._start(level) if image is None else self._next(image, before, level),
                        replace(config, steps=steps, history=fitted.history),
                        bounds=bounds,
                        callback=callback,
                        frame=Progress(done, total, stage=stage),
                    )
                image, before, done = result.image, level, done + steps
                if result.cancelled:
                    break
        assert image is not None
        return self._next(image, before, full).clamp(0, 1)

    def _styles(self, style: Style, confined: bool) -> tuple[StyleImage, ...]:
        parts = style.expect(self.name).parts
        total = 1.0 if confined else sum(part.weight for part in parts)
        if not total > 0:
            raise InputError("the weights of the styles must sum to more than 0")
        return tuple(
            StyleImage(
                part.tensors["picture"].to(self.runtime.device),
                part.weight / total,
                index if confined else None,
            )
            for index, part in enumerate(parts)
        )

    def _pyramid(self, full: Level) -> Iterator[Level]:
        """Yield the levels from the smallest to the full size.

        A video frame that starts from the frame before it has the full size only, since its coarse
        structure is already painted.
        """
        most = self.config.levels if self._before is None else 1
        count = level_count(full.height, full.width, most, self.config.smallest_level)
        for depth in range(count - 1, 0, -1):
            yield full.scaled(0.5**depth)
        yield full

    def _next(self, image: Tensor, before: Level, level: Level) -> Tensor:
        """Return the start of a level, or the final image, from the result of the level before.

        With ``keep_detail`` the difference between the result and the initial image of its level
        is enlarged and added to the initial image of the next level. With the content image as
        initial image, its initial loss is half of that of an enlarged result, and the final image
        is sharper.
        """

        def enlarged(result: Tensor) -> Tensor:
            circular = self.config.padding == "circular"
            return resize(result, level.height, level.width, circular=circular)

        kept = self.config.keep_detail and self.config.start != "noise"
        if not kept or level.initial is None or before.initial is None:
            return enlarged(image)
        return level.initial + enlarged(image - before.initial)

    @property
    def _before(self) -> Tensor | None:
        """Return the image that a frame of a video starts from, or None."""
        return None if self.frame is None else self.frame.start

    def _start(self, level: Level) -> Tensor:
        before = self._before
        if before is not None:
            return resize(before.to(self.runtime.device), level.height, level.width)
        if self.config.start == "network" and level.content is not None and level.base is None:
            raise InputError("start=network needs the network's picture: use impasto.stylize")
        if self.config.start != "noise" and level.initial is not None:
            return level.initial
        noise = torch.randn(1, 3, level.height, level.width).to(self.runtime.device)
        return (0.5 + _NOISE * noise).clamp(0, 1)
