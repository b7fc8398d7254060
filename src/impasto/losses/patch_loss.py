"""The style loss of Markov random fields: patches and their nearest style patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.losses import patches
from impasto.losses.batches import pairs
from impasto.nn.features import at_least_float32


@dataclass(frozen=True)
class PatchLoss:
    """Distance of patches to their nearest style patches, see :mod:`impasto.losses.patches`.

    With ``circular``, patches of the image also wrap around its right and its lower edge. Every
    value is then covered by (size / stride)² patches on average, border or not.
    """

    size: int = 3
    stride: int = 1
    style_stride: int = 1
    average_overlaps: bool = False
    reduction: patches.Reduction = "mean"
    circular: bool = False

    def target(self, features: Tensor | Sequence[Tensor]) -> list[patches.PatchTarget]:
        """Return the patches of each style image, or of several views of one."""
        maps = features.split(1) if isinstance(features, Tensor) else [features]
        return [patches.patch_target(x, size=self.size, stride=self.style_stride) for x in maps]

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Return the features themselves; raise InputError for a guide, which is not supported."""
        if guide is not None:
            raise InputError("the patch loss takes no masks; the pipeline blends regions instead")
        return features

    def unit(self, target: list[patches.PatchTarget]) -> Tensor:
        """Return the mean square of the features of each style image, (B,)."""
        return torch.stack([at_least_float32(one.pixels).square().mean() for one in target])

    def distance(self, found: Tensor, target: list[patches.PatchTarget]) -> Tensor:
        """Return the mean or the sum of squares between patches and their matches, (B,)."""
        measure = partial(
            patches.patch_loss,
            stride=self.stride,
            average_overlaps=self.average_overlaps and not self.circular,
            reduction=self.reduction,
        )
        covering = 1.0
        if self.circular:
            found = F.pad(found, (0, self.size - 1, 0, self.size - 1), mode="circular")
            if self.average_overlaps and self.reduction == "sum":
                covering = (self.size / self.stride) ** 2
        return torch.stack([measure(x, y) for x, y in pairs(found.split(1), target)]) / covering
