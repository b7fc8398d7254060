"""Ghiasi et al.: one network reads a painting, another paints with the norms that it predicts.

"Exploring the Structure of a Real-time, Arbitrary Neural Artistic Stylization Network", BMVC 2017.
Dumoulin's network has a scale γ and a shift β for each channel and style. Here they are predicted,
from the painting to an embedding of 100 numbers and from there to all γ and β, so that any painting
is a style. The paper's predictor begins with an Inception network; ours begins with the means and
deviations of the features that the loss compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from impasto.encoder import Encoder, smallest_side
from impasto.errors import InputError
from impasto.losses.gram import gram_matrix
from impasto.losses.palette import palette_of, with_palette
from impasto.losses.perceptual import PerceptualLoss, Weights, equally
from impasto.methods.arbitrary.statistics import Embedding, Reader, known, statistics
from impasto.methods.arbitrary.task import PaintingTask
from impasto.methods.graphs import Graph, Input, normal, picture
from impasto.methods.network import SMALLEST, NetworkMethod, network_of, pad_to
from impasto.methods.registry import Ability, Paper, method
from impasto.model import Model
from impasto.networks.prediction import EmbeddedNet, PredictionNet
from impasto.networks.regions import region_maps
from impasto.networks.upsampling import BOTH
from impasto.progress import Callback, silent
from impasto.runtime import Runtime
from impasto.style import Part, Style
from impasto.training.shift import alike, with_shift
from impasto.training.task import Batch, Task


@dataclass(frozen=True, kw_only=True)
class StylePredictionConfig:
    """Numbers of the two networks and of their loss.

    Attributes:
        alpha: 1 is the full style; 0 the style that the photo itself has, which leaves it nearly as
            it is. Between them lie the blends of the two embeddings.
        embedding: Numbers of an embedding.
        width: Channels of the painter's first convolution; the paper's 32, less for speed.
        blocks: Residual blocks.
        upsampling: See :class:`~impasto.methods.multi_style.cin.CinConfig`.
        encoder: Of the predictor and of the loss: ``vgg19`` or ``vgg16``.
        flavor: Of the encoder.
        pooling: Of the encoder: ``max`` or ``average``.
        weights: Of the encoder: a name or a file; ``none`` is the encoder's default.
        content_layer: Where content is compared.
        content_weight: Of the content.
        style_layers: Where style is compared, and what the predictor reads the statistics of.
        style_weight: Of the style, spread evenly over the layers.
        smoothness: Of the total variation, see :class:`~impasto.losses.perceptual.Weights`.
        normalization: Of the Gram matrices, see :func:`impasto.losses.gram.gram_matrix`.
        relative: Whether losses are measured in units of their targets, see
            :class:`~impasto.losses.perceptual.Weights`.
        palette_weight: Of colours that the painting does not have, see
            :func:`impasto.losses.palette.palette_loss`.
        identity: Every so manieth step the photos are their own style pictures, so that ``alpha`` 0
            gives them back; 0 for none.
    """

    alpha: float = 1.0
    embedding: int = 100  # the authors' code
    width: int = 32  # the authors' code
    blocks: int = 5  # the authors' code
    upsampling: str = BOTH  # ours: less of a mesh in plain parts
    encoder: str = "vgg19"  # comes with the package
    flavor: str = "caffe"
    pooling: str = "max"
    weights: str | None = None
    content_layer: str = "relu3_1"
    content_weight: float = 1.0
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    style_weight: float = 12.0  # ours, as for cin
    smoothness: float = 0.0
    normalization: str = "chw"
    relative: bool = True
    palette_weight: float = 200.0  # ours, as for cin
    identity: int = 8  # ours

    def __post_init__(self) -> None:
        """Refuse what makes no networks and no loss."""
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}: it must be 0 to 1")
        if min(self.embedding, self.width) < 1 or min(self.blocks, self.identity) < 0:
            raise InputError("embedding and width must be 1 or more, blocks and identity 0 or more")
        for name in ("content_weight", "style_weight", "smoothness", "palette_weight"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: it must not be negative")
        _ = self.reader  # refuses layers that there are not

    @property
    def reader(self) -> Reader:
        """What the predictor is told of a painting."""
        return Reader(self.encoder, self.flavor, self.pooling, self.weights, self.style_layers)

    @classmethod
    def paper(cls) -> StylePredictionConfig:
        """The authors' numbers, which stand for what the paper leaves out."""
        return cls.authors()

    @classmethod
    def authors(cls) -> StylePredictionConfig:
        """The loss of magenta's arbitrary_image_stylization, without its Inception network."""
        return cls(
            upsampling="nearest",
            encoder="vgg16",
            pooling="average",
            content_layer="relu3_3",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 5e-4,  # 5e-4 a layer
            # 1e4 of half the mean over differences in a batch of 8 crops of 256; here of the sum
            smoothness=1e4 / 2 / (8 * 3 * 255 * 256),
            normalization="hw",
            relative=False,
            palette_weight=0.0,
            identity=0,
        )


