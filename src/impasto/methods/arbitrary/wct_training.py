"""The training of WCT's decoders: they learn to reconstruct images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.losses.objective import Objective
from impasto.methods.arbitrary.base import Decoders, DecodersTask
from impasto.nn.decoder import LAYERS
from impasto.training.shift import with_shift
from impasto.training.task import Batch


class WctTask(DecodersTask):
    """The training of equation 1: in each step, each decoder learns to reconstruct images."""

    sources = ("content",)
    config: Any

    def __init__(self, config: Any, module: Decoders, runtime: Runtime) -> None:
        super().__init__(config, module, runtime)
        for layer, decoder in module.decoders.items():
            decoder.requires_grad_(layer in config.trained)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the reconstruction loss of each decoder, in pixels and features, and the sum."""
        photos = batch["content"]
        self.remember(photos)
        with torch.no_grad():
            wanted = self.encoder(photos, self.config.trained)
        losses = {
            layer: self._inversion(module, batch, found, layer) for layer, found in wanted.items()
        }
        return {"total": torch.stack(list(losses.values())).sum(), **losses}

    def _inversion(self, module: nn.Module, batch: Batch, wanted: Tensor, layer: str) -> Tensor:
        photos = batch["content"]
        made = module(wanted, layer)  # (B, 3, H, W)
        squares, weight = self.config.squares, self.config.pixel_weight
        objective = Objective(self.encoder).add_pixels(photos, weight, reduction=squares)
        objective.add_content({layer: wanted}, {layer: 1.0}, reduction=squares)
        return with_shift(objective(made), made, batch)["total"]

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return an image of the first batch, and its reconstructions from relu1_1 to relu5_1."""
        features = self.encoder(first[0], LAYERS)
        return [*first, *(module(features[layer], layer) for layer in LAYERS)]


def initialize_from(donor: nn.Module, decoders: nn.ModuleDict) -> None:
    """Copy the weights of a decoder's last convolutions to others, as many as both have."""
    theirs = _convolutions(donor)
    for decoder in decoders.values():
        for mine, source in zip(reversed(_convolutions(decoder)), reversed(theirs), strict=False):
            mine.load_state_dict(source.state_dict())


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]
