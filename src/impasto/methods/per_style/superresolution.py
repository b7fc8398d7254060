"""Super-resolution with a feed-forward network, trained with a perceptual loss.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
ECCV 2016, section 4.2. The released code, fast-neural-style, does not document super-resolution: no
released script makes the file of small images that it reads, and its defaults are for style
transfer. So there is no preset ``authors``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError, check_choice, check_range
from impasto.image.color_transfer import match_histogram
from impasto.losses.content import content_loss
from impasto.losses.objective import Objective
from impasto.methods.graphs import Graph
from impasto.methods.graphs import picture as picture_input
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import register_method
from impasto.methods.sample_task import SampleTask
from impasto.methods.spec import Ability, Paper
from impasto.nn.superresolution import SMALLEST, UpscaleNet, check_factor, enlarge
from impasto.nn.tiled_upscaling import in_tiles
from impasto.nn.vgg import Encoder
from impasto.training.shift import with_shift
from impasto.training.task import Batch, Task

LOSSES = ("feature", "pixel")

_TILE = 768  # side of a tile of the result in pixels: 150 MB for each layer of 64 channels


@dataclass(frozen=True, kw_only=True)
class SuperResolutionConfig:
    """Hyperparameters of the network, of its loss, and of the downsampling of training images.

    Attributes:
        factor: Factor on height and width: 2, 4 or 8.
        width: Channels of the convolutions.
        blocks: Number of residual blocks.
        norm: ``batch``, ``instance`` or ``none``.
        upsampling: ``nearest``, ``bilinear`` or ``transposed``.
        residual: Whether the network's output is added to the bicubic enlargement.
        loss: ``feature``: sharper, with a lower PSNR; or ``pixel``: mean squared error, softer.
        encoder: Encoder of the feature loss: ``vgg19`` or ``vgg16``.
        flavor: Preprocessing of the encoder: ``caffe``, ``torchvision`` or ``normalised``.
        weights: Weights of the encoder: a name or a file; ``none`` is the encoder's default.
        pooling: Pooling of the encoder: ``average``, ``max`` or ``l2``.
        layers: Layers of the feature loss.
        relative: Whether the feature loss is divided by the mean square of the target features.
        blur: Standard deviation, in pixels of the large image, of the Gaussian blur before
            downsampling.
        antialias: Whether the bicubic downsampling filters against aliasing, besides the blur.
        match_histogram: Whether the result gets the histogram of the small image.
    """

    factor: int = 4  # section 4.2: 4 and 8
    width: int = 64  # supplementary material
    blocks: int = 4  # supplementary material
    norm: str = "batch"  # supplementary material; equal to ``none`` after 300 and 500 steps
    upsampling: str = "bilinear"  # no checkerboards, and pixels alike
    residual: bool = True  # starts from the bicubic enlargement
    loss: str = "feature"  # section 4.2
    encoder: str = "vgg19"  # ships with the package
    flavor: str = "caffe"  # the paper's
    weights: str | None = None
    pooling: str = "average"  # max, the paper's, ignores all but the maximum of each window
    # section 4.2 has relu2_2 alone; relu1_2 with it ends as soft as the pixel loss
    layers: tuple[str, ...] = ("relu2_2", "relu3_3")
    relative: bool = True
    blur: float = 1.0  # section 4.2
    antialias: bool = False  # section 4.2 names the blur alone
    match_histogram: bool = True  # section 4.2

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        check_factor(self.factor)
        check_range(1, width=self.width)
        check_range(0, blocks=self.blocks, blur=self.blur)
        check_choice("loss", self.loss, LOSSES)
        if not self.layers:
            raise InputError("layers is empty: name layers such as relu2_2,relu3_3")

    @classmethod
    def paper(cls) -> SuperResolutionConfig:
        """Return the config of section 4.2 and the supplementary material of the paper."""
        return cls(
            upsampling="transposed",
            residual=False,
            encoder="vgg16",
            flavor="caffe",
            pooling="max",
            layers=("relu2_2",),
            relative=False,
        )


class SuperResolutionTask(SampleTask):
    """The training task: the enlargement of a downsampled image is compared with the image.

    Equation 2 of the paper. A batch holds the large images, 288x288 in the paper; they are cropped
    to multiples of the factor.
    """

    sources = ("content",)

    def __init__(self, config: SuperResolutionConfig, runtime: Runtime) -> None:
        self.config = config
        self.module = SuperResolution.network(config)
        if config.loss == "feature":
            self.encoder = Encoder(
                config.encoder, flavor=config.flavor, weights=config.weights, pooling=config.pooling
            ).to_runtime(runtime)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the loss between the batch and the enlargement of its downsampled images.

        Raises:
            InputError: The crops are too small for the factor.
        """
        config = self.config
        height, width = (
            side // config.factor * config.factor for side in batch["content"].shape[-2:]
        )
        if min(height, width) < SMALLEST * config.factor:
            raise InputError(
                f"crops of {batch['content'].shape[-1]} pixels are too small for factor "
                f"{config.factor}: they must have at least {SMALLEST * config.factor}"
            )
        photos = batch["content"][..., :height, :width]
        small = self._small(photos)
        self.remember(photos)
        painted = module(small)
        return with_shift(self._distance(painted, photos), painted, batch)

    def _distance(self, painted: Tensor, photos: Tensor) -> Mapping[str, Tensor]:
        layers = self.config.layers
        if self.config.loss == "pixel":
            return {"total": content_loss(painted, photos)}  # section 3.2
        objective, weights = Objective(self.encoder), dict.fromkeys(layers, 1 / len(layers))
        return objective.add_content(photos, weights, relative=self.config.relative)(painted)

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the bicubic and the network's enlargement of an image, and the image itself."""
        small = self._small(first[0])
        return [enlarge(small, self.config.factor), module(small), *first]

    def _small(self, photos: Tensor) -> Tensor:
        config = self.config
        return shrink(photos, config.factor, blur=config.blur, antialias=config.antialias)


