"""Dumoulin et al.: one network for many styles, each a row of scales and shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError
from impasto.methods.multi_style.base import ManyStyles, ManyStylesConfig, ManyStylesTask
from impasto.methods.registry import method
from impasto.methods.spec import Ability, Paper
from impasto.models.checkpoint import Model
from impasto.nn.cin import ConditionalNet, NewStyle
from impasto.nn.upsampling import BOTH
from impasto.training.task import Task


@dataclass(frozen=True, kw_only=True)
class CinConfig(ManyStylesConfig):
    """Numbers of the network and of its loss.

    Attributes:
        blocks: Residual blocks.
        inner: Their channels; ``none`` is four times the width.
        upsampling: ``nearest`` as in the paper, ``bilinear``, or ``nearest-bilinear``: to learn
            with the first and to paint with the mean of both, see
            :mod:`impasto.nn.upsampling`.
    """

    blocks: int = 5  # the paper's appendix
    inner: int | None = None
    upsampling: str = BOTH  # ours: less of a mesh in plain parts

    def __post_init__(self) -> None:
        """Refuse what makes no network."""
        super().__post_init__()
        if self.blocks < 0 or (self.inner is not None and self.inner < 1):
            raise InputError("blocks must be 0 or more, inner 1 or more")

    @classmethod
    def paper(cls) -> CinConfig:
        """The network of the appendix; of the loss's weights, which it leaves out, the authors'."""
        return cls.authors()

    @classmethod
    def authors(cls) -> CinConfig:
        """The defaults of magenta's image_stylization."""
        return cls(
            upsampling="nearest",
            encoder="vgg16",
            pooling="average",
            content_layer="relu3_3",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 1e-4,  # 1e-4 a layer
            relative=False,
            palette_weight=0.0,
            style_size=0,  # the Gram matrices in its data are of the images as they are
        )


@method(
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
    """Conditional instance normalisation."""

    Config = CinConfig
    config: CinConfig
    module: ConditionalNet
    adjustable = ("upsampling",)
    # Of a loss of 5, the tables alone leave 4.0 after 80 steps at 1e-3, 2.0 at 1e-2, 1.8 at 3e-2.
    adding: ClassVar[Mapping[str, Any]] = {"steps": 400, "learning_rate": 2e-2}

    @classmethod
    def network(cls, config: CinConfig) -> ConditionalNet:
        """The network of the paper's appendix."""
        return ConditionalNet(
            config.styles,
            config.width,
            config.blocks,
            inner=config.inner,
            upsampling=config.upsampling,
        )

    @classmethod
    def task(cls, config: CinConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """The losses of section 2.1, a painting for each picture of a batch."""
        network = cls.network(cls.fitting(config, styles))
        return ManyStylesTask(config, styles, runtime, network)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """From a model of this method, or from a network of one style, as johnson's.

        Johnson's convolutions are taken over, and its norms for every style.
        """
        if other.method == cls.name:
            super().start(module, other)
            return
        assert isinstance(module, ConditionalNet)
        module.take_over(cls.donor(other))

    def addition(self, config: CinConfig, style: Tensor) -> Task:
        """Section 3.2: two new rows learn, and the convolutions stay as they are."""
        return ManyStylesTask(config, [style], self.runtime, NewStyle(self.module))

    def joined(self, module: nn.Module) -> nn.Module:
        """The network with the new rows below the old."""
        assert isinstance(module, NewStyle)
        self.expect(module.network)
        return module.joined()
