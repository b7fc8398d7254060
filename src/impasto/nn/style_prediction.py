"""One network for any style: a style transfer network whose norms are predicted from a style image.

Ghiasi et al., "Exploring the Structure of a Real-time, Arbitrary Neural Artistic Stylization
Network", BMVC 2017: Dumoulin's network, but the scales γ and shifts β of a style are not rows of a
table. A second network, the predictor, computes them from the style image.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError, check_range
from impasto.nn.cin import ConditionalNet
from impasto.nn.johnson import TransformNet

PREDICTORS = ("statistics", "cnn")

_WIDTHS = (32, 64, 128, 256)  # channels of the convolutions of ImagePredictor
_DEAD = 0.05  # times the mean statistic: lower bound of the units
_STEADY = 0.5  # times the mean spread: lower bound of the spreads
_SMALL = 0.05  # initial deviation of the predicted scales and shifts


class Predictor(nn.Module):
    """Maps statistics of an image to an embedding, and the embedding to the norms of a style.

    Both maps are linear, as the authors' are after their Inception network, whose features are
    replaced here by statistics of the loss encoder. A statistic s enters as log(1 + s/u) with a
    unit u, minus a center, divided by a spread. All three are computed from images, so that layers
    and flavours of the encoder are weighted equally, and are saved with the weights.

    Args:
        inputs: Number of statistics.
        embedding: Size of the embedding; the authors' 100.
        outputs: Number of scales and shifts; 2,758 at full width.

    Raises:
        InputError: The size of the embedding is below 1.
    """

    unit: Tensor
    center: Tensor
    spread: Tensor

    def __init__(self, inputs: int, embedding: int, outputs: int) -> None:
        super().__init__()
        check_range(1, embedding=embedding)
        self.register_buffer("unit", torch.ones(inputs))
        self.register_buffer("center", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.embedding = nn.Linear(inputs, embedding)
        # no bias: an embedding of zeros gives the transfer network's own norms
        self.head = nn.Linear(embedding, outputs, bias=False)
        nn.init.normal_(self.embedding.weight)
        nn.init.zeros_(self.embedding.bias)
        nn.init.normal_(self.head.weight, std=_SMALL)

    @torch.no_grad()
    def measure(self, seen: Tensor) -> None:
        """Compute unit, center and spread from the statistics of some images.

        Args:
            seen: (N, inputs), of at least two images.
        """
        mean = seen.mean(0)
        self.unit.copy_(mean.clamp_min(_DEAD * float(mean.mean())))
        logs = torch.log1p(seen.to(self.unit) / self.unit)  # (N, inputs)
        spread = logs.std(0)
        self.center.copy_(logs.mean(0))
        self.spread.copy_(spread.clamp_min(_STEADY * float(spread.mean())))

    def embed(self, seen: Tensor) -> Tensor:
        """Map statistics of images (N, inputs) to embeddings (N, embedding)."""
        normal = (torch.log1p(seen / self.unit) - self.center) / self.spread
        # Adam changes all weights of a sum at each step. Dividing by the root of their number keeps
        # the change of the result as small as in a convolution.
        embedded: Tensor = self.embedding(normal / normal.shape[1] ** 0.5)
        return embedded

    def forward(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Map embeddings (B, embedding) to changes of scales and shifts, (B, outputs/2) each."""
        scale, shift = self.head(embedded / embedded.shape[1] ** 0.5).chunk(2, 1)
        return scale, shift