def shrink(image: Tensor, factor: int, *, blur: float = 1.0, antialias: bool = False) -> Tensor:
    """Downsample images by a Gaussian blur and bicubic interpolation (section 4.2).

    The paper does not say whether the bicubic filter is antialiased. Without antialiasing, the PSNR
    of bicubic enlargement at factor 4 is that of the usual benchmark, which has antialiasing and no
    blur; at factor 8 a blur of 1 pixel is too weak, and the PSNR is 0.5 dB lower.

    Args:
        image: (B, 3, H, W); H and W are multiples of ``factor``.
        factor: Factor f by which height and width shrink.
        blur: Standard deviation of the Gaussian in pixels of ``image``; 0 is no blur.
        antialias: Whether the bicubic filter is widened by the factor.

    Returns:
        (B, 3, H/f, W/f), clamped to [0, 1].
    """
    height, width = image.shape[-2:]
    size = (height // factor, width // factor)
    x = _gaussian(image, blur) if blur else image
    x = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=antialias)
    return x.clamp(0, 1)


def _gaussian(image: Tensor, sigma: float) -> Tensor:
    """Blur (B, C, H, W) with a Gaussian, cut off at 4 sigma, with replicated edges."""
    radius = max(1, round(4 * sigma))
    at = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (at / sigma).square())
    channels = image.shape[1]
    row = (kernel / kernel.sum()).expand(channels, 1, 1, -1)  # (C, 1, 1, 2*radius + 1)
    x = F.pad(image, (radius,) * 4, mode="replicate")
    x = F.conv2d(x, row, groups=channels)
    return F.conv2d(x, row.mT, groups=channels)


@register_method(
    "superres",
    "a network that enlarges pictures",
    Paper(
        "Johnson, Alahi, Fei-Fei",
        "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
        "ECCV",
        2016,
        "https://arxiv.org/abs/1603.08155",
    ),
    family="per_style",
    abilities=Ability.UPSCALE | Ability.TRAIN | Ability.EXPORT,
)
class SuperResolution(NetworkMethod):
    """A network that enlarges images."""

    Config = SuperResolutionConfig
    config: SuperResolutionConfig
    module: UpscaleNet
    multiple = 1
    kind = "upscale"

    @classmethod
    def network(cls, config: SuperResolutionConfig) -> UpscaleNet:
        """Return the network of the supplementary material's second table."""
        return UpscaleNet(
            config.factor,
            width=config.width,
            blocks=config.blocks,
            norm=config.norm,
            upsampling=config.upsampling,
            residual=config.residual,
        )

    @classmethod
    def task(
        cls, config: SuperResolutionConfig, styles: Sequence[Tensor], runtime: Runtime
    ) -> Task:
        """Return the training task; there are no style images."""
        if styles:
            raise InputError("superres learns from photos alone: leave out `style`")
        return SuperResolutionTask(config, runtime)

    def upscale(self, picture: Tensor, *, callback: Callback = silent) -> Tensor:
        """Enlarge an image in tiles, which limit the memory and do not affect the result.

        Args:
            picture: Image (1, 3, H, W), of any size.
            callback: Called after every tile; cancelling leaves the other tiles bicubic.

        Returns:
            (1, 3, f*H, f*W) in [0, 1], on the image's device.

        Raises:
            InputError: The result would have more pixels than the package reads.
        """
        large = in_tiles(
            picture,
            lambda window: self.run(window, factor=self.config.factor),
            factor=self.config.factor,
            step=self._step,
            reach=self.module.reach,
            callback=callback,
        )
        return match_histogram(large, picture.float()) if self.config.match_histogram else large

    @property
    def _step(self) -> int | None:
        """Return the side of a tile in pixels of the small image; None is a single tile."""
        # the statistics of instance normalisation are of the whole image
        return None if self.config.norm == "instance" else _TILE // self.config.factor

    def graphs(self) -> Sequence[Graph]:
        """Return the network's graph, which enlarges one tile at a time."""
        config = self.config
        metadata = {
            "factor": config.factor,
            "tile": self._step,
            "reach": self.module.reach,
            "match_histogram": config.match_histogram,
        }
        return (Graph(self.module, (picture_input("content", self.multiple),), facts=metadata),)
