"""Style transfer with a meta network, which generates a transformation network for each style.

Shen et al., "Neural Style Transfer via Meta Networks", CVPR 2018. The means and deviations of a
style image's VGG features are mapped to a hidden vector, and this to the weights of a network like
Johnson's, small enough for a mobile phone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError, check_range
from impasto.image import samples
from impasto.losses.palette import Palette, palette_of, with_palette
from impasto.methods.arbitrary.statistics import StatsReader, sample_stats, statistics
from impasto.methods.graphs import Graph
from impasto.methods.network import NetworkMethod, network_class
from impasto.methods.perceptual import PerceptualConfig
from impasto.methods.registry import register_method
from impasto.methods.sample_task import PaintingTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Part, Style
from impasto.models.checkpoint import Model
from impasto.nn.generated import GeneratedNet
from impasto.nn.johnson import TransformNet
from impasto.nn.meta_network import MetaNet
from impasto.nn.sizes import SMALLEST, with_short_side
from impasto.nn.vgg import Encoder
from impasto.training.shift import with_shift
from impasto.training.task import Batch, Task

_START = 256  # short side in pixels of the photos that another network's weights are fitted on


@dataclass(frozen=True, kw_only=True)
class MetaNetworkConfig(PerceptualConfig):
    """Hyperparameters of the two networks and of their loss.

    Attributes:
        width: Channels of the first convolution of the generated network: 8, 16 or 32 in the paper.
        blocks: Number of pairs of 3x3 convolutions in it.
        shortcuts: Whether these pairs are residual blocks, as in the paper's table, or plain, as
            in the authors' prototxt.
        upsampling: ``bilinear``, ``nearest`` or ``transposed``, see
            :class:`~impasto.nn.generated.GeneratedNet`.
        unpadded: Whether the pairs have no padding, and the image a reflected border instead.
        affine: Whether the scale and shift of each normalisation are generated too.
        slice_width: Number of elements of the hidden vector for each generated layer.
        hidden_relu: Whether a ReLU follows the hidden vector; the authors' prototxt has none.
        generated: Whether the model is a generated network for one style, without the meta network.
        style_layers: Layers of the style loss, and of the moments that the meta network reads.
        paintings: Number of style images of one step, in each process; the content images of a
            batch are divided among them.
        palette_weight: Weight of the loss on colours that the style image does not have, see
            :func:`impasto.losses.palette.palette_loss`.
    """

    width: int = 8
    blocks: int = 5
    shortcuts: bool = True
    upsampling: str = "bilinear"  # no checkerboard pattern in flat areas
    unpadded: bool = False
    affine: bool = True  # ours
    slice_width: int = 128  # 1,792 in all
    hidden_relu: bool = False  # authors' prototxt
    generated: bool = False
    paintings: int = 4
    palette_weight: float = 200.0  # ours, as for cin

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(1, width=self.width, slice_width=self.slice_width, paintings=self.paintings)
        check_range(0, blocks=self.blocks)
        self.reader  # noqa: B018 (its constructor checks the layers)

    @property
    def reader(self) -> StatsReader:
        """Return the reader of the moments that are the meta network's input."""
        return StatsReader(self.encoder, self.flavor, self.pooling, self.weights, self.style_layers)

    @classmethod
    def paper(cls) -> MetaNetworkConfig:
        """Return the config of the paper, with the loss of the authors' prototxt."""
        return replace(cls.authors(), shortcuts=True)

    @classmethod
    def authors(cls) -> MetaNetworkConfig:
        """Return the config of the authors' released prototxt."""
        return cls(
            shortcuts=False,
            upsampling="transposed",
            unpadded=True,
            affine=False,
            encoder="vgg16",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            paintings=1,
            content_layer="relu3_3",
            style_weight=4 * 250.0,  # 250 for each layer
            losses="0.5 moments",  # theirs is one mean over means and deviations
            # their weight is 10 for the mean over pixels in [0, 255], on 8 crops of 256x256;
            # ours is for the sum over pixels in [0, 1]
            tv_weight=10 * 255**2 / (8 * 3 * 256**2),
            relative=False,
            palette_weight=0.0,
        )


