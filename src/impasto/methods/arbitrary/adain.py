"""Style transfer with adaptive instance normalisation (AdaIN).

Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
ICCV 2017. A fixed VGG-19 encodes both images; equation 8 gives the content features the mean and
deviation of the style features; a decoder, the only trained part, makes an image of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from impasto.alignment.adain import adain
from impasto.core.device import Runtime
from impasto.errors import InputError, check_choice, check_range
from impasto.losses.moments import moments
from impasto.losses.objective import Objective
from impasto.losses.terms import layers_of, parse
from impasto.methods.arbitrary.base import (
    STATISTICS,
    AnyStyleConfig,
    AnyStyleMethod,
    Decoders,
    DecodersTask,
)
from impasto.methods.arbitrary.tiled_encoding import tiled_moments
from impasto.methods.arbitrary.units import up_to
from impasto.methods.graphs import Graph, Input, picture, uniform
from impasto.methods.registry import register_method
from impasto.methods.sample_task import PaintingTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Part, Style
from impasto.nn.decoder import LAYERS
from impasto.nn.norm_statistics import Settle
from impasto.nn.vgg import Encoder
from impasto.training.shift import same_within_pairs, with_shift
from impasto.training.task import Batch, Task


@dataclass(frozen=True, kw_only=True)
class AdaInConfig(AnyStyleConfig):
    """Hyperparameters of the network, of its use, and of its loss.

    Attributes:
        alpha: Strength of the style: 1 is the full style, 0 the content image as the decoder
            reconstructs it (equation 14).
        statistics: Where masks are given, what μ(x) and σ(x) are computed over: the ``whole``
            content image, or each ``region`` alone, which is unreliable for small regions.
        layer: Layer whose features are aligned: ``relu1_1`` to ``relu4_1``.
        style_weight: λ of equation 11.
        losses: The style loss as text, see :mod:`impasto.losses.terms`; ``moments`` is equation 13.
        reconstruct: Fraction of the steps, the first ones, that train only reconstruction.
        rehearse: Period of further reconstruction steps after that: every n-th step; 0 for none.
        pixel_weight: Weight of the squared error of pixels against features in these steps.
    """

    alpha: float = 1.0  # authors' code
    statistics: str = "whole"
    layer: str = "relu4_1"  # section 6.1
    style_weight: float = 8.0
    losses: str = "moments"
    # Ours, with ``units``: after 25 minutes of training the style loss is 0.31 of the content
    # image's instead of 0.47, and edges are sharp.
    reconstruct: float = 0.35
    rehearse: int = 4
    pixel_weight: float = 20.0

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(0, 1, alpha=self.alpha, reconstruct=self.reconstruct)
        check_range(0, style_weight=self.style_weight, pixel_weight=self.pixel_weight)
        check_range(0, rehearse=self.rehearse)
        parse(self.losses)
        check_choice("statistics", self.statistics, STATISTICS)
        check_choice("layer", self.layer, LAYERS[:-1])

    @classmethod
    def paper(cls) -> AdaInConfig:
        """Return the config of sections 6 and 7, with the authors' normalised VGG-19."""
        return cls(
            flavor="normalised",
            units="none",
            statistics="region",  # "separately to different regions"
            style_weight=10.0,  # not stated; the value of the common reimplementation
            reconstruct=0.0,
            rehearse=0,
        )

    @classmethod
    def authors(cls) -> AdaInConfig:
        """Return the defaults of the authors' code, AdaIN-style, which sums over channels."""
        # train.lua, whose criterion has sizeAverage = false
        return replace(cls.paper(), style_weight=1e-2, losses="moments(reduction=sum)")


