"""Shen et al.: a meta network writes the weights of a transformation network for each painting.

"Neural Style Transfer via Meta Networks", CVPR 2018. VGG's moments of a painting become a hidden
vector, and the hidden vector the weights of a network like Johnson's, small enough for a telephone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.image import samples
from impasto.losses.palette import Palette, palette_of, with_palette
from impasto.methods.arbitrary.statistics import Reader, known, statistics
from impasto.methods.graphs import Graph
from impasto.methods.network import SMALLEST, NetworkMethod, network_of, with_short_side
from impasto.methods.perceptual import PerceptualConfig
from impasto.methods.registry import method
from impasto.methods.sample_task import PaintingTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Part, Style
from impasto.models.checkpoint import Model
from impasto.nn.generated import GeneratedNet
from impasto.nn.johnson import TransformNet
from impasto.nn.meta_network import MetaNet
from impasto.nn.vgg import Encoder
from impasto.training.shift import with_shift
from impasto.training.task import Batch, Task

_START = 256  # short side of the photos that a start from another network is fitted on


@dataclass(frozen=True, kw_only=True)
class MetaNetworkConfig(PerceptualConfig):
    """Hyperparameters of the two networks and of their loss.

    Attributes:
        width: Channels of the first convolution of the generated network: 8, 16 or 32 in the paper.
        blocks: Pairs of 3x3 convolutions in it.
        shortcuts: Whether these are residual blocks: in the paper's table, not in the prototxt.
        upsampling: ``bilinear``, ``nearest`` or ``transposed``, see the network's class.
        unpadded: The pairs without padding inside a mirrored border.
        affine: Whether a scale and a shift is generated for each norm too.
        slice_width: Of the hidden vector, for each generated layer.
        hidden_relu: Whether a ReLU follows the hidden vector: not in the authors' prototxt.
        generated: Whether this is the model of one painting: a generated network alone.
        style_layers: Whose moments tell of a painting, and where style is compared.
        paintings: Number of style images of one step, in each process; the photos of a batch are
            divided among them.
        palette_weight: Of colours that the painting does not have, see
            :func:`impasto.losses.palette.palette_loss`.
    """

    width: int = 8
    blocks: int = 5
    shortcuts: bool = True
    upsampling: str = "bilinear"  # no grid in flat parts
    unpadded: bool = False
    affine: bool = True  # ours
    slice_width: int = 128  # 1,792 in all
    hidden_relu: bool = False  # authors' prototxt
    generated: bool = False
    paintings: int = 4
    palette_weight: float = 200.0  # ours, as for cin

    def __post_init__(self) -> None:
        """Raise for what makes no network and no loss."""
        super().__post_init__()
        if min(self.width, self.slice_width, self.paintings) < 1 or self.blocks < 0:
            raise InputError("width, slice_width, paintings must be 1 or more, blocks 0 or more")
        self.reader  # noqa: B018 (refuses to read nothing)

    @property
    def reader(self) -> Reader:
        """What the meta network is told of a painting."""
        return Reader(self.encoder, self.flavor, self.pooling, self.weights, self.style_layers)

    @classmethod
    def paper(cls) -> MetaNetworkConfig:
        """The paper's text and table; of the loss, what the authors' prototxt says."""
        return dataclasses.replace(cls.authors(), shortcuts=True)

    @classmethod
    def authors(cls) -> MetaNetworkConfig:
        """The authors' released prototxt."""
        return cls(
            shortcuts=False,
            upsampling="transposed",
            unpadded=True,
            affine=False,
            encoder="vgg16",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            paintings=1,
            content_layer="relu3_3",
            style_weight=4 * 250.0,  # 250 a layer
            losses="0.5 moments",  # the mean over means and deviations together
            # 10 of the mean over the values, on pixels of 0 to 255, of a batch of 8 crops of 256;
            # here of the sum, on pixels of 0 to 1
            tv_weight=10 * 255**2 / (8 * 3 * 256**2),
            relative=False,
            palette_weight=0.0,
        )


