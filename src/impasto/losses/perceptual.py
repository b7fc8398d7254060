"""The loss that a network is trained with: content and style of a batch of its pictures.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.losses.content import content_loss
from impasto.losses.gram import gram_matrix
from impasto.losses.moments import moments
from impasto.losses.smoothness import total_variation
from impasto.nn.features import at_least_float32
from impasto.nn.vgg import Encoder, Features

Losses = dict[str, Tensor]

STATISTICS = ("gram", "moments")

_TINY = 1e-12


@dataclass(frozen=True)
class Weights:
    """How much each part of a perceptual loss counts.

    Attributes:
        content: By layer.
        style: By layer.
        pixel: Of the per-pixel loss, which compares with the photo itself.
        smoothness: Of the total variation.
        variation: Its kind, see :func:`~impasto.losses.smoothness.total_variation`.
        relative: Each layer's content loss in units of the features' own mean square, the per-pixel
            loss in units of the photo's, each style loss in units of the target Gram matrix's, and
            the variation as a mean over pixels: then a weight means the same for every painting,
            layer and flavour of the encoder. Otherwise
            plain means of squares, and the variation a sum over pixels, as the paper has it.
        normalization: Of the Gram matrices, see :func:`impasto.losses.gram.gram_matrix`.
        statistics: What style is compared on: ``gram`` for Gram matrices, or ``moments`` for the
            channels' means and standard deviations.
    """

    content: Mapping[str, float] = field(default_factory=dict)
    style: Mapping[str, float] = field(default_factory=dict)
    pixel: float = 0.0
    smoothness: float = 0.0
    variation: str = "squared"
    relative: bool = True
    normalization: str = "chw"
    statistics: str = "gram"

    def __post_init__(self) -> None:
        """Refuse statistics that are none."""
        if self.statistics not in STATISTICS:
            known = ", ".join(STATISTICS)
            raise InputError(f"unknown statistics {self.statistics!r}: choose {known}")


class PerceptualLoss:
    """Content and style losses of a batch, over one pass of the encoder for each of its sides.

    Args:
        encoder: Frozen.
        weights: Of the parts.
    """

    def __init__(self, encoder: Encoder, weights: Weights) -> None:
        self.encoder, self.weights = encoder, weights

    @torch.no_grad()
    def grams(self, style: Tensor) -> dict[str, Tensor]:
        """The targets of style pictures (1 or B, 3, h, w): Gram matrices (1 or B, C, C).

        Or, where these are the statistics, moments (1 or B, C, 2).
        """
        return self.targets(self.encoder(style, list(self.weights.style)))

    @torch.no_grad()
    def targets(self, features: Features) -> dict[str, Tensor]:
        """As :meth:`grams`, of features that are there already, (1 or B, C, h, w) each."""
        return {layer: self._gram(features[layer]) for layer in self.weights.style}

    def __call__(
        self, output: Tensor, content: Tensor | None, targets: Mapping[str, Tensor] | None
    ) -> Losses:
        """The losses of a batch: ``total``, and its weighted parts, each a scalar.

        Args:
            output: What the network made, (B, 3, H, W).
            content: What it should show, (B, 3, H, W); None asks for no content.
            targets: What :meth:`grams` gave; None asks for no style.

        Returns:
            ``total``, and of ``content``, ``pixel``, ``style`` and ``smoothness`` what was asked
            for; only the output gets a gradient.

        Raises:
            InputError: Nothing was asked for.
        """
        weights = self.weights
        layers = [*(weights.content if content is not None else ())]
        layers += weights.style if targets else ()
        features = self.encoder(output, layers)
        losses: Losses = {}
        if content is not None and weights.content:
            losses["content"] = self._content(features, content)
        if content is not None and weights.pixel:
            losses["pixel"] = weights.pixel * self._distance(output, content.detach())
        if targets:
            losses["style"] = self._style(features, targets)
        if weights.smoothness:
            reduction = "mean" if weights.relative else "sum"
            variation = total_variation(output, kind=weights.variation, reduction=reduction)
            losses["smoothness"] = weights.smoothness * variation
        if not losses:
            raise InputError("this loss compares nothing: give weights, and content or style")
        return {"total": torch.stack(list(losses.values())).sum(), **losses}

    def _content(self, features: Features, content: Tensor) -> Tensor:
        layers = self.weights.content
        with torch.no_grad():
            wanted = self.encoder(content, list(layers))
        parts = [w * self._distance(features[layer], wanted[layer]) for layer, w in layers.items()]
        return torch.stack(parts).sum()

    def _distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        return content_loss(found, wanted, reduction="mean") / self._unit(wanted)

    def _style(self, features: Features, targets: Mapping[str, Tensor]) -> Tensor:
        parts = []
        for layer, weight in self.weights.style.items():
            target = targets[layer]  # (1 or B, C, C or 2)
            values = (self._gram(features[layer]) - target).square().mean((1, 2))
            # each in its own unit: a faint style of a batch would drown in that of a strong one
            parts.append(weight * (values / self._unit(target, (1, 2))).mean())
        return torch.stack(parts).sum()

    def _gram(self, features: Tensor) -> Tensor:
        if self.weights.statistics == "moments":
            return torch.stack(moments(features), -1)  # (B, C, 2)
        return gram_matrix(features, normalization=self.weights.normalization)

    def _unit(self, target: Tensor, dims: tuple[int, ...] = ()) -> Tensor | float:
        if not self.weights.relative:
            return 1.0
        return at_least_float32(target).square().mean(dims).clamp_min(_TINY)


def equally(layers: Sequence[str], weight: float) -> dict[str, float]:
    """A weight spread evenly over layers.

    Example:
        >>> equally(["relu1_1", "relu2_1"], 10.0)
        {'relu1_1': 5.0, 'relu2_1': 5.0}
    """
    return {layer: weight / len(layers) for layer in layers}
