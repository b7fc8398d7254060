"""Dumoulin et al.: one network for many styles, each a row of scales and shifts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.encoder import Encoder
from impasto.errors import InputError
from impasto.losses.perceptual import PerceptualLoss, Weights, equally
from impasto.methods.network import NetworkMethod, pad_to, with_short_side
from impasto.methods.registry import Ability, Paper, get, method
from impasto.model import Model
from impasto.networks.conditional import ConditionalNet, NewStyle
from impasto.networks.transform import TransformNet
from impasto.progress import Callback, silent
from impasto.runtime import Runtime
from impasto.style import Part, Style
from impasto.training.task import Batch, Task

_SHOWN = 4  # styles of a sample picture


@dataclass(frozen=True, kw_only=True)
class CinConfig:
    """Numbers of the network and of its loss.

    Attributes:
        styles: How many it has; training sets this to the number of paintings.
        width: Channels of the first convolution; the paper's 32, less for speed.
        blocks: Residual blocks.
        encoder: Of the loss: ``vgg19`` or ``vgg16``.
        flavor: Of the encoder.
        pooling: Of the encoder: ``max`` or ``avg``.
        weights: Of the encoder: a name or a file; ``none`` is the encoder's default.
        content_layer: Where content is compared.
        content_weight: Of the content.
        style_layers: Where style is compared.
        style_weight: Of the style, spread evenly over the layers.
        normalization: Of the Gram matrices, see :func:`impasto.losses.gram.gram_matrix`.
        relative: Whether losses are measured in units of their targets, see
            :class:`~impasto.losses.perceptual.Weights`; then no painting is too faint to be
            learned beside the others.
        style_size: Short side that the style pictures are resized to, in pixels; with the crop of
            the training data this sets the size of the strokes.
    """

    styles: int = 1
    width: int = 32  # the paper's appendix
    blocks: int = 5  # the paper's appendix
    encoder: str = "vgg19"  # comes with the package
    flavor: str = "caffe"
    pooling: str = "max"
    weights: str | None = None
    content_layer: str = "relu3_1"
    content_weight: float = 1.0
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    style_weight: float = 12.0  # ours, as for johnson
    normalization: str = "chw"
    relative: bool = True
    style_size: int = 320

    def __post_init__(self) -> None:
        """Refuse what makes no network."""
        least = min(self.styles, self.width, self.style_size)
        if least < 1 or self.blocks < 0:
            raise InputError("styles, width and style_size must be 1 or more, blocks 0 or more")

    @classmethod
    def paper(cls) -> CinConfig:
        """The network of the appendix; of the loss's weights, which it leaves out, the authors'.

        Its plan: batches of 16, Adam at 1e-3, 40,000 steps; 5,000 for a style that is added.
        """
        return cls.authors()

    @classmethod
    def authors(cls) -> CinConfig:
        """The defaults of magenta's image_stylization; its plan is the paper's, crops of 256."""
        return cls(
            encoder="vgg16",
            pooling="avg",
            content_layer="relu3_3",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 1e-4,  # 1e-4 a layer
            normalization="hw",
            relative=False,
            style_size=256,
        )


class CinTask(Task):
    """Each photo of a batch gets a style by lot, and is held against that one.

    Args:
        config: Of the method.
        styles: The paintings, (1, 3, H, W) each.
        runtime: Where the loss's network runs.
        module: What learns, in place of a fresh network; takes pictures, and weights (B, N) for as
            many styles as there are paintings.
    """

    sources = ("content",)

    def __init__(
        self,
        config: CinConfig,
        styles: Sequence[Tensor],
        runtime: Runtime,
        module: nn.Module | None = None,
    ) -> None:
        fitting = dataclasses.replace(config, styles=len(styles))
        self.module = Cin.network(fitting) if module is None else module
        self.loss_of = _loss_of(config, runtime)
        sized = (with_short_side(style, config.style_size).to(runtime.device) for style in styles)
        each = [self.loss_of.grams(style) for style in sized]  # they differ in size
        self.targets = {  # (N, C, C)
            layer: torch.cat([grams[layer] for grams in each]) for layer in config.style_layers
        }
        self.count, self._shown = len(styles), None

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Content of the batch, and of every picture the style that it drew."""
        photos = batch["content"]
        if self._shown is None:
            self._shown = photos[:1].clone()
        drawn = torch.randint(self.count, (len(photos),)).to(photos.device)  # (B,)
        painted = module(photos, F.one_hot(drawn, self.count).float())
        targets = {layer: grams[drawn] for layer, grams in self.targets.items()}  # (B, C, C)
        return self.loss_of(painted, photos, targets)

    def sample(self, module: nn.Module) -> Tensor | None:
        """A photo of the first batch, and what it becomes in the first styles, in one pass."""
        if self._shown is None:
            return None
        photo = self._shown
        weights = torch.eye(self.count, device=photo.device)[:_SHOWN]  # (up to 4, N)
        painted: Tensor = module(photo.expand(len(weights), -1, -1, -1), weights)
        return torch.cat([photo, *painted.float().split(1)], dim=-1)  # (1, 3, H, up to 5*W)

    _shown: Tensor | None


