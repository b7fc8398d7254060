"""Style transfer with a feed-forward network for each style, trained with a perceptual loss.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError, check_choice, check_range
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import register_method
from impasto.methods.sample_task import SampleTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style
from impasto.methods.style_size import StyleSizeConfig
from impasto.nn.johnson import TransformNet
from impasto.nn.sizes import SMALLEST
from impasto.nn.upsampling import BOTH
from impasto.training.shift import with_shift
from impasto.training.task import Batch, Task

LOSSES = ("perceptual", "pixel")


@dataclass(frozen=True, kw_only=True)
class JohnsonConfig(StyleSizeConfig):
    """Hyperparameters of the network and of its loss.

    Attributes:
        width: Channels of the first convolution; the paper's 32, the released models' 16.
        blocks: Number of residual blocks.
        norm: ``instance`` or ``batch``.
        upsampling: ``transposed`` as in the paper, ``nearest``, ``bilinear`` or
            ``nearest-bilinear``, see :mod:`impasto.nn.upsampling`.
        unpadded: Whether residual blocks have no padding, and the image a reflected border instead.
        output: See :class:`~impasto.nn.johnson.TransformNet`.
        loss: Content loss: ``perceptual`` on features, or ``pixel`` on colours (section 3.2).
    """

    width: int = 32
    blocks: int = 5
    norm: str = "instance"  # Improved Texture Networks: lower loss from the first steps on
    upsampling: str = BOTH  # ours: no checkerboards, and a weaker grid pattern in flat areas
    unpadded: bool = False
    output: str = "tanh"
    loss: str = "perceptual"

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(1, width=self.width)
        check_range(0, blocks=self.blocks)
        check_choice("loss", self.loss, LOSSES)

    @classmethod
    def paper(cls) -> JohnsonConfig:
        """Return the config of section 4.1 and the supplementary material of the paper."""
        return cls(
            norm="batch",
            upsampling="transposed",
            unpadded=True,
            encoder="vgg16",
            content_layer="relu2_2",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 5.0,  # the authors' 5 for each layer: the paper states none
            # 1e-6 to 1e-4 for pixels in [0, 255], chosen for each style by cross-validation
            tv_weight=1e-6 * 255**2,
            relative=False,
            losses="gram(normalization=chw)",  # equation 4
            style_size=256,  # the authors' code: the paper states none
            style_side="long",  # image.scale with a number; doc/flags.md says the smaller side
        )

    @classmethod
    def authors(cls) -> JohnsonConfig:
        """Return the defaults of fast-neural-style; its released models have half the width."""
        return replace(
            cls.paper(),
            norm="instance",
            output="tanh150",
            content_layer="relu3_3",  # layer 16
            tv_weight=1e-6 / 2 * 255**2,  # their gradient lacks the factor 2 of the square
        )


class JohnsonTask(SampleTask):
    """The training task of equation 5: content, style and total variation losses.

    Args:
        config: Of the method.
        style: Style image (1, 3, H, W).
        runtime: Device and number format of the encoder in the loss.
    """

    sources = ("content",)

    def __init__(self, config: JohnsonConfig, style: Tensor, runtime: Runtime) -> None:
        self.config, self.module = config, Johnson.network(config)
        sample = config.resized(style).to(runtime.device)
        self.style = config.style_objective(config.loss_encoder(runtime), sample)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the content and style losses of a batch."""
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
        """Return an image of the first batch, and the network's output for it."""
        return [*first, module(*first)]


@register_method(
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
    """A network that has learned one style."""

    Config = JohnsonConfig
    config: JohnsonConfig
    module: TransformNet

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        # exported graphs always pad by reflection: images must be larger than the border
        self.smallest = max(SMALLEST, self.module.border + 1)

    @classmethod
    def network(cls, config: JohnsonConfig) -> TransformNet:
        """Return the network of section 3.1."""
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
        """Return the training task for one style image, with the loss of section 3.2."""
        if len(styles) != 1:
            raise InputError(f"johnson learns one style, not {len(styles)}: give one `style`")
        return JohnsonTask(config, styles[0], runtime)

    def painter(
        self, content: Tensor, style: Style, regions: Sequence[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Return the network."""
        return self.module
