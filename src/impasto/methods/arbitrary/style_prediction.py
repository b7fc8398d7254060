"""Style transfer with predicted normalisation parameters, for any style.

Ghiasi et al., "Exploring the Structure of a Real-time, Arbitrary Neural Artistic Stylization
Network", BMVC 2017. Dumoulin's network (:mod:`impasto.methods.multi_style.cin`) learns a scale γ
and a shift β for each channel and style. Here a second network predicts them from the style image,
by way of an embedding of 100 elements. The paper's predictor begins with an Inception network; ours
reads the means and deviations of the features that the loss compares, or is a small convolutional
network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError
from impasto.image import Image
from impasto.losses.palette import palette_of, with_palette
from impasto.methods.arbitrary.statistics import Embedding, sample_images, sample_stats, statistics
from impasto.methods.arbitrary.style_prediction_config import StylePredictionConfig
from impasto.methods.graphs import Graph, Input, normal, picture
from impasto.methods.network import NetworkMethod, network_class
from impasto.methods.registry import register_method
from impasto.methods.sample_task import PaintingTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Part, Style
from impasto.models.checkpoint import Model
from impasto.nn.regions import region_maps
from impasto.nn.sizes import SMALLEST
from impasto.nn.style_prediction import ImagePredictor, PredictionNet
from impasto.nn.vgg import Encoder
from impasto.nn.vgg_layers import smallest_side
from impasto.training.shift import same_within_pairs, with_shift
from impasto.training.task import Batch, Task


class StylePredictionTask(PaintingTask):
    """The training task: each content image of a batch is painted in a style of its own.

    Args:
        config: Of the method.
        runtime: Device and number format of the encoder.
    """

    module: PredictionNet

    def __init__(self, config: StylePredictionConfig, runtime: Runtime) -> None:
        self.config = config
        self.module = StylePrediction.network(config)
        predictor = self.module.predictor
        self.sees_images = isinstance(predictor, ImagePredictor)
        if isinstance(predictor, ImagePredictor):
            predictor.measure_images(sample_images())
        else:
            predictor.measure(sample_stats(config.reader, runtime.device))
        self.encoder = config.loss_encoder(runtime)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute content, style and palette losses of each content image and its style image."""
        photos, paintings = batch["content"], same_within_pairs(batch, batch["style"])
        self.remember(batch["content"], batch["style"])
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
            features = self.config.style_features(self.encoder, paintings)
            # (B, 3, H, W) or (B, inputs)
            seen = paintings if self.sees_images else statistics(features, layers)
        each = torch.eye(len(photos), device=photos.device)
        painted = module(photos, seen, each)
        style = self.config.style_objective(self.encoder, features)
        return self.config.objective(style, photos)(painted), painted

    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """Paint a content image with the parameters predicted from the style image."""
        read = self.config.reader.read
        seen = painting if self.sees_images else read(self.encoder, painting)
        painted: Tensor = module(photo, seen, torch.ones(1, 1, device=photo.device))
        return painted


