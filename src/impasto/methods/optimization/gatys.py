"""Neural style transfer: match content features and style Gram matrices by optimisation."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.errors import InputError
from impasto.losses.objective import Objective
from impasto.losses.style import GramLoss
from impasto.losses.terms import Term
from impasto.methods.optimization.base import OptimizationConfig, OptimizingMethod
from impasto.methods.optimization.levels import Level
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper

RELU1_TO_5 = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONV1_TO_5 = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")


@dataclass(frozen=True, kw_only=True)
class GatysConfig(OptimizationConfig):
    """Hyperparameters of the method; the default is the authors' code, at several sizes.

    Attributes:
        content_layers: Layers of the content loss.
        content_weight: α, weight of the content loss.
        content_reduction: ``mean``, or ``half_sum`` as in equation 1.
        style_layers: Layers of the style loss.
        style_weights: One weight for each layer, w_l of equation 5.
        style_weight: β, weight of the style loss.
        gram_reduction: ``mean`` or ``sum`` over the entries of a Gram matrix, which is itself
            divided by H*W.
        tv_weight: Weight of the squared total variation; 0 in the paper.
    """

    steps: int = 100
    levels: int = 3
    coarse_steps: int = 100
    content_layers: tuple[str, ...] = ("relu4_2",)  # authors' notebook
    content_weight: float = 10.0  # authors' notebook: 1, with which small images lose their content
    content_reduction: str = "mean"  # authors' notebook: MSELoss
    style_layers: tuple[str, ...] = RELU1_TO_5  # authors' notebook
    style_weights: tuple[float, ...] = tuple(  # authors' notebook: 1e3 / n²
        1e3 / n**2 for n in (64, 128, 256, 512, 512)
    )
    style_weight: float = 1.0
    gram_reduction: str = "mean"  # authors' notebook: MSELoss
    tv_weight: float = 0.0

    def __post_init__(self) -> None:
        """Raise :class:`InputError` if there is not one style weight for each layer."""
        super().__post_init__()
        if len(self.style_weights) != len(self.style_layers):
            raise InputError(
                f"{len(self.style_weights)} style_weights for {len(self.style_layers)} "
                f"style_layers: give one a layer"
            )

    @classmethod
    def paper(cls) -> GatysConfig:
        """Return the config of the CVPR 2016 paper, sections 2 and 3."""
        return cls(
            pooling="average",  # section 2: "slightly more appealing results"
            start="noise",  # section 2.3
            levels=1,
            steps=500,
            spectrum=0,  # plain L-BFGS on pixels
            content_layers=("conv4_2",),  # figure 3
            content_reduction="half_sum",  # equation 1
            content_weight=1e-3,  # α/β = 1e-3, figure 3
            style_layers=CONV1_TO_5,  # figure 3
            # equation 4 is Σ(G - A)² / (4 N² M²); the Gram matrices here are divided by M = H*W
            style_weights=tuple(0.2 / (4 * n**2) for n in (64, 128, 256, 512, 512)),
            gram_reduction="sum",
        )

    @classmethod
    def authors(cls) -> GatysConfig:
        """Return the config of Gatys' PyTorch notebook: 500 steps at one size, from the content."""
        return cls(content_weight=1.0, levels=1, steps=500, history=100, spectrum=0)


@register_method(
    "gatys",
    "neural style transfer by optimising the image",
    Paper(
        "Gatys, Ecker, Bethge",
        "Image Style Transfer Using Convolutional Neural Networks",
        "CVPR",
        2016,
    ),
    Paper(
        "Gatys, Ecker, Bethge, Hertzmann, Shechtman",
        "Controlling Perceptual Factors in Neural Style Transfer",
        "CVPR",
        2017,
        "https://arxiv.org/abs/1611.07865",
    ),
    family="optimization",
    abilities=Ability.STYLIZE | Ability.MASKS | Ability.BLEND,
)
class Gatys(OptimizingMethod):
    """Minimises equation 7: α times the content loss plus β times the style loss."""

    Config = GatysConfig
    config: GatysConfig

    def objective(self, level: Level) -> Objective:
        """Return the content loss, the Gram loss of each style in its region, and smoothness."""
        config = self.config
        objective = self.nothing(level)
        if level.content is not None:
            layers = dict.fromkeys(config.content_layers, config.content_weight)
            objective.add_content(level.content, layers, reduction=config.content_reduction)
        gram = Term(GramLoss("hw", config.gram_reduction), "gram", config.style_weight)
        layers = dict(zip(config.style_layers, config.style_weights, strict=True))
        for style in level.styles:
            objective.add_style(
                style.image, [gram], layers, weight=style.weight, region=style.region
            )
        return objective.add_smoothness(config.tv_weight)
