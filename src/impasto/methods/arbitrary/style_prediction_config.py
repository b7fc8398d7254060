"""Hyperparameters of style prediction: of its two networks and of their loss."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.errors import check_choice, check_range
from impasto.methods.arbitrary.statistics import StatsReader
from impasto.methods.perceptual import PerceptualConfig
from impasto.nn.style_prediction import PREDICTORS
from impasto.nn.upsampling import BOTH


@dataclass(frozen=True, kw_only=True)
class StylePredictionConfig(PerceptualConfig):
    """Hyperparameters of the two networks and of their loss.

    Attributes:
        alpha: Weight of the style image's embedding against the content image's, in [0, 1]: 1 is
            the full style, 0 leaves the content image nearly unchanged.
        predictor: What embeddings are predicted from: ``statistics`` for means and deviations of
            the encoder's features, or ``cnn`` for the style image, by a convolutional network
            that is trained together with the other.
        embedding: Number of elements of an embedding.
        width: Channels of the first convolution of the transformation network; 32 in the paper.
        blocks: Number of residual blocks.
        upsampling: See :class:`~impasto.methods.multi_style.cin.CinConfig`.
        style_layers: Layers of the style loss, and of the statistics that the predictor reads.
        palette_weight: Weight of the loss on colours that the style image does not have, see
            :func:`impasto.losses.palette.palette_loss`.
        identity: Every n-th step uses the content images as their own style images, so that
            ``alpha`` 0 reproduces them; 0 for none.
    """

    alpha: float = 1.0
    predictor: str = "statistics"  # ours: learns faster than an untrained CNN
    embedding: int = 100  # authors' code
    width: int = 32  # authors' code
    blocks: int = 5  # authors' code
    upsampling: str = BOTH  # ours: weaker grid pattern in flat areas
    palette_weight: float = 200.0  # ours, as for cin
    identity: int = 8  # ours

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(0, 1, alpha=self.alpha)
        check_choice("predictor", self.predictor, PREDICTORS)
        check_range(1, embedding=self.embedding, width=self.width)
        check_range(0, blocks=self.blocks, identity=self.identity)
        check_range(0, content_weight=self.content_weight, style_weight=self.style_weight)
        check_range(0, tv_weight=self.tv_weight, palette_weight=self.palette_weight)
        _ = self.reader  # its constructor checks the layers

    @property
    def reader(self) -> StatsReader:
        """Return the reader of the statistics that are the predictor's input."""
        return StatsReader(self.encoder, self.flavor, self.pooling, self.weights, self.style_layers)

    @classmethod
    def paper(cls) -> StylePredictionConfig:
        """Return the authors' config, since the paper states no hyperparameters of its own."""
        return cls.authors()

    @classmethod
    def authors(cls) -> StylePredictionConfig:
        """Return the config of magenta's arbitrary_image_stylization.

        A small CNN takes the place of its Inception network.
        """
        return cls(
            predictor="cnn",
            upsampling="nearest",
            encoder="vgg16",
            pooling="average",
            content_layer="relu3_3",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 5e-4,  # 5e-4 for each layer
            # theirs: 1e4 times half the mean over differences, on 8 crops of 256x256; ours: the sum
            tv_weight=1e4 / 2 / (8 * 3 * 255 * 256),
            relative=False,
            palette_weight=0.0,
            identity=0,
        )
