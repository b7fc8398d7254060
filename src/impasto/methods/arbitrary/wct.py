"""Style transfer by whitening and colouring transforms (WCT).

Li et al., "Universal Style Transfer via Feature Transforms", NIPS 2017. The decoders are trained to
reconstruct images, without any style. An affine map gives the content features the mean and the
covariance of the style features. This is done at up to five levels, from the coarsest to the
finest; each level encodes the image that the level before it has decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from impasto.alignment.whitening import (
    Gaussian,
    Roots,
    Transport,
    blend,
    gaussian,
    merged,
    monge,
    part_way,
    roots,
    transported,
    wct,
)
from impasto.core.device import Runtime
from impasto.core.progress import Callback, PartProgress, Progress, silent
from impasto.errors import InputError, check_choice, check_range
from impasto.methods.arbitrary.adain import AdaIn
from impasto.methods.arbitrary.base import STATISTICS, AnyStyleConfig, AnyStyleMethod, Decoders
from impasto.methods.arbitrary.tiled_encoding import feature_tiles
from impasto.methods.arbitrary.wct_training import WctTask, initialize_from
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Part, Style
from impasto.models.checkpoint import Model
from impasto.nn import tiled_inference
from impasto.nn.decoder import LAYERS
from impasto.training.task import Task

TRANSPORTS = {"wct": wct, "monge": monge}
SQUARES = ("mean", "sum")


@dataclass(frozen=True, kw_only=True)
class WctConfig(AnyStyleConfig):
    """Hyperparameters of the transforms, and of the decoders' loss.

    Attributes:
        alpha: Weight of the transformed features against the content features, in [0, 1]
            (equation 4).
        levels: Layers whose features are transformed, in this order.
        transport: ``wct`` for whitening and colouring, or ``monge`` for the Monge map, the optimal
            transport between the two Gaussians.
        floor: Eigenvalues of a covariance up to this are dropped.
        statistics: Where masks are given, what the content mean and covariance are computed over:
            the ``whole`` content image, or each ``region`` alone. A region of fewer positions than
            channels loses detail.
        rounds: Number of passes through all levels in texture synthesis.
        trained: Layers whose decoders learn; the others keep the weights that they start from.
        pixel_weight: Weight of the squared error of pixels in training; the squared error of
            features has weight 1.
        squares: Reduction of both squared errors: ``mean`` or ``sum``.
    """

    alpha: float = 0.6  # authors' code
    # Ours: relu5_1 distorts the content more than it adds to the style, and the Monge map distorts
    # it less than whitening and colouring.
    levels: tuple[str, ...] = ("relu4_1", "relu3_1", "relu2_1", "relu1_1")
    transport: str = "monge"
    floor: float = 1e-5  # authors' code, where the mean of a channel is 1; here its mean square is
    statistics: str = "whole"
    rounds: int = 3  # authors' code
    trained: tuple[str, ...] = LAYERS
    pixel_weight: float = 20.0  # ours, as for adain
    squares: str = "mean"

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(0, 1, alpha=self.alpha)
        for name in ("levels", "trained"):
            chosen = getattr(self, name)
            if not chosen or not set(chosen) <= set(LAYERS):
                raise InputError(f"{name} are some of {', '.join(LAYERS)}, not {chosen}")
        check_range(0, floor=self.floor, pixel_weight=self.pixel_weight)
        check_range(1, rounds=self.rounds)
        check_choice("transport", self.transport, TRANSPORTS)
        check_choice("statistics", self.statistics, STATISTICS)
        check_choice("squares", self.squares, SQUARES)

    @classmethod
    def paper(cls) -> WctConfig:
        """Return the config of sections 3 and 4, with the authors' normalised VGG-19."""
        return cls(
            flavor="normalised",
            units="none",
            levels=tuple(reversed(LAYERS)),  # figure 1c
            transport="wct",  # section 3.2
            statistics="region",  # authors' code
            pixel_weight=1.0,  # equation 1, λ = 1
            squares="sum",
        )


