"""Style transfer by matching distributions of features, with any kernel or sum of losses.

Li et al., "Demystifying Neural Style Transfer", IJCAI 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

from impasto.errors import InputError, check_choice
from impasto.losses.kernel_losses import GaussianLoss, PolynomialLoss
from impasto.losses.objective import Objective
from impasto.losses.style import LinearLoss, MomentsLoss, StyleLoss, additive
from impasto.losses.terms import Term, parse
from impasto.methods.optimization.base import OptimizationConfig, OptimizingMethod
from impasto.methods.optimization.gatys import RELU1_TO_5
from impasto.methods.optimization.levels import Level
from impasto.methods.optimization.memory import Demand, feature_bytes
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.nn.vgg_layers import WIDTHS, block_of

SCALINGS = ("photo", "authors")

_COPIED = 700  # bytes for each pixel of an evaluation: squares of features, for the moments
_PER_PAIR = 20  # bytes for each pair of drawn vectors and layer: two kernel values, twice


@dataclass(frozen=True, kw_only=True)
class MMDConfig(OptimizationConfig):
    """Hyperparameters of the method.

    Attributes:
        losses: The style loss as text, see :mod:`impasto.losses.terms`; ``0.5 linear + 0.5
            gaussian`` is a fusion of the paper's section 4.3.
        content_layers: Layers of the content loss.
        content_weight: Weight of the content loss, a squared error.
        style_layers: Layers of the style loss, with equal weights.
        style_weight: γ, weight of the style loss.
        scaling: ``photo`` divides the loss of each kernel and layer by its value for the content
            image, and the content loss by the mean square of the content features, so that one
            weight suits every kernel; ``authors`` uses the constants of their code.
        tv_weight: Weight of the squared total variation.
    """

    losses: str = "0.5 polynomial + 0.5 moments"
    pooling: str = "average"  # authors' code
    steps: int = 100
    levels: int = 2
    coarse_steps: int = 100
    content_layers: tuple[str, ...] = ("relu4_2",)  # authors' code
    content_weight: float = 1.0  # authors' code
    style_layers: tuple[str, ...] = RELU1_TO_5  # authors' code
    style_weight: float = 100.0
    scaling: str = "photo"
    tv_weight: float = 0.0

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for an unreadable style loss or an unknown scaling."""
        super().__post_init__()
        parse(self.losses)
        check_choice("scaling", self.scaling, SCALINGS)

    @classmethod
    def paper(cls) -> MMDConfig:
        """Return the config of the paper's quadratic kernel, from noise, at one size."""
        return cls(losses="polynomial", start="noise", levels=1, steps=500, spectrum=0)

    @classmethod
    def authors(cls) -> MMDConfig:
        """Return the config of the authors' MXNet code, but with L-BFGS instead of momentum."""
        return cls(
            losses="polynomial",
            start="noise",
            levels=1,
            steps=500,
            spectrum=0,
            scaling="authors",
            style_weight=5.0,
            # their gradient is 1e-2 times the 4-neighbour Laplacian / 8, for pixels in [0, 255]
            tv_weight=1e-2 / 16 * 255**2,
        )


def authors_scale(loss: StyleLoss, channels: int, positions: int) -> float:
    """Return the factor by which the authors' code multiplies γ MMD² of a layer.

    Their code has gradients instead of losses, from which the factors follow. With X of shape
    (positions M, channels C), they are:

    - linear: 2e3 / (C M) · 1 Σ(x - y)ᵀ, and the gradient of MMD² is 2/M² of the sum;
    - quadratic: 0.1 / (C² M) · X(XᵀX - YᵀY), and the gradient of MMD² is 4/M² of the product;
    - Gaussian: 3e14 / (C M) of the sum over M/2 pairs, where the gradient lacks the factor 2 of
      the square in the kernel k: -g (x - y) k;
    - statistics: 1e3 M, where the gradient lacks the factor 2 of the squares: (μ - μ') / (C M).

    Args:
        loss: The style loss.
        channels: C of the layer.
        positions: M of the layer.

    Raises:
        InputError: Their code does not have this loss.
    """
    if isinstance(loss, LinearLoss):
        return 2e3 * positions / (2 * channels)
    if isinstance(loss, PolynomialLoss):
        return 0.1 * positions / (4 * channels**2)
    if isinstance(loss, GaussianLoss):
        return 3e14 / (4 * channels)
    if isinstance(loss, MomentsLoss):
        return 1e3 * positions / 2
    raise InputError("the authors' code has no scale for this loss: use scaling=photo")


@register_method(
    "mmd",
    "style as a distribution of features, matched by any kernel",
    Paper(
        "Li, Wang, Liu, Hou",
        "Demystifying Neural Style Transfer",
        "IJCAI",
        2017,
        "https://arxiv.org/abs/1701.01036",
    ),
    family="optimization",
    abilities=Ability.STYLIZE | Ability.MASKS | Ability.BLEND,
)
class MMD(OptimizingMethod):
    """Minimises equation 12: the content loss plus γ times the MMD² of each layer's features."""

    Config = MMDConfig
    config: MMDConfig

    def demand(self, height: int, width: int, style_pixels: float) -> Demand:
        """Return the memory of the objective; losses of pairs of vectors need whole images."""
        demand, layers = super().demand(height, width, style_pixels), self.config.style_layers
        losses = [term.loss for term in parse(self.config.losses)]
        pairs = [getattr(loss, "subsample", 0) ** 2 for loss in losses if not additive(loss)]
        if any(isinstance(loss, MomentsLoss) for loss in losses):
            demand = demand._replace(copied=_COPIED)
        if not pairs:
            return demand
        return demand._replace(
            tiled=False,
            held=demand.held + len(pairs) * feature_bytes(layers, style_pixels, 4),
            scratch=_PER_PAIR * len(layers) * sum(pairs),
            encoded=round(style_pixels),
        )

    def objective(self, level: Level) -> Objective:
        """Return the content loss, the loss of distributions for each style, and smoothness."""
        config, relative = self.config, self.config.scaling == "photo"
        objective = self.nothing(level)
        for style in level.styles:
            for term in parse(config.losses):
                objective.add_style(
                    style.image,
                    [term],
                    self._layer_weights(term, level),
                    weight=style.weight * config.style_weight,
                    region=style.region,
                )
        if level.content is not None:
            if relative:
                objective.balance(level.content)
            layers = dict.fromkeys(config.content_layers, config.content_weight)
            objective.add_content(level.content, layers, reduction="sum", relative=relative)
        return objective.add_smoothness(config.tv_weight)

    def _layer_weights(self, term: Term, level: Level) -> dict[str, float]:
        layers = self.config.style_layers
        if self.config.scaling == "photo":
            return dict.fromkeys(layers, 1.0 / len(layers))
        weights = {}
        for layer in layers:
            block = block_of(layer)
            positions = (level.height >> block - 1) * (level.width >> block - 1)
            weights[layer] = authors_scale(term.loss, WIDTHS[block - 1], positions)
        return weights
