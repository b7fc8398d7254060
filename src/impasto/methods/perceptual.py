"""The loss that networks are trained with: its hyperparameters, and the objective of a batch.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 3.2: the content of the photos and the style of the paintings. Style may be
compared by any loss of :mod:`impasto.losses.terms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from impasto.core.device import Runtime
from impasto.errors import InputError
from impasto.losses.objective import Objective
from impasto.losses.smoothness import KINDS
from impasto.losses.terms import layers_of, parse
from impasto.nn.vgg import Encoder, Features


@dataclass(frozen=True, kw_only=True)
class PerceptualConfig:
    """Hyperparameters of the loss.

    Attributes:
        encoder: ``vgg19`` or ``vgg16``.
        flavor: Of the encoder.
        pooling: Of the encoder: ``max`` or ``average``.
        weights: Of the encoder: a name or a file; ``none`` is the encoder's default.
        content_layer: Where content is compared.
        content_weight: Of the content.
        style_layers: Where style is compared.
        style_weight: Of the style, spread evenly over these layers.
        losses: The style loss as text, see :mod:`impasto.losses.terms`. A term that names its own
            layers has its weight at each of them.
        tv_weight: Of the total variation, for pixels of 0 to 1: of its sum over a batch, or with
            ``relative`` of its mean over the values.
        tv_kind: Of the total variation, see :func:`~impasto.losses.smoothness.total_variation`.
        relative: Whether losses are measured in units of their targets, see
            :class:`~impasto.losses.objective.Objective`; then no painting is too faint to be
            learned beside others.
    """

    encoder: str = "vgg19"  # comes with the package
    flavor: str = "caffe"  # the papers'; "normalised" lets a few rare channels rule relu1_1
    pooling: str = "max"
    weights: str | None = None
    content_layer: str = "relu3_1"
    content_weight: float = 1.0
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    style_weight: float = 12.0  # ours, in units of the Gram matrices
    losses: str = "gram"
    tv_weight: float = 0.0
    tv_kind: str = "squared"
    relative: bool = True

    def __post_init__(self) -> None:
        """Raise for a style loss that does not read, and for an unknown total variation."""
        parse(self.losses)
        if self.tv_kind not in KINDS:
            raise InputError(f"unknown tv_kind {self.tv_kind!r}: choose {', '.join(KINDS)}")

    @staticmethod
    def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a model file, of one older than ``losses`` in today's form."""
        new = dict(values)
        if "losses" in new:
            return new
        kind, gram = new.pop("style_loss", "gram"), new.pop("normalization", "chw")
        # relative units cancel every factor; the mean was over means and deviations together
        plain = {"gram": f"gram(normalization={gram})", "moments": "0.5 moments"}
        new["losses"] = kind if new.get("relative", True) else plain.get(kind, kind)
        new["tv_weight"] = new.pop("smoothness", new.get("tv_weight", 0.0))
        return new

    def loss_encoder(self, runtime: Runtime, **options: Any) -> Encoder:
        """Return the encoder of the loss; ``options`` as of :class:`~impasto.nn.vgg.Encoder`."""
        known = {"flavor": self.flavor, "pooling": self.pooling, "weights": self.weights}
        return Encoder(self.encoder, **{**known, **options}).place(runtime)

    def style_features(self, encoder: Encoder, style: Tensor) -> Features:
        """Return the features of style images (B, 3, h, w) at all layers where it is compared."""
        return encoder(style, layers_of(parse(self.losses), self.style_layers))

    def style_objective(self, encoder: Encoder, style: Tensor | Features) -> Objective:
        """Return an objective of style and smoothness, without content.

        Args:
            encoder: Of the loss.
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
            style: Of :meth:`style_objective`.
            photos: (B, 3, H, W).
            index: (B,), which of the style images each photo shall get; None where there is one,
                or one for each photo.
        """
        layers = {self.content_layer: self.content_weight}
        return style.fork(index).add_content(photos, layers, relative=self.relative)
