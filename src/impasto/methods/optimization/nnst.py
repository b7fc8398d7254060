"""NNST: each feature vector of the image is matched to its nearest neighbour in the style image.

Kolkin et al., "Neural Neighbor Style Transfer", 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.core.memory import spare_memory
from impasto.core.progress import Callback, Progress
from impasto.errors import InputError, check_range
from impasto.image.color_transfer import match_chroma
from impasto.image.filters import enlarge_like
from impasto.losses.neighbors import tones
from impasto.methods.base import Method
from impasto.methods.optimization.base import OptimizationConfig, OptimizingMethod
from impasto.methods.optimization.laplacian import join_bands, split_bands, without_fine_bands
from impasto.methods.optimization.levels import Level
from impasto.methods.optimization.memory import picture_bytes
from impasto.methods.optimization.optimizer import minimize
from impasto.methods.optimization.phases import Phase, Scale
from impasto.methods.optimization.pool import Matching, Pool, grid_of
from impasto.methods.optimization.pool_losses import MatchedLoss, SplitLoss, structure_loss
from impasto.methods.optimization.sizes import resize, seeded
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper

_LEAST_REDUCED = 256  # long side in pixels that images are not reduced below
_CHANNELS = 800  # numbers per pixel of the image in memory, and half as many per pixel of a style
_FINISHING = 72  # bytes per pixel at full size to enlarge the image and match its chroma

RELU1_1_TO_4_3 = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2"),
    *("relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"),
)


@dataclass(frozen=True, kw_only=True)
class NNSTConfig(OptimizationConfig):
    """Hyperparameters of the method.

    Attributes:
        reduction: The image is optimised at its size divided by this, at 256 pixels or more, and
            enlarged by :func:`impasto.image.filters.enlarge_like`; 2 takes a quarter of the time.
        largest_level: Most pixels along the long side of the image that is optimised; 0 is any
            number. If the memory budget requires it, the image is smaller.
        split_steps: Steps of the last phase, in which each layer is matched on its own; None is as
            many as ``steps``, the number of steps at full size before it.
        layers: Layers whose features are matched.
        content_weight: α, weight of the content image in the image whose features are matched; the
            rest is the result of the scale before.
        blank_bands: Number of the content image's finest Laplacian bands that are left out of the
            initial image.
        tone_weight: Weight of lightness and local contrast in the match, against the cosine of the
            features; 0 in the paper. See :func:`impasto.losses.neighbors.with_tones`.
        structure_weight: Weight of a content loss at ``structure_layer``: the difference of the
            self-similarity to that of the content image; 0 in the paper. See
            :func:`impasto.losses.self_similarity.self_similarity_loss`.
        structure_layer: See ``structure_weight``.
        lengths: Whether the lengths of feature vectors are compared as well as their directions;
            otherwise large steps increase the contrast. See
            :func:`impasto.losses.neighbors.pairs_loss`.
        rotations: Whether copies of the style image rotated by 90, 180 and 270 degrees are matched
            too.
        directions: Number of principal directions in which feature vectors are compared; 0 is all.
            With 256, about 87 % of the matches are the same as with all.
        samples: Number of rows and of columns of positions in each step of the last phase.
        chroma: Whether the result gets the mean and covariance of the style image's a and b in
            OKLab; its lightness does not change. Ignored if there are several style images.
    """

    optimizer: str = "adam"  # authors' code
    learning_rate: float = 4e-3  # authors' code: 2e-3; 1e-2 leaves a weave in flat areas
    final_rate: float = 0.1
    averaging: float = 0.9
    reduction: float = 1.0
    largest_level: int = 1024
    bands: int = 8  # authors' code
    levels: int = 4  # authors' code: 64, 128, 256 and 512 pixels
    smallest_level: int = 48
    steps: int = 25
    coarse_steps: int = 40
    split_steps: int | None = None
    layers: tuple[str, ...] = RELU1_1_TO_4_3  # section 3.1
    content_weight: float = 0.75  # authors' code
    blank_bands: int = 3  # authors' code
    tone_weight: float = 0.3
    structure_weight: float = 4.0
    structure_layer: str = "relu3_1"
    lengths: bool = True
    rotations: bool = False
    directions: int = 256
    samples: int = 48
    chroma: bool = True

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(1, split_steps=1 if self.split_steps is None else self.split_steps)
        check_range(0, tone_weight=self.tone_weight, structure_weight=self.structure_weight)
        check_range(0, directions=self.directions, blank_bands=self.blank_bands)
        check_range(0, largest_level=self.largest_level)
        check_range(1, reduction=self.reduction)
        check_range(0, 1, content_weight=self.content_weight)
        if self.samples < 2 or not self.layers:
            raise InputError("samples must be at least 2, and layers at least one")
        if self.structure_weight and self.structure_layer not in self.layers:
            raise InputError(
                f"structure_layer {self.structure_layer} is not among the layers: "
                f"add it to them, or set structure_weight=0"
            )

    @classmethod
    def paper(cls) -> NNSTConfig:
        """Return the config of section 3: 200 steps at each scale; with VGG-19 for their VGG-16."""
        return cls(
            largest_level=0,
            learning_rate=2e-3,
            final_rate=1.0,
            averaging=0.0,
            steps=200,
            coarse_steps=200,
            tone_weight=0.0,
            structure_weight=0.0,
            lengths=False,
            directions=0,
            samples=64,
            chroma=False,
        )

    @classmethod
    def authors(cls) -> NNSTConfig:
        """Return the config of the authors' code: rotated copies, and the colour step."""
        return replace(cls.paper(), rotations=True, chroma=True)


