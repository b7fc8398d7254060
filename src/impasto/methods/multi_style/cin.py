"""Style transfer with conditional instance normalisation: one network for many styles.

Dumoulin et al., "A Learned Representation for Artistic Style", ICLR 2017. The styles share all
convolutions; each has its own scales and shifts of the instance normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import check_range
from impasto.methods.multi_style.base import ManyStyles, ManyStylesConfig, ManyStylesTask
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.models.checkpoint import Model
from impasto.nn.cin import ConditionalNet, NewStyle
from impasto.nn.upsampling import BOTH
from impasto.training.task import Task


@dataclass(frozen=True, kw_only=True)
class CinConfig(ManyStylesConfig):
    """Hyperparameters of the network and of its loss.

    Attributes:
        blocks: Number of residual blocks.
        inner: Channels of the residual blocks; ``none`` is four times the width.
        upsampling: ``nearest`` as in the paper; ``bilinear``, with a notch filter at the end; or
            ``nearest-bilinear``: nearest in training, and the mean of both afterwards, see
            :mod:`impasto.nn.upsampling`.
    """

    blocks: int = 5  # the paper's appendix
    inner: int | None = None
    upsampling: str = BOTH  # ours: weaker grid pattern in flat areas

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(0, blocks=self.blocks)
        check_range(1, inner=1 if self.inner is None else self.inner)

    @classmethod
    def paper(cls) -> CinConfig:
        """Return the authors' config, since the paper does not state the weights of the loss."""
        return cls.authors()

    @classmethod
    def authors(cls) -> CinConfig:
        """Return the defaults of the authors' code, magenta's image_stylization."""
        return cls(
            upsampling="nearest",
            encoder="vgg16",
            pooling="average",
            content_layer="relu3_3",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 1e-4,  # 1e-4 for each layer
            relative=False,
            palette_weight=0.0,
            style_size=0,  # its Gram matrices are of style images at their own size
        )


@register_method(
    "cin",
    "a network that has learned many styles, and blends them",
    Paper(
        "Dumoulin, Shlens, Kudlur",
        "A Learned Representation for Artistic Style",
        "ICLR",
        2017,
        "https://arxiv.org/abs/1610.07629",
    ),
    family="multi_style",
    abilities=Ability.STYLIZE | Ability.BLEND | Ability.MASKS | Ability.TRAIN | Ability.EXPORT,
)
class Cin(ManyStyles):
    """A network with conditional instance normalisation."""

    Config = CinConfig
    config: CinConfig
    module: ConditionalNet
    adjustable = ("upsampling",)
    # 80 steps that train the scales and shifts alone lower the loss from 5 to 4.0 at a learning
    # rate of 1e-3, to 2.0 at 1e-2, and to 1.8 at 3e-2.
    addition_settings: ClassVar[Mapping[str, Any]] = {"steps": 400, "learning_rate": 2e-2}

    @classmethod
    def network(cls, config: CinConfig) -> ConditionalNet:
        """Return the network of the paper's appendix."""
        return ConditionalNet(
            config.styles,
            config.width,
            config.blocks,
            inner=config.inner,
            upsampling=config.upsampling,
        )

    @classmethod
    def task(cls, config: CinConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """Return the training task with the losses of section 2.1."""
        network = cls.network(cls.fitting(config, styles))
        return ManyStylesTask(config, styles, runtime, network)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """Initialise from a model of this method, or of johnson.

        Johnson's convolutions are copied, and its scales and shifts for every style.
        """
        if other.method == cls.name:
            super().start(module, other)
            return
        assert isinstance(module, ConditionalNet)
        module.initialize_from(cls.donor(other))

    def addition_task(self, config: CinConfig, style: Tensor) -> Task:
        """Return the task that trains the scales and shifts of one more style (section 3.2)."""
        return ManyStylesTask(config, [style], self.runtime, NewStyle(self.module))

    def with_added_style(self, module: nn.Module) -> nn.Module:
        """Return the network with the scales and shifts of the added style behind the others."""
        assert isinstance(module, NewStyle)
        self.expect(module.network)
        return module.with_added_style()
