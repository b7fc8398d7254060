"""Johnson et al.: a feed-forward network trained with a perceptual loss, one for each style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.methods.network import SMALLEST, NetworkMethod
from impasto.methods.registry import method
from impasto.methods.sample_task import SampleTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style
from impasto.methods.style_size import StyleSizeConfig
from impasto.nn.johnson import TransformNet
from impasto.nn.upsampling import BOTH
from impasto.training.shift import with_shift
from impasto.training.task import Batch, Task

LOSSES = ("perceptual", "pixel")


@dataclass(frozen=True, kw_only=True)
class JohnsonConfig(StyleSizeConfig):
    """Hyperparameters of the network and of its loss.

    Attributes:
        width: Channels of the first convolution; the paper's 32, the released models' 16.
        blocks: Residual blocks.
        norm: ``instance`` or ``batch``.
        upsampling: ``transposed`` as in the paper, ``nearest``, ``bilinear``, or
            ``nearest-bilinear``: to learn with nearest neighbours and to paint with the mean of
            both, see :mod:`impasto.nn.upsampling`.
        unpadded: Residual blocks without padding inside a reflected border.
        output: See :class:`~impasto.nn.johnson.TransformNet`.
        loss: What content is compared on: ``perceptual`` for features of the encoder, or ``pixel``
            for the colours themselves, the per-pixel loss of section 3.2. That one wants a true
            picture to compare with; style transfer has none but the photo.
    """

    width: int = 32
    blocks: int = 5
    norm: str = "instance"  # Improved Texture Networks: better from the first steps on
    upsampling: str = BOTH  # ours: no checkerboards, and less of a weave in plain parts
    unpadded: bool = False
    output: str = "tanh"
    loss: str = "perceptual"

    def __post_init__(self) -> None:
        """Raise for what makes no network and no loss."""
        super().__post_init__()
        if self.width < 1 or self.blocks < 0:
            raise InputError("width must be 1 or more, blocks 0 or more")
        if self.loss not in LOSSES:
            raise InputError(f"unknown loss {self.loss!r}: choose {', '.join(LOSSES)}")

    @classmethod
    def paper(cls) -> JohnsonConfig:
        """Section 4.1 and the supplementary material of the paper."""
        return cls(
            norm="batch",
            upsampling="transposed",
            unpadded=True,
            encoder="vgg16",
            content_layer="relu2_2",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 5.0,  # the authors' 5 a layer: the paper states none
            # 1e-6 to 1e-4 on pixels of 0 to 255, by cross-validation for each style
            tv_weight=1e-6 * 255**2,
            relative=False,
            losses="gram(normalization=chw)",  # equation 4
            style_size=256,  # the authors' code: the paper states none
            style_side="long",
        )

    @classmethod
    def authors(cls) -> JohnsonConfig:
        """The defaults of fast-neural-style; its released models have half the width."""
        return cls(
            upsampling="transposed",
            unpadded=True,  # padding_type reflect-start
            output="tanh150",
            encoder="vgg16",
            content_layer="relu3_3",  # layer 16
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),  # layers 4, 9, 16, 23
            style_weight=4 * 5.0,
            tv_weight=1e-6 / 2 * 255**2,  # as a gradient that leaves out the 2 of the square
            relative=False,
            losses="gram(normalization=chw)",  # equation 4
            style_size=256,
            style_side="long",  # image.scale with a number; doc/flags.md says the smaller side
        )


class JohnsonTask(SampleTask):
    """Equation 5: the network's picture of a photo has its content and the painting's style."""

    sources = ("content",)

    def __init__(self, config: JohnsonConfig, style: Tensor, runtime: Runtime) -> None:
        self.config, self.module = config, Johnson.network(config)
        sample = config.resized(style).to(runtime.device)
        self.style = config.style_objective(config.loss_encoder(runtime), sample)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Content of the batch, style of the painting."""
        photos = batch["content"]
        self.remember(photos)
        painted = module(photos)
        if self.config.loss == "pixel":
            weight, relative = self.config.content_weight, self.config.relative
            objective = self.style.fork().add_pixels(photos, weight, relative=relative)
        else:
            objective = self.config.objective(self.style, photos)
        return with_shift(objective(painted), painted, batch)

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return a photo of the first batch, and what the network makes of it."""
        return [*first, module(*first)]


@method(
    "johnson",
    "a network that has learned one style",
    Paper(
        "Johnson, Alahi, Fei-Fei",
        "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
        "ECCV",
        2016,
        "https://arxiv.org/abs/1603.08155",
    ),
    Paper(
        "Ulyanov, Vedaldi, Lempitsky",
        "Improved Texture Networks",
        "CVPR",
        2017,
        "https://arxiv.org/abs/1701.02096",
    ),
    family="per_style",
    abilities=Ability.STYLIZE | Ability.TRAIN | Ability.EXPORT,
)
class Johnson(NetworkMethod):
    """The image transformation network, one for each style."""

    Config = JohnsonConfig
    config: JohnsonConfig
    module: TransformNet

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        # in a graph the border is always the mirrored one, which wants a picture that wide
        self.smallest = max(SMALLEST, self.module.border + 1)

    @classmethod
    def network(cls, config: JohnsonConfig) -> TransformNet:
        """The network of section 3.1."""
        return TransformNet(
            config.width,
            config.blocks,
            norm=config.norm,
            upsampling=config.upsampling,
            unpadded=config.unpadded,
            output=config.output,
        )

    @classmethod
    def task(cls, config: JohnsonConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """The loss of section 3.2 with one painting."""
        if len(styles) != 1:
            raise InputError(f"johnson learns one style, not {len(styles)}: give one `style`")
        return JohnsonTask(config, styles[0], runtime)

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """One pass through the network."""
        style.expect(self.name)
        return self.done(self.run(content), callback)