@register_method(
    "nnst",
    "each feature vector replaced by its nearest in the painting, coarse to fine",
    Paper(
        "Kolkin, Kucera, Paris, Sykora, Shechtman, Shakhnarovich",
        "Neural Neighbor Style Transfer",
        "arXiv",
        2022,
        "https://arxiv.org/abs/2203.13215",
    ),
    family="optimization",
    abilities=Ability.STYLIZE | Ability.MASKS | Ability.BLEND,
)
class NNST(OptimizingMethod):
    """Runs algorithm 1: match hypercolumns at each scale, and at the end each layer on its own."""

    Config = NNSTConfig
    config: NNSTConfig
    seamless = Method.seamless  # type: ignore[assignment]  # even a circular encoder leaves a seam

    def descend(self, full: Level, *, seed: int, callback: Callback, bounds: Any = None) -> Tensor:
        """Run all phases, and enlarge the image to the full size: (1, 3, H, W) in [0, 1]."""
        self.check_memory(full.height, full.width, full.style_pixels)
        content, largest = full.content, self._largest(full)
        assert content is not None  # this method only stylizes
        image = resize(self._optimize(largest, seed, callback), largest.height, largest.width)
        return self._finished(enlarge_like(image, content).clamp(0, 1), full)

    def _largest(self, full: Level) -> Level:
        """Return the level of the size at which the image is optimised."""
        config, long = self.config, max(full.height, full.width)
        side = max(long / config.reduction, min(long, _LEAST_REDUCED))
        side = min(side, config.largest_level or side)
        granted = self.runtime.memory_budget()
        granted -= picture_bytes(full.height, full.width, full.style_pixels)
        needed = self._optimizing_bytes(full.height * full.width, full.style_pixels)
        side = min(side, long * (max(granted, 0) / needed) ** 0.5)
        side = max(side, min(long, _LEAST_REDUCED, config.largest_level or long))
        return full if side >= long else full.scaled(side / long)

    def least_memory(self, height: int, width: int, style_pixels: float) -> int:
        """Return the smallest memory budget in bytes, with which 256 pixels are optimised."""
        long = max(height, width)
        side = min(long, _LEAST_REDUCED, self.config.largest_level or long)
        pixels, reduced = height * width, (side / long) ** 2
        optimizing = self._optimizing_bytes(pixels, style_pixels) * reduced
        finishing = _FINISHING * pixels
        return picture_bytes(height, width, style_pixels) + round(max(optimizing, finishing))

    def _optimizing_bytes(self, pixels: float, style_pixels: float) -> float:
        return (pixels + style_pixels / 2) * _CHANNELS * self.runtime.dtype.itemsize

    def _optimize(self, full: Level, seed: int, callback: Callback) -> Tensor:
        """Run all phases from the smallest scale to the largest: (1, 3, h, w), not clamped."""
        phases = list(self._phases(full))
        total, done = sum(phase.steps for phase in phases), 0
        image: Tensor | None = None
        with seeded(seed, self.runtime.device):
            for number, phase in enumerate(phases, start=1):
                level = phase.level
                size = level.height, level.width
                start = self._first(level) if image is None else resize(image, *size)
                with spare_memory():  # frees the memory of the match before the optimisation
                    if not phase.split:
                        scale = self._scale(level)
                    objective = self._objective(phase, scale, start, fresh=image is None)
                name = "layers apart" if phase.split else f"scale {number} of {len(phases) - 1}"
                result = minimize(
                    objective,
                    start,
                    replace(self.config, steps=phase.steps),
                    callback=callback,
                    frame=Progress(done, total, stage=f"{name}, {level.width}x{level.height}"),
                )
                image, done = result.image, done + phase.steps
                if result.cancelled:
                    break
        return cast("Tensor", image)  # there is at least one phase

    def _phases(self, full: Level) -> Iterator[Phase]:
        config, levels = self.config, list(self._pyramid(full))
        for level in levels[:-1]:
            yield Phase(level, config.coarse_steps, split=False)
        yield Phase(levels[-1], config.steps, split=False)
        yield Phase(levels[-1], config.split_steps or config.steps, split=True)

    def _first(self, level: Level) -> Tensor:
        """Return the initial image; of a content image the coarse bands only."""
        start = self._start(level)
        if start is not level.content:
            return start
        return without_fine_bands(start, self.config.bands, self.config.blank_bands)

    def _pool(self, level: Level) -> Pool:
        config = self.config
        turns = range(4 if config.rotations else 1)
        # a style of weight 0 is left out of a blend; with regions, indices of styles must stay
        styles = [style for style in level.styles if level.regions or style.weight > 0]
        views = [[torch.rot90(style.image, turn, (2, 3)) for turn in turns] for style in styles]
        weights = torch.tensor([style.weight for style in styles], device=self.runtime.device)
        if level.regions:
            weights = torch.stack([region.mean() for region in level.regions]).to(weights)
        matching = Matching(
            tone_weight=config.tone_weight,
            directions=config.directions,
            samples=config.samples,
            lengths=config.lengths,
            fast=self.encoder.dtype == torch.bfloat16,
        )
        return Pool(self.encoder, config.layers, views, weights / weights.sum(), matching)

    def _scale(self, level: Level) -> Scale:
        content = level.content
        assert content is not None  # this method only stylizes
        grid = grid_of(level.height, level.width)
        owners, own = None, self.config
        if level.regions:
            masks = torch.cat([F.interpolate(r, grid, mode="area") for r in level.regions], dim=1)
            owners = masks.to(content.device).argmax(1, keepdim=True)
        guard = structure_loss(self.encoder, content, own.structure_layer, own.structure_weight)
        return Scale(content, self._pool(level), tones(content, *grid), owners, guard)

    def _objective(
        self, phase: Phase, scale: Scale, start: Tensor, *, fresh: bool
    ) -> Callable[[Tensor], Mapping[str, Tensor]]:
        content, pool, light, owners, guard = scale
        if phase.split:
            return SplitLoss(pool, light, owners, guard)
        query, config = content, self.config
        if not fresh or self._before is not None:
            detailed = [split_bands(content, 2)[0], *split_bands(start, config.bands)[1:]]
            query = torch.lerp(join_bands(detailed), content, config.content_weight)
        with torch.no_grad():
            indices = pool.match(self.encoder(query, config.layers), light, owners)
        return MatchedLoss(pool, indices, guard)

    def _finished(self, image: Tensor, full: Level) -> Tensor:
        styles = [style for style in full.styles if style.weight > 0]
        moved = self.config.chroma and len(styles) == 1
        return match_chroma(image, styles[0].image) if moved else image