def _loss_of(config: CinConfig, runtime: Runtime) -> PerceptualLoss:
    weights = Weights(
        content={config.content_layer: config.content_weight},
        style=equally(config.style_layers, config.style_weight),
        relative=config.relative,
        normalization=config.normalization,
    )
    encoder = Encoder(
        config.encoder, flavor=config.flavor, pooling=config.pooling, weights=config.weights
    )
    return PerceptualLoss(encoder.place(runtime), weights)


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
    abilities=Ability.STYLIZE | Ability.BLEND | Ability.MASKS | Ability.TRAIN,
)
class Cin(NetworkMethod):
    """Conditional instance normalisation."""

    Config = CinConfig
    config: CinConfig
    module: ConditionalNet
    # Of a loss of 5, the tables alone leave 4.0 after 80 steps at 1e-3, 2.0 at 1e-2, 1.8 at 3e-2.
    adding: ClassVar[Mapping[str, Any]] = {"steps": 400, "learning_rate": 2e-2}

    @classmethod
    def network(cls, config: CinConfig) -> ConditionalNet:
        """The network of the paper's appendix."""
        return ConditionalNet(config.styles, config.width, config.blocks)

    @classmethod
    def task(cls, config: CinConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """The losses of section 2.1, a painting for each picture of a batch."""
        if not styles:
            raise InputError("cin learns paintings: give a --style for each")
        return CinTask(config, styles, runtime)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """From a model of this method, or from a network of one style, as johnson's.

        Johnson's convolutions are taken over, and its norms for every style.
        """
        if other.method == cls.name:
            super().start(module, other)
            return
        build = get(other.method, Ability.TRAIN).build
        assert issubclass(build, NetworkMethod)  # what TRAIN means
        donor = build.open(other).module
        if not isinstance(donor, TransformNet) or not isinstance(module, ConditionalNet):
            raise InputError(f"a model of {other.method}, not of {cls.name} or johnson")
        module.take_over(donor)

    def addition(self, config: CinConfig, style: Tensor) -> Task:
        """Section 3.2: two new rows learn, and the convolutions stay as they are."""
        return CinTask(config, [style], self.runtime, NewStyle(self.module))

    def joined(self, module: nn.Module) -> nn.Module:
        """The network with the new rows below the old."""
        assert isinstance(module, NewStyle)
        old = module.network.state_dict()
        if not all(torch.equal(old[k].cpu(), v.cpu()) for k, v in self.module.state_dict().items()):
            raise InputError("the checkpoint belongs to another model: begin anew with --restart")
        return module.joined()

    def model(self, module: nn.Module, styles: Sequence[str], card: Mapping[str, Any]) -> Model:
        """A trained module as a model, whose config knows the number of its styles."""
        made = super().model(module, styles, card)
        return dataclasses.replace(made, config={**made.config, "styles": len(styles)})

    def encode(self, picture: Tensor) -> Style:
        """Refuse: the network paints the styles that it has learned."""
        raise InputError("cin paints what it has learned: teach it with 'impasto add-style'")

    def own_style(self, index: int = 0) -> Style:
        """The style in this row of the tables."""
        return Style(self.name, (Part({"index": torch.tensor(index)}),))

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """One pass: a blend is a sum of rows, and each region has a row of its own."""
        style.expect(self.name)
        weights, shares = self._weights(style)  # (P, N), (P)
        if not regions:
            blend = (shares @ weights)[None]  # (1, N)
            return self.done(self.run(content, blend), callback)
        maps = pad_to(_maps(shares, regions, content.shape[-2:]), self.multiple)
        return self.done(self.run(content, weights, maps), callback)

    def _weights(self, style: Style) -> tuple[Tensor, Tensor]:
        """The weights of the rows in each part of a style, (P, N), and the parts' shares, (P)."""
        shares = torch.tensor([part.weight for part in style])
        if not bool((shares >= 0).all()) or not float(shares.sum()) > 0:
            raise InputError("weights of styles must not be negative, nor all 0")
        rows = torch.stack([part.tensors["index"].cpu() for part in style])  # (P,)
        count = self.config.styles
        if int(rows.max()) >= count:
            raise InputError(f"this model has {count} styles: there is no {int(rows.max()) + 1}th")
        return F.one_hot(rows, count).float(), shares / shares.sum()


def _maps(shares: Tensor, regions: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """How much of each part there is at each position.

    Args:
        shares: (P,) of the parts, where their regions meet.
        regions: A soft mask (1, 1, h, w) for each part.
        size: H and W of the picture that is painted.

    Returns:
        (1, P, H, W), sums of 1 at each position; where no region reaches, the shares.
    """
    masks = torch.cat([region.cpu() for region in regions], 1)  # (1, P, h, w)
    if masks.shape[-2:] != tuple(size):
        masks = F.interpolate(masks, tuple(size), mode="bilinear", antialias=True)
    shares = shares[None, :, None, None]  # (1, P, 1, 1)
    total = (masks * shares).sum(1, keepdim=True)
    return torch.where(total > 1e-6, masks * shares / total.clamp_min(1e-6), shares)
