"""Texture synthesis: optimise white noise until its Gram matrices are those of the sample."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.image.color_transfer import match_histogram
from impasto.losses.objective import Objective
from impasto.losses.terms import parse
from impasto.methods.optimization.base import OptimizationConfig, OptimizingMethod
from impasto.methods.optimization.levels import Level, StyleImage
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style


@dataclass(frozen=True, kw_only=True)
class TextureConfig(OptimizationConfig):
    """Hyperparameters of the method; the default is the authors' layers at several sizes.

    Attributes:
        losses: The style loss as text, see :mod:`impasto.losses.terms`; the paper's is ``gram``.
        style_layers: Layers of the style loss, with equal weights.
        histogram: Whether the result gets the sample's colour histogram at the end.
    """

    flavor: str = "normalised"  # authors' code: vgg_normalised
    pooling: str = "average"  # section 2: "improves the gradient flow"
    start: str = "noise"  # section 3
    optimizer: str = "lbfgsb"  # authors' code: SciPy's, with bounds
    history: int = 20  # authors' code: maxcor
    steps: int = 200
    levels: int = 3
    coarse_steps: int = 200
    losses: str = "gram"
    style_layers: tuple[str, ...] = ("conv1_1", "pool1", "pool2", "pool3", "pool4")  # authors' code
    histogram: bool = True  # authors' code

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for an unreadable style loss."""
        super().__post_init__()
        parse(self.losses)

    @classmethod
    def paper(cls) -> TextureConfig:
        """Return the config of equations 2 to 5, at one size, up to pool4 (figure 2)."""
        return cls(levels=1, steps=1000, histogram=False)

    @classmethod
    def authors(cls) -> TextureConfig:
        """Return the config of the authors' notebook: up to 2000 iterations at one size."""
        return cls(levels=1, steps=2000)


@register_method(
    "texture",
    "texture synthesis from white noise by Gram matrices",
    Paper(
        "Gatys, Ecker, Bethge",
        "Texture Synthesis Using Convolutional Neural Networks",
        "NIPS",
        2015,
        "https://arxiv.org/abs/1505.07376",
    ),
    family="optimization",
    abilities=Ability.SYNTHESIZE | Ability.BLEND,
)
class Texture(OptimizingMethod):
    """Minimises equation 4, the sum over layers of Σ (G - Ĝ)² / (4 N² M²), from noise."""

    Config = TextureConfig
    config: TextureConfig

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Synthesise (1, 3, height, width) with each channel within the range of the samples'.

        Raises:
            InputError: The size is below 32 pixels, or the style is of another method.
        """
        styles = self._styles(style, confined=False)
        smallest = min(height, width)
        if smallest < 32:  # pool4 would have a single position
            raise InputError(
                f"a texture of {width}x{height} is too small: 32 pixels at least, such as "
                f"`size=({max(width, 32)}, {max(height, 32)})`"
            )
        full = Level(height, width, None, styles)
        image = self.descend(full, seed=seed, callback=callback, bounds=bounds_of(styles))
        if self.config.histogram and len(styles) == 1:
            image = match_histogram(image, styles[0].image)
        return image

    def objective(self, level: Level) -> Objective:
        """Return the style loss of each sample, with equal weights of all layers."""
        objective = self.nothing(level)
        layers = dict.fromkeys(self.config.style_layers, 1.0)
        for style in level.styles:
            # the Gram loss is divided by N²; a quarter of it has the 1 / (4 N²) of equation 4
            terms = parse(self.config.losses)
            objective.add_style(style.image, terms, layers, weight=0.25 * style.weight)
        return objective


def bounds_of(styles: tuple[StyleImage, ...]) -> tuple[Tensor, Tensor]:
    """Return the lowest and highest value of each channel over all styles, (1, 3, 1, 1) each."""
    pixels = torch.cat([style.image.flatten(2) for style in styles], dim=2)
    low, high = pixels.amin(2), pixels.amax(2)
    return low.view(1, 3, 1, 1), high.view(1, 3, 1, 1)
