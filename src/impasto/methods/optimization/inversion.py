"""Feature inversion: reconstruct an image from its features at some layers of the encoder.

Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them", CVPR 2015.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from impasto.core.progress import Callback, silent
from impasto.errors import check_choice
from impasto.losses.objective import Objective
from impasto.losses.style import GramLoss
from impasto.losses.terms import Term
from impasto.methods.optimization.base import OptimizationConfig, OptimizingMethod
from impasto.methods.optimization.gatys import RELU1_TO_5
from impasto.methods.optimization.levels import Level, StyleImage
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.nn.vgg_layers import block_of

KINDS = ("content", "style")
CONTENT_LADDER = ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")
STYLE_LADDER = RELU1_TO_5


@dataclass(frozen=True, kw_only=True)
class InversionConfig(OptimizationConfig):
    """Hyperparameters of the method.

    Attributes:
        kind: ``content`` reconstructs from the features of ``layers``; ``style`` from their Gram
            matrices, which do not depend on positions.
        layers: Layers to reconstruct from.
        tv_weight: λ, weight of the total variation, the prior on natural images; it is multiplied
            by 10 for layers of block 4, and by 100 for block 5.
        tv_beta: β, exponent of the total variation.
    """

    start: str = "noise"  # section 3
    optimizer: str = "lbfgsb"  # plain L-BFGS diverges from a start near grey
    history: int = 20
    spectrum: float = 0.0  # noise does not have the 1/f spectrum of images
    steps: int = 300
    kind: str = "content"
    layers: tuple[str, ...] = ("relu4_2",)
    tv_weight: float = 0.1
    tv_beta: float = 2.0  # section 3.2: β = 1 gives spikes

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for an unknown kind."""
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)

    @classmethod
    def paper(cls) -> InversionConfig:
        """Return the config of equation 1, with the total variation weight of deep layers."""
        return cls(tv_weight=1.0)


@register_method(
    "invert",
    "what each layer keeps of a picture",
    Paper(
        "Mahendran, Vedaldi",
        "Understanding Deep Image Representations by Inverting Them",
        "CVPR",
        2015,
        "https://arxiv.org/abs/1412.0035",
    ),
    family="optimization",
    abilities=Ability.RECONSTRUCT,
)
class Inversion(OptimizingMethod):
    """Minimises equation 1: |Φ(x) - Φ0|² / |Φ0|² plus a prior on natural images."""

    Config = InversionConfig
    config: InversionConfig

    def reconstruct(self, picture: Tensor, *, seed: int = 0, callback: Callback = silent) -> Tensor:
        """Reconstruct an image (1, 3, H, W) from its features, starting from noise."""
        picture = picture.to(self.runtime.device)
        height, width = picture.shape[-2:]
        style = self.config.kind == "style"
        full = Level(
            height,
            width,
            content=None if style else picture,
            styles=(StyleImage(picture, 1.0, None),) if style else (),
        )
        return self.descend(full, seed=seed, callback=callback)

    def at(self, layers: tuple[str, ...]) -> Inversion:
        """Return the same method for other layers, with the same encoder."""
        other = Inversion(replace(self.config, layers=layers), self.runtime)
        other.__dict__["encoder"] = self.encoder
        return other

    def objective(self, level: Level) -> Objective:
        """Return the relative loss of the features or their Gram matrices, plus the prior."""
        config = self.config
        objective = self.nothing(level)
        layers = dict.fromkeys(config.layers, 1.0 / len(config.layers))
        if level.content is not None:
            objective.add_content(level.content, layers, reduction="sum", relative=True)
        for style in level.styles:
            gram = Term(GramLoss("hw", "sum"), "gram")
            objective.add_style(style.image, [gram], layers, weight=style.weight)
            objective.balance(style.image * 0 + 0.5)
        # deeper layers determine pixels less, and need a stronger prior (section 3.2)
        depth = max(block_of(layer) for layer in config.layers)
        prior = config.tv_weight * 10.0 ** max(0, depth - 3)
        return objective.add_smoothness(prior, kind="beta", beta=config.tv_beta, reduction="mean")
