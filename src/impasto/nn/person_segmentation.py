"""The network that segments people: MobileNetV3 blocks, LR-ASPP, a decoder with skip connections.

The layers and weights are those of MediaPipe's selfie segmentation (Google, Apache License 2.0),
converted by ``tools/convert_mediapipe.py``. The building blocks are of Howard et al., "Searching
for MobileNetV3", ICCV 2019, sections 4 to 6.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SIDE", "PersonSegmentation", "Presence"]

SIDE = 256  # height and width of the input in pixels


class SameConv(nn.Conv2d):
    """A convolution padded like TensorFlow's ``SAME``: with stride 2, more at the end.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        kernel: Side of the kernel.
        stride: 1, or 2 for inputs of even sides.
        depthwise: Whether each channel has a kernel of its own.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
    ) -> None:
        groups = inputs if depthwise else 1
        super().__init__(inputs, outputs, kernel, stride, groups=groups)
        total = kernel - stride
        self._pad = (total // 2, total - total // 2) * 2 if total > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, H, W)."""
        return super().forward(x if self._pad is None else F.pad(x, self._pad))


class Squeeze(nn.Module):
    """Weights in [0, 1] of the channels, from their means (squeeze and excitation).

    Args:
        channels: C.
        hidden: Number of channels between.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = SameConv(channels, hidden)
        self.expand = SameConv(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to weights (B, C, 1, 1)."""
        return self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class Bottleneck(nn.Module):
    """Expand, convolve each channel, project; a residual block if the shape stays.

    Args:
        inputs: Number of input channels.
        hidden: Number of channels between.
        outputs: Number of output channels.
        kernel: Side of the depthwise kernel.
        stride: Of the depthwise convolution.
        squeeze: Hidden channels of squeeze and excitation; 0 is none.
        hard: Whether the activation is hard swish, else ReLU.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        squeeze: int = 0,
        hard: bool = False,
    ) -> None:
        super().__init__()
        self.expand = SameConv(inputs, hidden)
        self.depthwise = SameConv(hidden, hidden, kernel, stride, depthwise=True)
        self.squeeze = Squeeze(hidden, squeeze) if squeeze else None
        self.project = SameConv(hidden, outputs)
        self._activate = F.hardswish if hard else F.relu
        self._residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, outputs, H / stride, W / stride)."""
        y = self._activate(self.depthwise(self._activate(self.expand(x))))
        if self.squeeze is not None:
            y = y * self.squeeze(y)
        y = self.project(y)
        return x + y if self._residual else y


class Pool(nn.Module):
    """LR-ASPP: features weighted by a sigmoid of their projected mean.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.features = SameConv(inputs, outputs)
        self.gate = SameConv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, outputs, H, W)."""
        return F.relu(self.features(x)) * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()


class Up(nn.Module):
    """Enlarge features twofold, and add those of the encoder, weighted by both.

    Args:
        inputs: Number of input channels.
        outputs: Number of channels of the encoder's features and of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.project = SameConv(inputs, outputs)
        self.gate = Squeeze(outputs, outputs)
        self.mix = SameConv(outputs, outputs)
        self.refine = SameConv(outputs, outputs, 3, depthwise=True)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (B, C, H, W) and (B, outputs, 2H, 2W) to (B, outputs, 2H, 2W)."""
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = self.project(x)
        x = F.relu(self.mix(skip * self.gate(skip + x) + x))
        return x + F.relu(self.refine(x))


class PersonSegmentation(nn.Module):
    """Estimate for each pixel the probability that it belongs to a person."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 16, 3, 2)
        self.down1 = Bottleneck(16, 16, 16, stride=2, squeeze=8)
        self.down2 = nn.Sequential(Bottleneck(16, 72, 24, stride=2), Bottleneck(24, 88, 24))
        self.down3 = nn.Sequential(
            Bottleneck(24, 96, 32, kernel=5, stride=2, squeeze=24, hard=True),
            *(Bottleneck(32, 128, 32, kernel=5, squeeze=32, hard=True) for _ in range(2)),
            *(Bottleneck(32, 96, 32, kernel=5, squeeze=24, hard=True) for _ in range(2)),
        )
        self.pool = Pool(32, 128)
        self.up1, self.up2, self.up3 = Up(128, 24), Up(24, 16), Up(16, 16)
        self.last = nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, image: Tensor) -> Tensor:
        """Segment images.

        Args:
            image: (B, 3, 256, 256), RGB in [0, 1].

        Returns:
            (B, 1, 256, 256), probabilities.
        """
        return self._decoded(*self._encoded(image))

    def statistics(self, image: Tensor) -> Tensor:
        """Summarize the deepest features, from which the presence of a person is estimated.

        Args:
            image: (B, 3, 256, 256), RGB in [0, 1].

        Returns:
            (B, 96): the means of 32 channels, their means weighted by the mask, their maxima.
        """
        half, quarter, eighth, deep = self._encoded(image)
        height, width = deep.shape[-2:]
        mask = F.adaptive_avg_pool2d(self._decoded(half, quarter, eighth, deep), (height, width))
        inside = (deep * mask).sum((2, 3)) / (mask.sum((2, 3)) + 1e-3)
        return torch.cat([deep.mean((2, 3)), inside, deep.amax((2, 3))], 1)

    def _encoded(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        half = F.hardswish(self.stem(image))  # (B, 16, 128, 128)
        quarter = self.down1(half)  # (B, 16, 64, 64)
        eighth = self.down2(quarter)  # (B, 24, 32, 32)
        return half, quarter, eighth, self.down3(eighth)  # (B, 32, 16, 16)

    def _decoded(self, half: Tensor, quarter: Tensor, eighth: Tensor, deep: Tensor) -> Tensor:
        x = self.up1(self.pool(deep), eighth)
        return torch.sigmoid(self.last(self.up3(self.up2(x, quarter), half)))


class Presence(nn.Linear):
    """Estimate from :meth:`PersonSegmentation.statistics` whether there is a person.

    A logistic regression, trained by ``tools/fit_presence.py``.
    """

    def __init__(self) -> None:
        super().__init__(96, 1)

    def forward(self, statistics: Tensor) -> Tensor:
        """Map (B, 96) to log odds (B,)."""
        return super().forward(statistics)[:, 0]