class MetaNetworkTask(PaintingTask):
    """Each painting of a batch gets a network, which paints some of its photos.

    Args:
        config: Of the method.
        runtime: Where the encoder runs.
    """

    module: MetaNet

    def __init__(self, config: MetaNetworkConfig, runtime: Runtime) -> None:
        self.config, self.module = config, _meta(config)
        self.module.standardize(known(config.reader, runtime.device), config.reader.groups)
        self.encoder = config.loss_encoder(runtime)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Content of the photos, and the style of the painting that each of them drew."""
        self.remember(batch["content"], batch["style"])
        photos = batch["content"]
        count, each = _divided(len(photos), self.config.paintings, batch.shift is not None)
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
        """The network of the painting, written and used."""
        painted: Tensor = module(photo, self.config.reader.read(self.encoder, painting))
        return painted


def _divided(photos: int, paintings: int, pairs: bool) -> tuple[int, int]:
    """Return how many paintings a step has, and how many photos each of them gets.

    Args:
        photos: Of the batch.
        paintings: At most.
        pairs: Whether every two photos belong together and need the same painting.

    Example:
        >>> _divided(8, 4, True), _divided(6, 4, True), _divided(6, 4, False), _divided(1, 4, True)
        ((4, 2), (3, 2), (4, 1), (1, 1))
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
    numbers = config.reader.numbers
    return MetaNet(_base(config), numbers, slice_width=config.slice_width, relu=config.hidden_relu)


@method(
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
    """The meta network; or, as the model of one painting, a network that it has written."""

    Config = MetaNetworkConfig
    config: MetaNetworkConfig
    module: MetaNet | GeneratedNet
    kind = "any"

    @classmethod
    def network(cls, config: MetaNetworkConfig) -> MetaNet | GeneratedNet:
        """The meta network of section 3.2, or a generated network alone."""
        return _base(config) if config.generated else _meta(config)

    @classmethod
    def task(cls, config: MetaNetworkConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """The loss with photos and paintings."""
        if config.generated:
            raise InputError("a generated network does not learn: train the one that writes it")
        if styles:
            raise InputError("meta-network learns from many paintings: give a folder as `style`")
        return MetaNetworkTask(config, runtime)

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        self.kind = "style" if self.config.generated else "any"
        if isinstance(self.module, GeneratedNet):
            self.smallest = max(SMALLEST, self.module.border + 1)  # of a mirrored border

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """From a model of this method, or from a network of one style as what all styles share.

        That is one that this method has written, or johnson's.
        """
        assert isinstance(module, MetaNet)
        if other.method == cls.name:
            super().start(module.base if other.config.get("generated") else module, other)
            return
        donor = network_of(other, Runtime(torch.device("cpu"), torch.float32))
        if not isinstance(donor, TransformNet):
            raise InputError(f"a model of {other.method}, not of {cls.name} or johnson")
        photos = [samples.photo(name).rgb for name in samples.PHOTOS]
        module.base.take_over(donor, [with_short_side(one, _START) for one in photos])

    @cached_property
    def encoder(self) -> Encoder:
        """Of the moments."""
        return self.config.reader.encoder(self.runtime)

    def encode(self, picture: Tensor) -> Style:
        """The moments of a painting, (1, moments), as the encoder gives them.

        They belong to no training: every model of the same layers can paint with them.
        """
        if self.config.generated:
            raise InputError("this is the model of one painting: name it as the style")
        moments = self.config.reader.read(self.encoder, picture, self.runtime)
        return Style(self.name, (Part({"moments": moments}),))

    def _paintings(self, style: Style) -> tuple[Tensor, Tensor]:
        """The moments of a style's paintings, (P, moments), and their shares (1, P), a sum of 1."""
        shares = style.shares()
        moments = self.config.reader.kept(style, "moments").to(self.runtime.device)
        return moments, shares[None].to(self.runtime.device)

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """Write the network of a style, and send the photo through it.

        A blend of paintings is the sum of their hidden vectors, and so of their weights.
        """
        style.expect(self.name)
        more = () if self.config.generated else self._paintings(style)
        return self.done(self.run(content, *more), callback)

    def specialized(self, style: Style, name: str, card: Mapping[str, Any]) -> Model:
        """The network of a style as a model of its own, which needs neither VGG nor this one."""
        if not isinstance(self.module, MetaNet):
            return super().specialized(style, name, card)
        network = self.module.network(*self._paintings(style.expect(self.name)))
        numbers = {**dataclasses.asdict(self.config), "generated": True}
        return Model(self.name, numbers, network.state_dict(), (name,), {**card, "kind": "style"})

    def graphs(self) -> Sequence[Graph]:
        """A generated network."""
        if not self.config.generated:
            raise InputError(
                "meta-network itself is not exported, but the networks that it writes: "
                "make one with 'impasto specialize'"
            )
        return super().graphs()
