"""Huang and Belongie: a photo's features get the means and deviations of a painting's.

"Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", ICCV 2017. A fixed
VGG-19 encodes both pictures, equation 8 aligns the photo's features with the painting's, and a
decoder, the only thing that is learned, makes a picture of the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from impasto.alignment.adain import adain
from impasto.core.device import Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.losses.moments import moments
from impasto.losses.objective import Objective
from impasto.losses.terms import layers_of, parse
from impasto.methods.arbitrary.base import (
    STATISTICS,
    AnyStyleConfig,
    AnyStyleMethod,
    Decoders,
    up_to,
)
from impasto.methods.arbitrary.tiled_encoding import tiled_moments
from impasto.methods.graphs import Graph, Input, picture, uniform
from impasto.methods.registry import method
from impasto.methods.sample_task import PaintingTask, SampleTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Part, Style
from impasto.nn.decoder import LAYERS
from impasto.nn.vgg import Encoder
from impasto.training.shift import alike, with_shift
from impasto.training.task import Batch, Task


@dataclass(frozen=True, kw_only=True)
class AdaInConfig(AnyStyleConfig):
    """Numbers of the network, of what it does with a style, and of its loss.

    Attributes:
        alpha: 1 is the full style, 0 the photo as the decoder gives it back (equation 14).
        statistics: Where a mask is given, which of the photo's positions μ(x) and σ(x) are of: the
            ``whole`` photo, or each ``region`` alone. A region of a few positions has no
            statistics to speak of.
        layer: Where features are aligned: ``relu1_1`` to ``relu4_1``.
        style_weight: λ of equation 11.
        losses: The style loss as text, see :mod:`impasto.losses.terms`; ``moments`` is equation 13.
        reconstruct: The share of the steps, from the first on, that learn to give pictures back.
        rehearse: Afterwards every so manieth step does so again; 0 for none.
        pixel_weight: Of the squared error of pixels in these steps, beside that of features.
    """

    alpha: float = 1.0  # authors' code
    statistics: str = "whole"
    layer: str = "relu4_1"  # section 6.1
    style_weight: float = 8.0
    losses: str = "moments"
    # Ours, with the units: in the same 25 minutes the distance to the style fell to 0.31 of the
    # photo's instead of 0.47, with edges instead of grey shapes.
    reconstruct: float = 0.35
    rehearse: int = 4
    pixel_weight: float = 20.0

    def __post_init__(self) -> None:
        """Refuse what makes no network and no loss."""
        super().__post_init__()
        for name in ("alpha", "reconstruct"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}: it must be 0 to 1")
        for name in ("style_weight", "rehearse", "pixel_weight"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: it must not be negative")
        parse(self.losses)
        self.check_words(statistics=STATISTICS, layer=LAYERS[:-1])

    @staticmethod
    def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a model file, of one older than ``losses`` in today's form."""
        new = dict(values)
        kind, summed = new.pop("style_loss", "moments"), new.pop("style_sum", False)
        text = "moments(reduction=sum)" if summed and kind == "moments" else kind
        return {"losses": text, **new}

    @classmethod
    def paper(cls) -> AdaInConfig:
        """Sections 6 and 7 of the paper, with VGG-19 normalised as the authors' is."""
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
        """The defaults of AdaIN-style: the paper's, with the style loss summed over channels."""
        return cls(
            flavor="normalised",
            units="none",
            statistics="region",
            style_weight=1e-2,  # train.lua; its criterion has sizeAverage = false
            losses="moments(reduction=sum)",
            reconstruct=0.0,
            rehearse=0,
        )