@register_method(
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
    """A network that paints in any style: encoder, predictor, transformation network."""

    Config = StylePredictionConfig
    config: StylePredictionConfig
    module: PredictionNet
    kind = "any"
    adjustable = ("alpha", "upsampling")

    @classmethod
    def network(cls, config: StylePredictionConfig) -> PredictionNet:
        """Return the transformation network and the predictor of its normalisation parameters."""
        return PredictionNet(
            config.reader.numbers,
            config.embedding,
            config.width,
            config.blocks,
            upsampling=config.upsampling,
            predictor=config.predictor,
        )

    @classmethod
    def task(
        cls, config: StylePredictionConfig, styles: Sequence[Tensor], runtime: Runtime
    ) -> Task:
        """Return the training task."""
        if styles:
            raise InputError(
                "style-prediction learns from many paintings: give a folder as `style`"
            )
        return StylePredictionTask(config, runtime)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """Initialise from a model of this method, of johnson or of cin.

        From the latter two the convolutions are copied. The predictor then starts by giving every
        style the normalisation parameters of johnson's style, or the mean of those of cin's.
        """
        if other.method == cls.name:
            super().start(module, other)
            return
        if other.method not in {"johnson", "cin"} or not isinstance(module, PredictionNet):
            raise InputError(f"a model of {other.method}, not of {cls.name}, johnson or cin")
        module.initialize_from(network_class(other.method).open(other).module)

    @cached_property
    def encoder(self) -> Encoder:
        """Return the encoder of the style images."""
        return self.config.reader.encoder(self.runtime)

    @torch.no_grad()
    def encode(self, picture: Tensor) -> Style:
        """Compute the statistics of a style image, (1, inputs), or its embedding by a CNN.

        Statistics depend on the encoder only, and fit every model with the same layers. An
        embedding fits only the model that has computed it.
        """
        predictor = self.module.predictor
        if isinstance(predictor, ImagePredictor):
            embedded = predictor.embed(self._enlarged(picture).to(self.runtime.device))
            owner = torch.tensor([predictor.fingerprint()])
            return Style(self.name, (Part({"embedding": embedded, "predictor": owner}),))
        seen = self.config.reader.read(self.encoder, picture, self.runtime)
        return Style(self.name, (Part({"statistics": seen}),))

    @torch.no_grad()
    def embeddings(self, style: Style) -> Tensor:
        """Compute the embeddings of a style's parts, (P, embedding).

        Raises:
            InputError: The style is of another method, or of other layers.
        """
        return self.module.predictor.embed(self._seen(style))

    def _seen(self, style: Style) -> Tensor:
        """Return the predictor's input for a style's parts: (P, inputs), or (P, embedding).

        Raises:
            InputError: The style is of another method, of other layers, or of another model's CNN.
        """
        predictor = self.module.predictor
        if not isinstance(predictor, ImagePredictor):
            seen = self.config.reader.stored_stats(style.expect(self.name), "statistics")
            return seen.to(self.runtime.device)
        owner, none = predictor.fingerprint(), torch.tensor([-1])
        for part in style.expect(self.name):
            if int(part.tensors.get("predictor", none)) != owner:
                raise InputError(
                    "this style was encoded by another model: encode it anew with this"
                )
        embedded = [part.tensors["embedding"].float() for part in style]
        return torch.cat(embedded).to(self.runtime.device)

    @staticmethod
    def _enlarged(image: Tensor) -> Tensor:
        """Enlarge a style image (1, 3, H, W) that is too small for the CNN."""
        height, width = (max(side, SMALLEST) for side in image.shape[-2:])
        return (
            Image(image).resized(height, width).rgb if min(image.shape[-2:]) < SMALLEST else image
        )

    def painter(
        self, content: Tensor, style: Style, regions: Sequence[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Return the network with the embeddings of a style.

        A blend is a weighted sum of embeddings; with regions each region has an embedding of its
        own. If ``alpha`` is below 1, each is blended with the embedding of the content image.
        """
        seen, alpha = self._seen(style), self.config.alpha  # (P, inputs)
        blend = style.shares()  # (P,)
        weights = torch.eye(len(blend)) if regions else blend[None]  # (P or 1, P)
        if alpha < 1:
            seen = torch.cat([seen, self._seen(self.encode(content))])  # (P + 1, inputs)
            own = torch.full((len(weights), 1), 1 - alpha)
            weights = torch.cat([alpha * weights, own], 1)  # (P or 1, P + 1)
        maps = region_maps(blend, regions, content.shape[-2:]) if regions else None
        return self.bound(seen, weights, maps=maps)

    def graphs(self) -> Sequence[Graph]:
        """Return the predictor's graph, and that of the transformation network without regions."""
        layers, sees_images = self.config.style_layers, self.config.predictor == "cnn"
        least = SMALLEST if sees_images else max(SMALLEST, *map(smallest_side, layers))
        painting = picture("style", 1, least)
        embedding = Input("embedding", (1, self.config.embedding), normal)
        inputs, alpha = (picture("content", self.multiple), embedding), self.config.alpha
        encoder = None if sees_images else self.encoder
        reading = Embedding(encoder, layers, self.module.predictor)
        return (
            Graph(reading, (painting,), embedding.name, role="predictor"),
            Graph(self.module, inputs, facts={"alpha": alpha}, function=self.module.paint),
        )