class StylePredictionTask(PaintingTask):
    """Each photo of a batch gets a painting: its statistics are predicted from, its Gram met.

    Args:
        config: Of the method.
        runtime: Where the encoder runs.
    """

    module: PredictionNet

    def __init__(self, config: StylePredictionConfig, runtime: Runtime) -> None:
        self.config = config
        self.module = StylePrediction.network(config)
        self.module.predictor.measure(known(config.reader, runtime.device))
        weights = Weights(
            content={config.content_layer: config.content_weight},
            style=equally(config.style_layers, config.style_weight),
            smoothness=config.smoothness,
            relative=config.relative,
            normalization=config.normalization,
        )
        self.encoder = config.reader.encoder(runtime, "pool5")
        self.loss_of = PerceptualLoss(self.encoder, weights)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Content of the photos, and of each the style of its painting."""
        photos, paintings = batch["content"], alike(batch, batch["style"])
        self.remember(batch)
        every = self.config.identity
        if every and batch.step % every == every - 1:
            own, painted = self._painted(module, photos, photos)
            given = {"total": own["total"], "identity": own["total"].detach()}
            return with_shift(given, painted, batch)
        losses, painted = self._painted(module, photos, paintings)
        losses = with_shift(losses, painted, batch)
        return with_palette(losses, painted, palette_of(paintings), self.config.palette_weight)

    def _painted(
        self, module: nn.Module, photos: Tensor, paintings: Tensor
    ) -> tuple[Mapping[str, Tensor], Tensor]:
        layers = self.config.style_layers
        with torch.no_grad():
            features = self.encoder(paintings, layers)
            seen = statistics(features, layers)  # (B, inputs)
            targets = {  # (B, C, C)
                layer: gram_matrix(features[layer], normalization=self.config.normalization)
                for layer in layers
            }
        each = torch.eye(len(photos), device=photos.device)
        painted = module(photos, seen, each)
        return self.loss_of(painted, photos, targets), painted

    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """By the norms that are predicted from the painting."""
        seen = self.config.reader.read(self.encoder, painting)
        painted: Tensor = module(photo, seen, torch.ones(1, 1, device=photo.device))
        return painted


@method(
    "style-prediction",
    "one network for every style: its norms are predicted from the painting",
    Paper(
        "Ghiasi, Lee, Kudlur, Dumoulin, Shlens",
        "Exploring the Structure of a Real-time, Arbitrary Neural Artistic Stylization Network",
        "BMVC",
        2017,
        "https://arxiv.org/abs/1705.06830",
    ),
    family="arbitrary",
    abilities=Ability.STYLIZE | Ability.BLEND | Ability.MASKS | Ability.TRAIN | Ability.EXPORT,
)
class StylePrediction(NetworkMethod):
    """Encoder, predictor, painter."""

    Config = StylePredictionConfig
    config: StylePredictionConfig
    module: PredictionNet
    kind = "any"
    default_size = 512
    adjustable = ("alpha", "upsampling")

    @classmethod
    def network(cls, config: StylePredictionConfig) -> PredictionNet:
        """The painter of the paper, and the predictor of its norms."""
        return PredictionNet(
            config.reader.numbers,
            config.embedding,
            config.width,
            config.blocks,
            upsampling=config.upsampling,
        )

    @classmethod
    def task(
        cls, config: StylePredictionConfig, styles: Sequence[Tensor], runtime: Runtime
    ) -> Task:
        """The loss with photos and paintings."""
        if styles:
            raise InputError("style-prediction learns from many paintings: give --style FOLDER")
        return StylePredictionTask(config, runtime)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """From a model of this method, or from one of johnson or cin.

        Of these, the convolutions and the norms are taken over: at first every painting gets the
        norms of johnson's style, or the mean of cin's.
        """
        if other.method == cls.name:
            super().start(module, other)
            return
        if other.method not in {"johnson", "cin"} or not isinstance(module, PredictionNet):
            raise InputError(f"a model of {other.method}, not of {cls.name}, johnson or cin")
        module.take_over(network_of(other))

    @cached_property
    def encoder(self) -> Encoder:
        """Whose statistics the predictor reads."""
        return self.config.reader.encoder(self.runtime)

    def encode(self, picture: Tensor) -> Style:
        """The statistics of a painting, (1, inputs).

        They belong to no training: each model makes an embedding of its own of them.
        """
        seen = self.config.reader.read(self.encoder, picture)
        return Style(self.name, (Part({"statistics": seen}),))

    @torch.no_grad()
    def embeddings(self, style: Style) -> Tensor:
        """The embeddings of a style's parts, (P, embedding).

        Raises:
            InputError: The style is of another method, or of other layers.
        """
        return self.module.predictor.embed(self._seen(style))

    def _seen(self, style: Style) -> Tensor:
        """The statistics of a style's parts, (P, inputs)."""
        seen = self.config.reader.kept(style.expect(self.name), "statistics")
        return seen.to(self.runtime.device)

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """One pass: a blend is a sum of embeddings, and each region has an embedding of its own.

        With ``alpha`` below 1 the photo's own embedding takes part in each of them.
        """
        seen, alpha = self._seen(style), self.config.alpha  # (P, inputs)
        shares = style.shares()  # (P,)
        weights = torch.eye(len(shares)) if regions else shares[None]  # (P or 1, P)
        if alpha < 1:
            seen = torch.cat([seen, self._seen(self.encode(content))])  # (P + 1, inputs)
            own = torch.full((len(weights), 1), 1 - alpha)
            weights = torch.cat([alpha * weights, own], 1)  # (P or 1, P + 1)
        if not regions:
            return self.done(self.run(content, seen, weights), callback)
        maps = pad_to(region_maps(shares, regions, content.shape[-2:]), self.multiple)
        return self.done(self.run(content, seen, weights, maps), callback)

    def graphs(self) -> Sequence[Graph]:
        """The predictor, then the painter; blends are sums of embeddings, regions are left out."""
        layers = self.config.style_layers
        painting = picture("style", 1, max(SMALLEST, *map(smallest_side, layers)))
        embedding = Input("embedding", (1, self.config.embedding), normal)
        inputs, alpha = (picture("content", self.multiple), embedding), self.config.alpha
        reading = Embedding(self.encoder, layers, self.module.predictor)
        return (
            Graph(reading, (painting,), embedding.name, role="predictor"),
            Graph(EmbeddedNet(self.module), inputs, facts={"alpha": alpha}),
        )