class DecodersTask(SampleTask):
    """Teaches decoders to read the features of a fixed encoder.

    Args:
        config: Of the method.
        module: The decoders.
        runtime: Where the encoder runs.
    """

    module: Decoders

    def __init__(self, config: Any, module: Decoders, runtime: Runtime) -> None:
        self.config, self.module, self._runtime = config, module, runtime
        module.measure(config, runtime)

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, in the units of the decoders: made late, as weights may be read in first."""
        return self.module.encoder(self.config, self._runtime)


class AdaInTask(DecodersTask, PaintingTask):
    """Equations 9 to 13: t = AdaIN(f(c), f(s)), and a decoder g that makes a picture of it.

    The network learns in two ways. In the first steps, and in some of the later ones, it gives back
    pictures of both kinds; in the others it paints.
    """

    config: AdaInConfig

    def __init__(self, config: AdaInConfig, runtime: Runtime) -> None:
        super().__init__(config, AdaIn.network(config), runtime)
        self.layers, self.terms = up_to(config.layer), parse(config.losses)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Content and style of what is painted, or how well pictures are given back."""
        content, style = batch["content"], batch["style"]
        self.remember(batch["content"], batch["style"])
        if self._gives_back(batch):
            return self._reconstruction(module, torch.cat([content[::2], style[1::2]]))
        return self._transfer(module, batch)

    def _gives_back(self, batch: Batch) -> bool:
        every = self.config.rehearse
        begins = batch.step < self.config.reconstruct * batch.steps
        return begins or (every > 0 and batch.step % every == every - 1)

    def _reconstruction(self, module: nn.Module, pictures: Tensor) -> Mapping[str, Tensor]:
        """Without any style: g(f(x)) is x, in pixels and in the features of all layers."""
        with torch.no_grad():
            wanted = self.encoder(pictures, self.layers)
        made = module(wanted[self.config.layer], self.config.layer)
        objective = Objective(self.encoder).add_content(wanted, dict.fromkeys(self.layers, 1.0))
        losses = objective.add_pixels(pictures, self.config.pixel_weight)(made)
        features = losses.pop("content")
        return {**losses, "features": features}

    def _transfer(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        content, style = batch["content"], alike(batch, batch["style"])
        layer = self.config.layer
        with torch.no_grad():
            photo = self.encoder(content, [layer])[layer]  # f(c), (B, C, h, w)
            painting = self.encoder(style, layers_of(self.terms, self.layers))
            target = adain(photo, *moments(painting[layer]))  # t, equation 9
        made = module(target, layer)  # g(t), equation 10: (B, 3, H, W)
        objective = Objective(self.encoder).add_content(
            {layer: target}, {layer: 1.0}
        )  # t, not f(c)
        weight, layers = self.config.style_weight, dict.fromkeys(self.layers, 1.0)
        objective.add_style(painting, self.terms, layers, weight=weight)  # equation 13
        return with_shift(objective(made), made, batch)

    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """By AdaIN and the decoder."""
        layer = self.config.layer
        content, style = (self.encoder(one, [layer])[layer] for one in (photo, painting))
        painted: Tensor = module(adain(content, *moments(style)), layer)
        return painted


class _Whole(nn.Module):
    """Both encoders, equations 8 and 14, and the decoder."""

    def __init__(self, encoder: Encoder, decoders: Decoders, layer: str) -> None:
        super().__init__()
        self.encoder, self.decoders, self.layer = encoder, decoders, layer

    def forward(self, content: Tensor, style: Tensor, alpha: Tensor) -> Tensor:
        x, y = (self.encoder(one, [self.layer])[self.layer] for one in (content, style))
        painted: Tensor = self.decoders(torch.lerp(x, adain(x, *moments(y)), alpha), self.layer)
        return painted


@method(
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
    """Encoder, equation 8, decoder."""

    Config = AdaInConfig
    config: AdaInConfig
    multiple = 8  # three poolings lie before relu4_1
    adjustable = ("alpha", "statistics")

    @classmethod
    def network(cls, config: AdaInConfig) -> Decoders:
        """The decoder of section 6.1."""
        return Decoders([config.layer], config.upsampling)

    @classmethod
    def task(cls, config: AdaInConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """The loss of section 6.2 with photos and paintings."""
        if styles:
            raise InputError("adain learns from many paintings: give a folder as `style`")
        return AdaInTask(config, runtime)

    def encode(self, picture: Tensor) -> Style:
        """μ(y) and σ(y) of a painting's features, (1, C) each: all that is kept of it."""
        layer, picture = self.config.layer, self.enlarged(picture)
        found = tiled_moments(self.encoder, picture, [layer], self.runtime)
        mean, std = (part * self.units(layer) for part in found[layer])
        return Style(self.name, (Part({"mean": mean, "std": std}),))

    @torch.no_grad()
    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """Equation 14, and 15 for several parts: decode a weighted sum of aligned features."""
        height, width = content.shape[-2:]
        photo = self.padded(content)
        if regions:
            painted = self._in_regions(photo, style, regions)
        else:
            painted = self.run_on(partial(self._transfer, style), photo)
        return self.done(painted[..., :height, :width].clamp(0, 1), callback)

    def _transfer(self, style: Style, photo: Tensor) -> Tensor:
        """Equation 14; of several paintings the weighted sum of their statistics, equation 15."""
        (x,) = self.features(photo, [self.config.layer])  # (1, C, h, w)
        weights = style.expect(self.name).shares().to(self.runtime.device)
        parts = [torch.stack(self._painting(part)) for part in style]  # (2, 1, C) each
        mean, std = torch.tensordot(weights.to(parts[0]), torch.stack(parts), 1)
        target = torch.lerp(x, adain(x, mean, std), self.config.alpha)
        return self.decode(target, self.config.layer)

    def _in_regions(self, photo: Tensor, style: Style, regions: Sequence[Tensor]) -> Tensor:
        """Equation 15 with a weight for each position."""
        (x,) = self.features(photo, [self.config.layer])
        shares = self.shares(style, regions, *x.shape[-2:])
        target = (1 - torch.stack(shares).sum(0)) * x  # what no region covers
        for part, share in zip(style, shares, strict=True):
            guide = share if self.config.statistics == "region" else None
            target = target + share * adain(x, *self._painting(part), guide=guide)
        return self.decode(torch.lerp(x, target, self.config.alpha), self.config.layer)

    def _painting(self, part: Part) -> tuple[Tensor, Tensor]:
        """The statistics of a painting in the units of the decoder, (1, C) each."""
        units = self.units(self.config.layer)
        mean, std = (part.tensors[name].to(units) / units for name in ("mean", "std"))
        return mean, std

    def graphs(self) -> Sequence[Graph]:
        """All of it in one graph, for one painting; regions and blends are left out."""
        smallest = 2 * self.multiple
        inputs = (
            picture("content", self.multiple, smallest),
            picture("style", 1, smallest),
            Input("alpha", (1,), uniform),
        )
        whole = _Whole(self.encoder, self.module, self.config.layer)
        return (Graph(whole, inputs, facts={"alpha": self.config.alpha}),)