class ImagePredictor(Predictor):
    """Maps a style image to an embedding by a convolutional network.

    Four 3x3 convolutions of stride 2 with ReLU, the mean of each of the 256 channels over all
    positions, and the maps of :class:`Predictor`. The paper's network is Inception-v3, trained on
    ImageNet, up to the means of 768 channels; this one is small and randomly initialised.

    Args:
        embedding: Size of the embedding.
        outputs: Number of scales and shifts.
    """

    def __init__(self, embedding: int, outputs: int) -> None:
        super().__init__(_WIDTHS[-1], embedding, outputs)
        layers: list[nn.Module] = []
        for before, width in zip((3, *_WIDTHS), _WIDTHS, strict=False):
            convolution = nn.Conv2d(before, width, 3, stride=2, padding=1)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            layers += [convolution, nn.ReLU()]
        self.features = nn.Sequential(*layers)

    def pooled(self, images: Tensor) -> Tensor:
        """Return the means of the channels, (B, 256), of images (B, 3, H, W) in [0, 1]."""
        features: Tensor = self.features((images - 0.5) / 0.25)
        return features.mean((2, 3))

    @torch.no_grad()
    def measure_images(self, images: Iterable[Tensor]) -> None:
        """Compute unit, center and spread from at least two images (1, 3, H, W)."""
        self.measure(torch.cat([self.pooled(image) for image in images]))

    def embed(self, seen: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to embeddings (N, embedding); return embeddings unchanged."""
        return super().embed(self.pooled(seen)) if seen.ndim == 4 else seen

    def fingerprint(self) -> int:
        """Return a checksum of the weights in float16, which is the same after saving in it."""
        checksum = 0
        for value in self.state_dict().values():
            checksum = zlib.crc32(value.half().contiguous().cpu().numpy().tobytes(), checksum)
        return checksum


class PredictionNet(nn.Module):
    """A style transfer network and the predictor of its norms.

    The norms of the three contracting convolutions are learned and shared by all styles (batch
    norms in the authors' code, instance norms here). The scales and shifts of all later norms are
    learned values plus predicted changes.

    Args:
        inputs: Number of statistics that the predictor reads.
        embedding: Size of the embedding.
        width: See :class:`~impasto.nn.cin.ConditionalNet`.
        blocks: See there.
        upsampling: See there.
        predictor: ``statistics``, or ``cnn`` for :class:`ImagePredictor`, which ignores ``inputs``.

    Attributes:
        predicted: Number of predicted scales, and of predicted shifts: the last 1,379 of 1,603 at
            full width.
    """

    def __init__(
        self,
        inputs: int = 1920,
        embedding: int = 100,
        width: int = 32,
        blocks: int = 5,
        *,
        upsampling: str = "nearest",
        predictor: str = "statistics",
    ) -> None:
        super().__init__()
        self.painter = ConditionalNet(1, width, blocks, upsampling=upsampling)
        contracting = len(self.painter.encoder)
        self.predicted = sum(self.painter.channels[contracting:])
        outputs = 2 * self.predicted
        self.predictor = (
            ImagePredictor(embedding, outputs)
            if predictor == "cnn"
            else Predictor(inputs, embedding, outputs)
        )

    def forward(
        self, image: Tensor, seen: Tensor, weights: Tensor, regions: Tensor | None = None
    ) -> Tensor:
        """Stylise images in blends of styles.

        Args:
            image: (B, 3, H, W) in [0, 1], H and W multiples of 4.
            seen: (N, inputs), the statistics of N style images; or, for :class:`ImagePredictor`,
                the images (N, 3, h, w) or their embeddings (N, embedding).
            weights: (B, N), the weights of the styles' embeddings, with sums of 1; with regions (P,
                N), for each region.
            regions: (1, P, H, W) for a single image, with a sum of 1 at each position, see
                :func:`~impasto.nn.cin.regional_norm`.

        Returns:
            (B, 3, H, W), float32 in [0, 1].
        """
        with torch.autocast(image.device.type, enabled=False):  # 16 bits would round the styles
            embedded = weights @ self.predictor.embed(seen)
        return self.paint(image, embedded, regions)

    def paint(self, image: Tensor, embedded: Tensor, regions: Tensor | None = None) -> Tensor:
        """Stylise images as :meth:`forward` does, from embeddings (B or P, embedding)."""
        with torch.autocast(image.device.type, enabled=False):
            gamma, beta = self.norms(embedded)
            each = torch.eye(len(gamma), device=gamma.device)
        return self.painter.paint(image, each, gamma, beta, regions)

    def norms(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Return all scales and shifts for embeddings (B, embedding): tables of (B, S) each."""
        scale, shift = self.predictor(embedded)
        own = self.painter.gamma.shape[1] - self.predicted
        gamma = self.painter.gamma + F.pad(scale, (own, 0))
        return gamma, self.painter.beta + F.pad(shift, (own, 0))

    def initialize_from(self, other: nn.Module) -> None:
        """Copy the convolutions and the mean norms of a network of one or of many styles.

        Raises:
            InputError: The network has another shape, or is of another class.
        """
        if isinstance(other, TransformNet):
            self.painter.initialize_from(other)
            return
        if not isinstance(other, ConditionalNet):
            raise InputError("only a network of johnson or cin can be taken over")
        state = dict(other.state_dict())
        for table in ("gamma", "beta"):
            state[table] = state[table].mean(0, keepdim=True)  # (N, S) to (1, S)
        try:
            self.painter.load_state_dict(state)
        except RuntimeError as error:
            raise InputError(
                "the network to start from has another shape: train with its width and blocks"
            ) from error
