"""Hyperparameters of style prediction: of its two networks and of their loss."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.errors import InputError
from impasto.methods.arbitrary.statistics import Reader
from impasto.methods.perceptual import PerceptualConfig
from impasto.nn.style_prediction import PREDICTORS
from impasto.nn.upsampling import BOTH


@dataclass(frozen=True, kw_only=True)
class StylePredictionConfig(PerceptualConfig):
    """Hyperparameters of the two networks and of their loss.

    Attributes:
        alpha: 1 is the full style; 0 the style that the photo itself has, which leaves it nearly as
            it is. Between them lie the blends of the two embeddings.
        predictor: What embeddings are predicted from: ``statistics`` for means and deviations of
            the encoder's features, or ``cnn`` for the style image, by a convolutional network
            that learns with the rest.
        embedding: Numbers of an embedding.
        width: Channels of the painter's first convolution; the paper's 32, less for speed.
        blocks: Residual blocks.
        upsampling: See :class:`~impasto.methods.multi_style.cin.CinConfig`.
        style_layers: Where style is compared, and what the predictor reads the statistics of.
        palette_weight: Of colours that the painting does not have, see
            :func:`impasto.losses.palette.palette_loss`.
        identity: Every so manieth step the photos are their own style pictures, so that ``alpha`` 0
            gives them back; 0 for none.
    """

    alpha: float = 1.0
    predictor: str = "statistics"  # ours: learns faster than a network that begins with nothing
    embedding: int = 100  # the authors' code
    width: int = 32  # the authors' code
    blocks: int = 5  # the authors' code
    upsampling: str = BOTH  # ours: less of a mesh in plain parts
    palette_weight: float = 200.0  # ours, as for cin
    identity: int = 8  # ours

    def __post_init__(self) -> None:
        """Raise for what makes no networks and no loss."""
        super().__post_init__()
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}: it must be 0 to 1")
        if self.predictor not in PREDICTORS:
            known = ", ".join(PREDICTORS)
            raise InputError(f"unknown predictor {self.predictor!r}: choose {known}")
        if min(self.embedding, self.width) < 1 or min(self.blocks, self.identity) < 0:
            raise InputError("embedding and width must be 1 or more, blocks and identity 0 or more")
        for name in ("content_weight", "style_weight", "tv_weight", "palette_weight"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: it must not be negative")
        _ = self.reader  # refuses layers that there are not

    @property
    def reader(self) -> Reader:
        """Return the input of the predictor for a style image."""
        return Reader(self.encoder, self.flavor, self.pooling, self.weights, self.style_layers)

    @classmethod
    def paper(cls) -> StylePredictionConfig:
        """The authors' numbers, which stand for what the paper leaves out."""
        return cls.authors()

    @classmethod
    def authors(cls) -> StylePredictionConfig:
        """The loss of magenta's arbitrary_image_stylization; a small CNN for its Inception."""
        return cls(
            predictor="cnn",
            upsampling="nearest",
            encoder="vgg16",
            pooling="average",
            content_layer="relu3_3",
            style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style_weight=4 * 5e-4,  # 5e-4 a layer
            # 1e4 of half the mean over differences in a batch of 8 crops of 256; here of the sum
            tv_weight=1e4 / 2 / (8 * 3 * 255 * 256),
            relative=False,
            palette_weight=0.0,
            identity=0,
        )