class MetaNetworkTask(PaintingTask):
    """The training task: a network is generated for each style image of a batch.

    Each of these networks paints some content images of the batch.

    Args:
        config: Of the method.
        runtime: Device and number format of the encoder.
    """

    module: MetaNet

    def __init__(self, config: MetaNetworkConfig, runtime: Runtime) -> None:
        self.config, self.module = config, _meta(config)
        self.module.standardize(sample_stats(config.reader, runtime.device), config.reader.groups)
        self.encoder = config.loss_encoder(runtime)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute content, style and palette losses of each content image and its style image."""
        self.remember(batch["content"], batch["style"])
        photos = batch["content"]
        count, each = _split_batch(len(photos), self.config.paintings, batch.shift is not None)
        paintings, photos = batch["style"][:count], photos[: count * each]
        with torch.no_grad():
            features = self.config.style_features(self.encoder, paintings)
        style = self.config.style_objective(self.encoder, features)
        painted = module(photos, statistics(features, self.config.style_layers))
        drawn = torch.arange(count, device=photos.device).repeat_interleave(each)  # (B,)
        objective = self.config.objective(style, photos, drawn)
        losses = with_shift(objective(painted), painted, batch)
        palette = Palette(*(bound[drawn] for bound in palette_of(paintings)))
        return with_palette(losses, painted, palette, self.config.palette_weight)

    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """Paint a content image with the network that is generated for the style image."""
        painted: Tensor = module(photo, self.config.reader.read(self.encoder, painting))
        return painted


def _split_batch(photos: int, paintings: int, pairs: bool) -> tuple[int, int]:
    """Return the number of style images of a step, and of content images for each of them.

    Args:
        photos: Number of content images of the batch.
        paintings: Most style images of a step.
        pairs: Whether every two content images are a pair that needs the same style image.

    Example:
        >>> [_split_batch(count, 4, True) for count in (8, 6, 1)], _split_batch(6, 4, False)
        ([(4, 2), (3, 2), (1, 1)], (4, 1))
    """
    unit = 2 if pairs and photos > 1 else 1
    count = min(paintings, photos // unit)
    return count, photos // (count * unit) * unit


def _base(config: MetaNetworkConfig) -> GeneratedNet:
    return GeneratedNet(
        config.width,
        config.blocks,
        shortcuts=config.shortcuts,
        upsampling=config.upsampling,
        unpadded=config.unpadded,
        affine=config.affine,
    )


def _meta(config: MetaNetworkConfig) -> MetaNet:
    inputs = config.reader.numbers
    return MetaNet(_base(config), inputs, slice_width=config.slice_width, relu=config.hidden_relu)


@register_method(
    "meta-network",
    "a network that writes a small network for each style",
    Paper(
        "Shen, Yan, Zeng",
        "Neural Style Transfer via Meta Networks",
        "CVPR",
        2018,
        "https://arxiv.org/abs/1709.04111",
    ),
    family="arbitrary",
    abilities=Ability.STYLIZE | Ability.BLEND | Ability.TRAIN | Ability.EXPORT,
)
class MetaNetwork(NetworkMethod):
    """The meta network; or a network that it has generated for one style."""

    Config = MetaNetworkConfig
    config: MetaNetworkConfig
    module: MetaNet | GeneratedNet
    kind = "any"

    @classmethod
    def network(cls, config: MetaNetworkConfig) -> MetaNet | GeneratedNet:
        """Return the meta network of section 3.2, or a generated network alone."""
        return _base(config) if config.generated else _meta(config)

    @classmethod
    def task(cls, config: MetaNetworkConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """Return the training task."""
        if config.generated:
            raise InputError("a generated network does not learn: train the one that writes it")
        if styles:
            raise InputError("meta-network learns from many paintings: give a folder as `style`")
        return MetaNetworkTask(config, runtime)

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        self.kind = "style" if self.config.generated else "any"
        if isinstance(self.module, GeneratedNet):
            self.smallest = max(SMALLEST, self.module.border + 1)  # for a reflected border

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """Initialise from a model of this method, or from a network for one style.

        Such a network is a generated one or johnson's; its weights become the part of the
        generated weights that all styles share.
        """
        assert isinstance(module, MetaNet)
        if other.method == cls.name:
            super().start(module.base if other.config.get("generated") else module, other)
            return
        runtime = Runtime(torch.device("cpu"), torch.float32)
        donor = network_class(other.method).open(other, runtime).module
        if not isinstance(donor, TransformNet):
            raise InputError(f"a model of {other.method}, not of {cls.name} or johnson")
        photos = [samples.photo(name).rgb for name in samples.PHOTOS]
        module.base.initialize_from(donor, [with_short_side(one, _START) for one in photos])

    @cached_property
    def encoder(self) -> Encoder:
        """Return the encoder of the style images."""
        return self.config.reader.encoder(self.runtime)

    def encode(self, picture: Tensor) -> Style:
        """Compute the moments of a style image's features, (1, moments).

        They depend on the encoder only: every model with the same layers can paint with them.
        """
        if self.config.generated:
            raise InputError("this is the model of one painting: name it as the style")
        moments = self.config.reader.read(self.encoder, picture, self.runtime)
        return Style(self.name, (Part({"moments": moments}),))

    def _paintings(self, style: Style) -> tuple[Tensor, Tensor]:
        """Return the moments of a style's parts, (P, moments), and their weights (1, P)."""
        weights = style.shares()
        moments = self.config.reader.stored_stats(style, "moments").to(self.runtime.device)
        return moments, weights[None].to(self.runtime.device)

    def painter(
        self, content: Tensor, style: Style, regions: Sequence[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Return the network that is generated for a style.

        A blend is a weighted sum of hidden vectors, and so of the generated network weights.
        """
        return self.bound(*(() if self.config.generated else self._paintings(style)))

    def specialize(self, style: Style, name: str, card: Mapping[str, Any]) -> Model:
        """Return the generated network of a style as a model of its own."""
        if not isinstance(self.module, MetaNet):
            raise InputError(f"{self.name} writes no networks: give a model of meta-network")
        network = self.module.network(*self._paintings(style.expect(self.name)))
        config = {**asdict(self.config), "generated": True}
        return Model(self.name, config, network.state_dict(), (name,), {**card, "kind": "style"})

    def graphs(self) -> Sequence[Graph]:
        """Return the graph of a generated network; the meta network is not exported."""
        if not self.config.generated:
            raise InputError(
                "meta-network itself is not exported, but the networks that it writes: "
                "make one with 'impasto specialize'"
            )
        return super().graphs()
