"""The perceptual loss that networks are trained with: hyperparameters, and objective of a batch.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 3.2: a content loss against the content images and a style loss against the style
images. The style loss may be any of :mod:`impasto.losses.terms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from impasto.core.device import Runtime
from impasto.errors import check_choice
from impasto.losses.objective import Objective
from impasto.losses.smoothness import KINDS
from impasto.losses.terms import layers_of, parse
from impasto.nn.vgg import Encoder, Features


@dataclass(frozen=True, kw_only=True)
class PerceptualConfig:
    """Hyperparameters of the loss.

    Attributes:
        encoder: ``vgg19`` or ``vgg16``.
        flavor: Preprocessing of the encoder: ``caffe``, ``torchvision`` or ``normalised``.
        pooling: Pooling of the encoder: ``max`` or ``average``.
        weights: Weights of the encoder: a name or a file; ``none`` is the encoder's default.
        content_layer: Layer of the content loss.
        content_weight: Weight of the content loss.
        style_layers: Layers of the style loss.
        style_weight: Weight of the style loss, spread evenly over these layers.
        losses: The style loss as text, see :mod:`impasto.losses.terms`. A term that names its own
            layers has its weight at each of them.
        tv_weight: Weight of the total variation: of its sum, or, if ``relative``, of its mean.
        tv_kind: Form of the total variation, see
            :func:`~impasto.losses.smoothness.total_variation`.
        relative: Whether losses are divided by the size of their targets, see
            :class:`~impasto.losses.objective.Objective`: low contrast then counts as much.
    """

    encoder: str = "vgg19"  # ships with the package
    flavor: str = "caffe"  # the papers'; in "normalised" a few rare channels dominate relu1_1
    pooling: str = "max"
    weights: str | None = None
    content_layer: str = "relu3_1"
    content_weight: float = 1.0
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    style_weight: float = 12.0  # ours, for ``relative`` losses
    losses: str = "gram"
    tv_weight: float = 0.0
    tv_kind: str = "squared"
    relative: bool = True

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for an unreadable style loss or an unknown total variation."""
        parse(self.losses)
        check_choice("tv_kind", self.tv_kind, KINDS)

    def loss_encoder(self, runtime: Runtime, **options: Any) -> Encoder:
        """Return the encoder of the loss.

        Args:
            runtime: Device and number format.
            options: Arguments of :class:`~impasto.nn.vgg.Encoder` that replace the config's.
        """
        known = {"flavor": self.flavor, "pooling": self.pooling, "weights": self.weights}
        return Encoder(self.encoder, **{**known, **options}).to_runtime(runtime)

    def style_features(self, encoder: Encoder, style: Tensor) -> Features:
        """Return the features of style images (B, 3, h, w) at all layers of the style loss."""
        return encoder(style, layers_of(parse(self.losses), self.style_layers))

    def style_objective(self, encoder: Encoder, style: Tensor | Features) -> Objective:
        """Return an objective of the style loss and the total variation, without content.

        Args:
            encoder: See :meth:`loss_encoder`.
            style: Style images (1 or B, 3, h, w), or their features by layer.
        """
        spread = dict.fromkeys(self.style_layers, 1 / max(1, len(self.style_layers)))
        terms, weight, relative = parse(self.losses), self.style_weight, self.relative
        objective = Objective(encoder)
        objective.add_style(style, terms, spread, weight=weight, relative=relative)
        reduction = "mean" if relative else "sum"
        return objective.add_smoothness(self.tv_weight, kind=self.tv_kind, reduction=reduction)

    def objective(self, style: Objective, photos: Tensor, index: Tensor | None = None) -> Objective:
        """Return the objective of a batch.

        Args:
            style: See :meth:`style_objective`.
            photos: Content images (B, 3, H, W).
            index: See :meth:`~impasto.losses.objective.Objective.fork`.
        """
        layers = {self.content_layer: self.content_weight}
        return style.fork(index).add_content(photos, layers, relative=self.relative)