class AdaInTask(DecodersTask, PaintingTask):
    """The training of equations 9 to 13, with steps of reconstruction, see :class:`AdaInConfig`."""

    config: AdaInConfig

    def __init__(self, config: AdaInConfig, runtime: Runtime) -> None:
        super().__init__(config, AdaIn.network(config), runtime)
        self.layers, self.terms = up_to(config.layer), parse(config.losses)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the content and style losses, or the reconstruction loss, of a batch."""
        content, style, layer = batch["content"], batch["style"], self.config.layer
        self.remember(content, style)
        if self._is_reconstruction(batch):
            return self._reconstruction(module, torch.cat([content[::2], style[1::2]]))
        with torch.no_grad():
            photo = self.encoder(content, [layer])[layer]  # f(c), (B, C, h, w)
            style = same_within_pairs(batch, style)
            painting = self.encoder(style, layers_of(self.terms, self.layers))
            target = adain(photo, *moments(painting[layer]))  # t, equation 9
        made = module(target, layer)  # g(t), equation 10: (B, 3, H, W)
        objective = Objective(self.encoder).add_content({layer: target}, {layer: 1.0})  # not f(c)
        weight, layers = self.config.style_weight, dict.fromkeys(self.layers, 1.0)
        objective.add_style(painting, self.terms, layers, weight=weight)  # equation 13
        return with_shift(objective(made), made, batch)

    def _is_reconstruction(self, batch: Batch) -> bool:
        begins, every = self.config.reconstruct * batch.steps, self.config.rehearse
        return batch.step < begins or (every > 0 and batch.step % every == every - 1)

    def _reconstruction(self, module: nn.Module, pictures: Tensor) -> Mapping[str, Tensor]:
        """Compare g(f(x)) with x: the pixels, and the features of all layers."""
        with torch.no_grad():
            wanted = self.encoder(pictures, self.layers)
        made = module(wanted[self.config.layer], self.config.layer)
        objective = Objective(self.encoder).add_content(wanted, dict.fromkeys(self.layers, 1.0))
        losses = objective.add_pixels(pictures, self.config.pixel_weight)(made)
        losses["features"] = losses.pop("content")
        return losses

    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """Paint a content image (1, 3, H, W) by AdaIN and the decoder."""
        painted: Tensor = AdaInNet(self.encoder, module, self.config.layer)(photo, painting)
        return painted


class AdaInNet(nn.Module):
    """Encoder, adaptive instance normalisation of a layer, decoder: the network that paints."""

    def __init__(self, encoder: Encoder, decoder: nn.Module, layer: str) -> None:
        super().__init__()
        self.encoder, self.decoder, self.layer = encoder, decoder, layer

    def forward(
        self,
        content: Tensor,
        style: Tensor | Sequence[Tensor],
        alpha: Tensor | float = 1.0,
        *,
        regions: Sequence[Tensor] = (),
        guided: bool = False,
        settle: Settle | None = None,
    ) -> Tensor:
        """Paint content images by equations 8 and 14; with regions by equation 15.

        Args:
            content: (B, 3, H, W) in [0, 1], H and W multiples of 8.
            style: Style images (B, 3, h, w); or μ(y) and σ(y), (B, C) or with regions (P, C) each.
            alpha: Strength of the style, a number or (1,).
            regions: The weight of each of P styles at each position of the layer, (1, 1, h, w); the
                rest is the weight of the content features.
            guided: Whether μ(x) and σ(x) of a region are computed over the region only.
            settle: See :func:`impasto.alignment.adain.adain`.

        Returns:
            (B, 3, H, W), not clamped.
        """
        x = self._features(content)
        mean, std = moments(self._features(style)) if isinstance(style, Tensor) else style
        if regions:
            target = (1 - torch.stack([*regions]).sum(0)) * x
            for mu, sigma, weight in zip(mean.split(1), std.split(1), regions, strict=True):
                guide = weight if guided else None
                target = target + weight * adain(x, mu, sigma, guide=guide, settle=settle)
        else:
            target = adain(x, mean, std, settle=settle)
        painted: Tensor = self.decoder(torch.lerp(x, target, alpha), self.layer)
        return painted

    def _features(self, image: Tensor) -> Tensor:
        return self.encoder(image, [self.layer])[self.layer].float()


@register_method(
    "adain",
    "one network for every style: means and deviations of features",
    Paper(
        "Huang, Belongie",
        "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
        "ICCV",
        2017,
        "https://arxiv.org/abs/1703.06868",
    ),
    family="arbitrary",
    abilities=Ability.STYLIZE | Ability.BLEND | Ability.MASKS | Ability.TRAIN | Ability.EXPORT,
)
class AdaIn(AnyStyleMethod):
    """Style transfer for any style: encoder, AdaIN (equation 8), decoder."""

    Config = AdaInConfig
    config: AdaInConfig
    multiple = 8  # three poolings before relu4_1
    shifts = 4
    adjustable = ("alpha", "statistics")

    @classmethod
    def network(cls, config: AdaInConfig) -> Decoders:
        """Return the decoder of section 6.1."""
        return Decoders([config.layer], config.upsampling)

    @classmethod
    def task(cls, config: AdaInConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """Return the training task with the loss of section 6.2."""
        if styles:
            raise InputError("adain learns from many paintings: give a folder as `style`")
        return AdaInTask(config, runtime)

    @cached_property
    def pipeline(self) -> AdaInNet:
        """Return the whole network, of which the decoder is trained."""
        return AdaInNet(self.encoder, self.module, self.config.layer)

    def encode(self, picture: Tensor) -> Style:
        """Compute μ(y) and σ(y) of the features of a style image, (1, C) each."""
        layer, picture = self.config.layer, self.enlarged(picture)
        found = tiled_moments(self.encoder, picture, [layer], self.runtime)
        mean, std = (part * self.units(layer) for part in found[layer])
        return Style(self.name, (Part({"mean": mean, "std": std}),))

    def painter(
        self, content: Tensor, style: Style, regions: Sequence[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Return the network for a style: equation 14, and 15 for a blend of styles."""
        layer, units = self.config.layer, self.units(self.config.layer)
        rows = ([one.tensors["mean"], one.tensors["std"]] for one in style)
        parts = torch.cat([torch.stack(row, 1) for row in rows]).to(units) / units  # (P, 2, C)
        if not regions:  # a blend has the weighted mean of statistics
            parts = torch.tensordot(style.shares()[None].to(parts), parts, 1)  # (1, 2, C)
        return partial(
            self.pipeline,
            style=parts.unbind(1),
            alpha=self.config.alpha,
            regions=self.shares(style, regions, layer) if regions else (),
            guided=self.config.statistics == "region",
            settle=self.settle(layer),
        )

    def graphs(self) -> Sequence[Graph]:
        """Return the whole method as one graph, for one style image, without regions or blends."""
        images = picture("content", self.multiple), picture("style")
        inputs = (*images, Input("alpha", (1,), uniform))
        return (Graph(self.pipeline, inputs, facts={"alpha": self.config.alpha}),)