@register_method(
    "wct",
    "any style without having seen one: covariances of features, on five levels",
    Paper(
        "Li, Fang, Yang, Wang, Lu, Yang",
        "Universal Style Transfer via Feature Transforms",
        "NIPS",
        2017,
        "https://arxiv.org/abs/1705.08086",
    ),
    family="arbitrary",
    abilities=Ability.STYLIZE | Ability.SYNTHESIZE | Ability.BLEND | Ability.MASKS | Ability.TRAIN,
)
class Wct(AnyStyleMethod):
    """A sequence of up to five encoders and decoders, with a transform of features in each."""

    Config = WctConfig
    config: WctConfig
    multiple = 16  # four poolings before relu5_1
    least = 32
    shifts = 4
    adjustable = ("alpha", "levels", "transport", "floor", "statistics", "rounds")

    @classmethod
    def network(cls, config: WctConfig) -> Decoders:
        """Return decoders for all five levels, also for those that the config does not use."""
        return Decoders(LAYERS, config.upsampling)

    @classmethod
    def task(cls, config: WctConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """Return the training task with the loss of section 3.1."""
        if styles:
            raise InputError("wct learns from photographs alone: leave out `style`")
        return WctTask(config, cls.network(config), runtime)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """Initialise the decoders from a model of this method, or of adain.

        Each copies as many of the last layers of adain's decoder as it has itself.
        """
        if other.method == cls.name:
            super().start(module, other)
            return
        donor = AdaIn.open(other).module if other.method == AdaIn.name else None
        if donor is None or not isinstance(module, Decoders):
            raise InputError(f"a model of {other.method}, not of {cls.name} or adain")
        (decoder,) = donor.decoders.values()
        initialize_from(decoder, module.decoders)

    def encode(self, picture: Tensor) -> Style:
        """Compute mean (1, C) and covariance (1, C, C) of style features at all five levels."""
        tensors: dict[str, Tensor] = {}
        for layer, found in self._gaussians(self.enlarged(picture)).items():
            unit = self.units(layer).to(found.mean)
            tensors[f"{layer}.mean"] = found.mean * unit
            tensors[f"{layer}.covariance"] = found.covariance * unit * unit[:, None]
        return Style(self.name, (Part(tensors),))

    @torch.no_grad()
    def _gaussians(self, picture: Tensor) -> dict[str, Gaussian]:
        """Compute mean and covariance at all five levels, in tiles beyond the memory budget."""
        parts: dict[str, list[Gaussian]] = {layer: [] for layer in LAYERS}
        counts: dict[str, list[int]] = {layer: [] for layer in LAYERS}
        for features in feature_tiles(self.encoder, picture, LAYERS, self.runtime):
            for layer, found in features.items():
                parts[layer].append(gaussian(found))
                counts[layer].append(found.shape[-2] * found.shape[-1])
        return {layer: merged(parts[layer], counts[layer]) for layer in LAYERS}

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """Paint at one level after another (figure 1c); if cancelled, return the last result."""
        alpha = self.config.alpha
        return self.fitted(lambda x: self._descend(x, style, regions, alpha, callback), content)

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Synthesise a texture (1, 3, height, width) from noise, in several passes."""
        chance = torch.Generator().manual_seed(seed)

        def paint(picture: Tensor) -> Tensor:
            for index in range(self.config.rounds):
                watch = PartProgress(callback, index, self.config.rounds)
                picture = self._descend(picture, style, (), 1.0, watch)
                if watch.cancelled:
                    break
            return picture

        return self.fitted(paint, torch.rand(1, 3, height, width, generator=chance))

    def _descend(
        self,
        picture: Tensor,
        style: Style,
        regions: Sequence[Tensor],
        alpha: float,
        callback: Callback,
    ) -> Tensor:
        levels = self.config.levels
        for done, layer in enumerate(levels, start=1):
            settle = partial(self._map, layer, style, alpha)
            if regions:
                (x,) = self._encoded(picture, [layer])  # (1, C, h, w)
                target = self._in_regions(x, layer, style, regions, alpha)
                picture = self.decode(target, layer)
            else:
                picture = self._run_on(partial(self._level, layer, settle), picture)
            shown = picture.clamp(0, 1)
            progress = Progress(done, len(levels), stage=layer, preview=shown.clone)
            callback(progress)
            if progress.cancelled:
                break
        return picture

    def _level(
        self, layer: str, settle: Callable[[Gaussian], Transport], picture: Tensor
    ) -> Tensor:
        """Encode, transform and decode an image: one level of figure 1c."""
        (x,) = self._encoded(picture, [layer])  # (1, C, h, w)
        return self.decode(transported(x, settle), layer)

    @torch.no_grad()
    def _encoded(self, picture: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Compute features of an image (1, 3, H, W) at some layers, in the runtime's format."""
        found = self.encoder(picture.to(self.runtime.device), layers)
        return [found[layer] for layer in layers]

    @torch.no_grad()
    def decode(self, features: Tensor, layer: str) -> Tensor:
        """Decode features to an image (1, 3, H, W) in the runtime's number format, not clamped."""
        features = features.contiguous(memory_format=torch.channels_last)
        with self.runtime.autocast():
            picture: Tensor = self.module(features, layer)
        return picture

    def _run_on(self, function: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
        """Call a function on a padded image (1, 3, H, W): in strips, if it is too large."""
        if self.too_large(picture):
            return tiled_inference.run(function, picture, dtype=self.runtime.dtype)
        return function(picture)

    @torch.no_grad()
    def _map(self, layer: str, style: Style, alpha: float, own: Gaussian) -> Transport:
        """Return the blended map of all parts for content features with these statistics."""
        weights = style.expect(self.name).shares().tolist()
        photo, transport = self._photo(own, layer), TRANSPORTS[self.config.transport]
        maps = [transport(photo, self._painting(part, layer)) for part in style]
        return part_way(blend(maps, weights), alpha)  # equation 4

    @torch.no_grad()
    def _in_regions(
        self, x: Tensor, layer: str, style: Style, regions: Sequence[Tensor], alpha: float
    ) -> Tensor:
        """Transform features (1, C, h, w) by the map of each part, weighted by its region."""
        alone = self.config.statistics == "region"
        whole = None if alone else self._photo(gaussian(x), layer)
        weights = self.shares(style, regions, layer)
        target = (1 - torch.stack(weights).sum(0)) * x.float()  # unchanged outside all regions
        for part, weight in zip(style, weights, strict=True):
            photo = whole or self._photo(gaussian(x, guide=weight), layer)
            transport = TRANSPORTS[self.config.transport](photo, self._painting(part, layer))
            target = target + weight * transport(x)
        return torch.lerp(x.float(), target, alpha)

    def _painting(self, part: Part, layer: str) -> Roots:
        """Return the statistics of a part in the units of the decoder."""
        mean, covariance = (part.tensors[f"{layer}.{n}"] for n in ("mean", "covariance"))
        unit = self.units(layer).to(mean)
        return self._roots(Gaussian(mean / unit, covariance / unit / unit[:, None]))

    def _photo(self, own: Gaussian, layer: str) -> Roots:
        settle = self.settle(layer)
        return self._roots(own if settle is None else Gaussian(*settle(*own)))

    def _roots(self, of: Gaussian) -> Roots:
        return roots(of, floor=self.config.floor)
