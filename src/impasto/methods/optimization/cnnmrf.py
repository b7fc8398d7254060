"""CNNMRF: each patch of the image's features is matched to its nearest patch of style features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor

from impasto.core.progress import Callback, silent
from impasto.errors import check_choice
from impasto.losses.augment import augment_style
from impasto.losses.batches import REDUCTIONS
from impasto.losses.objective import Objective
from impasto.losses.patch_loss import PatchLoss
from impasto.losses.patches import Reduction
from impasto.losses.terms import Term
from impasto.methods.optimization.base import OptimizationConfig, OptimizingMethod
from impasto.methods.optimization.levels import Level
from impasto.methods.optimization.memory import Demand, feature_bytes
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style

_SCRATCH = 256 << 20  # bytes of the comparison of patches, see `patch_loss`
_COPIED = 350  # bytes for each pixel of an evaluation: the matched patches' means


@dataclass(frozen=True, kw_only=True)
class CNNMRFConfig(OptimizationConfig):
    """Hyperparameters of the method.

    Attributes:
        style_layers: Layers whose patches are compared.
        style_weight: Weight of the squared distance of patches, for each layer; 1 in equation 1.
        style_reduction: ``mean`` or ``sum`` over patches and their features.
        content_layers: Layers of the content loss.
        content_weight: Weight of the content loss, α1 in equation 1; not used in synthesis.
        content_reduction: ``mean`` or ``sum`` over features.
        tv_weight: Weight of the squared total variation of pixels in [0, 255], α2 in equation 1.
        tv_reduction: ``mean`` or ``sum`` over pixel values.
        patch_size: Side of a patch, in positions of the layer.
        patch_stride: Stride of the image's patches.
        style_stride: Stride of the style's patches.
        average_overlaps: Whether the gradients of overlapping patches are averaged, so that the
            border, where fewer overlap, has the same weight as the middle; else they are summed.
        scales: Number of enlarged, and as many reduced, copies of the style image, in steps of
            5 %.
        rotations: Number of copies rotated in each direction, in steps of 7.5 degrees.
    """

    levels: int = 3  # authors' code
    steps: int = 100  # authors' code
    coarse_steps: int = 100  # authors' code
    history: int = 25  # authors' code
    style_layers: tuple[str, ...] = ("relu3_1", "relu4_1")  # section 3.1
    style_weight: float = 1.0
    style_reduction: str = "mean"
    content_layers: tuple[str, ...] = ("relu4_2",)  # section 3.2
    content_weight: float = 1.5
    content_reduction: str = "mean"
    tv_weight: float = 1e-3
    tv_reduction: str = "mean"
    patch_size: int = 3  # section 3.1
    patch_stride: int = 1
    style_stride: int = 1
    average_overlaps: bool = True  # authors' code
    scales: int = 0
    rotations: int = 0

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for unknown reductions."""
        super().__post_init__()
        for name in ("style_reduction", "content_reduction", "tv_reduction"):
            check_choice(name, getattr(self, name), REDUCTIONS)

    @classmethod
    def paper(cls) -> CNNMRFConfig:
        """Return the config of sections 3 and 4: 7 scales, 5 rotations, 200 steps at each level."""
        return cls(
            style_reduction="sum",  # equation 2
            content_weight=1.0,
            content_reduction="sum",  # equation 4
            tv_reduction="sum",  # equation 5
            start="noise",
            levels=4,  # down to a long side of 64
            smallest_level=64,
            spectrum=0,
            steps=200,
            coarse_steps=200,
            average_overlaps=False,  # equation 2
            scales=3,
            rotations=2,
        )

    @classmethod
    def authors(cls) -> CNNMRFConfig:
        """Return the config of the reference runs of the authors' code.

        Patches have a stride of 2, and there are 3 scales and 3 rotations. The gradients of their
        style loss and total variation lack the factor 2 of the squares.
        """
        return cls(
            style_weight=1e-4 / 2,
            style_reduction="sum",
            content_weight=20.0,
            tv_weight=1e-3 / 2,
            tv_reduction="sum",
            smallest_level=64,  # the smallest of three levels of their 384 pixels has 96
            keep_detail=False,
            spectrum=0,
            patch_stride=2,
            style_stride=2,
            scales=1,
            rotations=1,
        )


@register_method(
    "cnnmrf",
    "patches of features, each matched to its nearest in the style",
    Paper(
        "Li, Wand",
        "Combining Markov Random Fields and Convolutional Neural Networks for Image Synthesis",
        "CVPR",
        2016,
        "https://arxiv.org/abs/1601.04589",
    ),
    family="optimization",
    abilities=Ability.STYLIZE | Ability.SYNTHESIZE,
)
class CNNMRF(OptimizingMethod):
    """Minimises equation 1: a loss of patches, a content loss and the total variation."""

    Config = CNNMRFConfig
    config: CNNMRFConfig

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Synthesise (1, 3, height, width) from noise and the style's patches alone."""
        full = Level(height, width, None, self._styles(style, confined=False))
        return self.descend(full, seed=seed, callback=callback)

    def demand(self, height: int, width: int, style_pixels: float) -> Demand:
        """Return the memory of the objective, which needs whole images."""
        demand, own = super().demand(height, width, style_pixels), self.config
        views = (2 * own.scales + 1) * (2 * own.rotations + 1)
        size = self.runtime.dtype.itemsize
        patches = views * feature_bytes(own.style_layers, style_pixels, size)
        return Demand(False, demand.held + patches, _SCRATCH, _COPIED, round(style_pixels))

    def objective(self, level: Level) -> Objective:
        """Return the loss of patches, the content loss if there is content, and smoothness."""
        config = self.config
        objective = Objective(self.encoder)
        loss = PatchLoss(
            config.patch_size,
            config.patch_stride,
            config.style_stride,
            average_overlaps=config.average_overlaps,
            reduction=cast("Reduction", config.style_reduction),  # checked by the config
            circular=config.padding == "circular",
        )
        layers = dict.fromkeys(config.style_layers, config.style_weight)
        for style in level.styles:
            views = augment_style(style.image, scales=config.scales, rotations=config.rotations)
            objective.add_style(views, [Term(loss, "patches")], layers, weight=style.weight)
        if level.content is not None:
            objective.add_content(
                level.content,
                dict.fromkeys(config.content_layers, config.content_weight),
                reduction=config.content_reduction,
            )
        return objective.add_smoothness(config.tv_weight * 255.0**2, reduction=config.tv_reduction)
