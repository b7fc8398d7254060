"""The network that finds faces: BlazeFace for faces up to some metres away ("full range").

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The
layers and weights are those of MediaPipe's face detection (Google, Apache License 2.0), converted
by ``tools/convert_mediapipe.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.nn.person_segmentation import SameConv

__all__ = ["SIDE", "BlazeFace"]

SIDE = 192  # height and width of the input in pixels
_CELLS = 48  # of the grid of results, per side


class Separable(nn.Module):
    """A depthwise 3x3 convolution, and a projection of its channels."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = SameConv(inputs, inputs, 3, stride, depthwise=True)
        self.project = SameConv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, outputs, H / stride, W / stride)."""
        return self.project(self.depthwise(x))


class DoubleBlaze(nn.Module):
    """Two separable convolutions and a shortcut, which is pooled and padded where shapes differ.

    Args:
        inputs: Number of input channels.
        hidden: Number of channels between.
        outputs: Number of output channels, at least ``inputs``.
        stride: 1 or 2.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = Separable(inputs, hidden, stride)
        self.second = Separable(hidden, outputs)
        self._stride, self._more = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, outputs, H / stride, W / stride)."""
        y = self.second(F.relu(self.first(x)))
        if self._stride == 2:
            x = F.max_pool2d(x, 2)
        return F.relu(F.pad(x, (0, 0, 0, 0, 0, self._more)) + y)


class Lateral(nn.Module):
    """Merge coarse features, enlarged twofold, with those of the encoder.

    Args:
        coarse: Number of channels of the coarse features.
        fine: Number of channels of the encoder's features.
        outputs: Number of output channels.
        blocks: Number of blocks at the end.
    """

    def __init__(self, coarse: int, fine: int, outputs: int, blocks: int = 2) -> None:
        super().__init__()
        self.above = SameConv(coarse, outputs)
        self.beside = SameConv(fine, outputs)
        half = outputs // 2
        self.blocks = nn.Sequential(*(DoubleBlaze(outputs, half, outputs) for _ in range(blocks)))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (B, coarse, H, W) and (B, fine, 2H, 2W) to (B, outputs, 2H, 2W)."""
        x = F.interpolate(F.relu(self.above(x)), scale_factor=2, mode="bilinear")
        return self.blocks(F.relu(self.beside(skip)) + x)


def _stage(inputs: int, *blocks: tuple[int, int], stride: int = 2) -> nn.Sequential:
    made = []
    for hidden, outputs in blocks:
        made.append(DoubleBlaze(inputs, hidden, outputs, stride))
        inputs, stride = outputs, 1
    return nn.Sequential(*made)


class BlazeFace(nn.Module):
    """Find faces, one at most in each cell of a grid of 48 x 48."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        self.at2 = _stage(32, (8, 32), (8, 32), stride=1)
        self.at4 = _stage(32, (12, 48), (12, 48), (16, 64))
        self.at8 = _stage(64, (24, 96), (32, 128), (32, 128))
        self.at16 = _stage(128, (36, 144), (48, 192), (64, 256))
        self.at32 = _stage(256, *(((96, 384),) * 4))
        self.merge1 = Lateral(384, 256, 96)
        self.merge2 = Lateral(96, 128, 64)
        self.merge3 = Lateral(64, 64, 48, blocks=1)
        self.score = SameConv(48, 1)
        self.box = SameConv(48, 16)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Find faces.

        Args:
            image: (B, 3, 192, 192), RGB in [0, 1].

        Returns:
            Scores (B, 2304) in [0, 1], and for each (B, 2304, 16) in fractions of the side: x and y
            of the centre of a box, its width and height, then x and y of the right eye, the left
            eye, the nose, the mouth, the right and the left ear.
        """
        half = self.at2(F.relu(self.stem(image * 2 - 1)))
        quarter = self.at4(half)  # (B, 64, 48, 48)
        eighth = self.at8(quarter)
        sixteenth = self.at16(eighth)
        x = self.merge1(self.at32(sixteenth), sixteenth)
        x = self.merge3(self.merge2(x, eighth), quarter)  # (B, 48, 48, 48)
        boxes = self.box(x).flatten(2).transpose(1, 2) / SIDE
        boxes[..., (0, 1)] += _centers(boxes)
        boxes[..., 4:] += _centers(boxes).repeat(1, 6)
        return self.score(x).flatten(1).sigmoid(), boxes


def _centers(like: Tensor) -> Tensor:
    """Return x and y of the centres of all cells, (2304, 2), in fractions of the side."""
    at = (torch.arange(_CELLS, device=like.device, dtype=like.dtype) + 0.5) / _CELLS
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)
