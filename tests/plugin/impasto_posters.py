"""A method and a loss as another package brings them to Impasto."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from impasto import register_loss, register_method
from impasto.methods import Ability, Method, Paper


@dataclass(frozen=True)
class PosterConfig:
    """Hyperparameters.

    Attributes:
        levels: Of each channel.
    """

    levels: int = 4

    @classmethod
    def paper(cls) -> PosterConfig:
        """Two levels, as a stencil has."""
        return cls(levels=2)


@register_method(
    "poster",
    "few levels of each channel, in the mean colour of the style image",
    Paper("Nobody", "Posters", "Nowhere", 2000),
    family="stencils",
    abilities=Ability.STYLIZE,
)
class Poster(Method):
    """Round each channel, then give it the style image's mean."""

    Config = PosterConfig

    def stylize(self, content, style, *, regions=(), seed=0, callback=lambda _: None) -> Tensor:
        """Return (1, 3, H, W) in [0, 1]."""
        (part,) = style
        rounded = (content * self.config.levels).round() / self.config.levels
        shift = part.tensors["picture"].mean((-2, -1), keepdim=True) - rounded.mean()
        return (rounded + shift).clamp(0, 1)


@register_loss("means-of-channels")
@dataclass(frozen=True)
class MeansLoss:
    """Squared distance of the channels' means."""

    scale: float = 1.0

    def target(self, features: Tensor) -> Tensor:
        """Return the means of (1, C, H, W)."""
        return self.describe(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """Return the means of (1, C, H, W)."""
        return features.mean((-2, -1))

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Return the mean of squares."""
        return self.scale * (found - target).square().mean()
