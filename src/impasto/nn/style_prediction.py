"""One network for any style: a painter whose norms are predicted from the style picture.

Ghiasi et al., "Exploring the Structure of a Real-time, Arbitrary Neural Artistic Stylization
Network", BMVC 2017: Dumoulin's network, but the scales γ and shifts β of a style are no rows of a
table. A second network, the predictor, reads them off the painting.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.cin import ConditionalNet
from impasto.nn.johnson import TransformNet

PREDICTORS = ("statistics", "cnn")

_WIDTHS = (32, 64, 128, 256)  # channels of the convolutions of the predictor that sees the image
_DEAD = 0.05  # of the mean statistic: the least unit of one
_STEADY = 0.5  # of the mean spread: the least spread of a statistic
_SMALL = 0.05  # how far the first predictions stray from the painter's own norms


class Predictor(nn.Module):
    """From the statistics of a picture to an embedding, and from there to the norms of a style.

    Both maps are linear, as the authors' are after their Inception network, in whose place the
    statistics of features stand that the encoder of the loss has anyway. A statistic s is taken as
    log(1 + s/u) in a unit u, less its centre, over its spread. All three are measured, so that
    layers and flavours count alike, and are kept with the weights.

    Args:
        inputs: How many statistics.
        embedding: Numbers of the embedding; the authors' 100.
        outputs: Scales and shifts together; 2,758 for a painter of full width.
    """

    unit: Tensor
    center: Tensor
    spread: Tensor

    def __init__(self, inputs: int, embedding: int, outputs: int) -> None:
        super().__init__()
        if embedding < 1:
            raise InputError(f"embedding is {embedding}: it must be 1 or more")
        self.register_buffer("unit", torch.ones(inputs))
        self.register_buffer("center", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.embedding = nn.Linear(inputs, embedding)
        # no bias: the painter's own norms are what is predicted for an embedding of zeros
        self.head = nn.Linear(embedding, outputs, bias=False)
        nn.init.normal_(self.embedding.weight)
        nn.init.zeros_(self.embedding.bias)
        nn.init.normal_(self.head.weight, std=_SMALL)

    @torch.no_grad()
    def measure(self, seen: Tensor) -> None:
        """Take unit, centre and spread from the statistics of some pictures.

        Args:
            seen: (N, inputs), of two pictures or more.
        """
        mean = seen.mean(0)
        self.unit.copy_(mean.clamp_min(_DEAD * float(mean.mean())))
        logs = torch.log1p(seen.to(self.unit) / self.unit)  # (N, inputs)
        spread = logs.std(0)
        self.center.copy_(logs.mean(0))
        self.spread.copy_(spread.clamp_min(_STEADY * float(spread.mean())))

    def embed(self, seen: Tensor) -> Tensor:
        """Statistics of pictures (N, inputs) to embeddings (N, embedding)."""
        normal = (torch.log1p(seen / self.unit) - self.center) / self.spread
        # Both maps take sums of many numbers, all of which move at each step of Adam. Over the root
        # of their count, a step changes the result as little as it does in a convolution.
        embedded: Tensor = self.embedding(normal / normal.shape[1] ** 0.5)
        return embedded

    def forward(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, embedding) to what is added to scales and to shifts, (B, outputs/2)."""
        scale, shift = self.head(embedded / embedded.shape[1] ** 0.5).chunk(2, 1)
        return scale, shift


class ImagePredictor(Predictor):
    """From a style image to an embedding, by a convolutional network of its own.

    Four 3x3 convolutions of stride 2 with ReLU, the mean of each of the 256 channels over all
    positions, and the maps of :class:`Predictor`. The paper's network is Inception-v3, trained on
    ImageNet, up to the means of 768 channels; this one is small and begins with random weights.

    Args:
        embedding: Numbers of the embedding.
        outputs: Scales and shifts together.
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
        """Take unit, center and spread from some images (1, 3, H, W), two or more."""
        self.measure(torch.cat([self.pooled(image) for image in images]))

    def embed(self, seen: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to embeddings (N, embedding); embeddings stay as they are."""
        return super().embed(self.pooled(seen)) if seen.ndim == 4 else seen

    def fingerprint(self) -> int:
        """Return a checksum of the weights in float16, which is the same after saving in it."""
        checksum = 0
        for value in self.state_dict().values():
            checksum = zlib.crc32(value.half().contiguous().cpu().numpy().tobytes(), checksum)
        return checksum


class PredictionNet(nn.Module):
    """The painter, and the predictor of its norms.

    The three contracting convolutions keep norms of their own for every style (plain batch norms
    in the authors' code, instance norms here). Those of the residual blocks and of the expanding
    part are the painter's own plus what is predicted.

    Args:
        inputs: Statistics that the predictor reads.
        embedding: Numbers of an embedding.
        width: See :class:`~impasto.nn.cin.ConditionalNet`.
        blocks: See there.
        upsampling: See there.
        predictor: ``statistics``, or ``cnn`` for :class:`ImagePredictor`, which has no use for
            ``inputs``.

    Attributes:
        predicted: Of a painter's scales, how many are predicted: the last 1,379 of 1,603 at full
            width, and as many shifts.
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
        """Paint pictures in blends of styles.

        Args:
            image: (B, 3, H, W) in [0, 1], H and W multiples of 4.
            seen: (N, inputs), the statistics of N style images; or, for :class:`ImagePredictor`,
                the images (N, 3, h, w) or their embeddings (N, embedding).
            weights: (B, N), how much of each style's embedding; sums of 1. With regions (P, N),
                a blend for each of them.
            regions: (1, P, H, W) of a single picture, sums of 1 at each position, see
                :func:`~impasto.nn.cin.regional_norm`.

        Returns:
            (B, 3, H, W), float32 in [0, 1].
        """
        with torch.autocast(image.device.type, enabled=False):  # styles are not to be rounded
            gamma, beta = self.norms(weights @ self.predictor.embed(seen))
            each = torch.eye(len(gamma), device=gamma.device)
        return self.painter.paint(image, each, gamma, beta, regions)

    def norms(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """All scales and shifts for embeddings (B, embedding): tables of (B, S) each."""
        scale, shift = self.predictor(embedded)
        own = self.painter.gamma.shape[1] - self.predicted
        gamma = self.painter.gamma + F.pad(scale, (own, 0))
        return gamma, self.painter.beta + F.pad(shift, (own, 0))

    def take_over(self, other: nn.Module) -> None:
        """Start from a network of one or of many styles: its convolutions, and its mean norms.

        Raises:
            InputError: It has another shape, or is no such network.
        """
        if isinstance(other, TransformNet):
            self.painter.take_over(other)
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


class EmbeddedNet(nn.Module):
    """The painter of a network, for one embedding that was made before.

    Args:
        network: Whose painter and norms it takes.
    """

    def __init__(self, network: PredictionNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, embedding: Tensor) -> Tensor:
        """(1, 3, H, W) in [0, 1] and (1, embedding) to (1, 3, H, W), float32 in [0, 1]."""
        alone = torch.ones(1, 1, device=image.device)
        return self.network.painter.paint(image, alone, *self.network.norms(embedding))
