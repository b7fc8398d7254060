"""Decoder from features of VGG-19 to an image, which mirrors the encoder.

Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
ICCV 2017, section 6.1, for relu4_1; Li et al., "Universal Style Transfer via Feature Transforms",
NIPS 2017, section 3.1, for the first layer of every block.
"""

from __future__ import annotations

from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.blocks import convolution, initialize
from impasto.nn.upsampling import Upsample2x
from impasto.nn.vgg_layers import WIDTHS, layer_names

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


class Decoder(nn.Module):
    """The layers of VGG-19 up to ``layer`` in reverse order, with upsampling for pooling.

    3x3 convolutions with reflected borders and ReLU, except for the last, which is linear. No
    norms: an instance norm would give every image the same style (section 6.1 of AdaIN).

    Args:
        layer: Layer of the input features, one of :data:`LAYERS`.
        upsampling: One of :data:`~impasto.nn.upsampling.INTERPOLATIONS`.

    Raises:
        InputError: The layer or the upsampling is unknown.
    """

    def __init__(self, layer: str = "relu4_1", upsampling: str = "nearest") -> None:
        super().__init__()
        if layer not in LAYERS:
            raise InputError(f"no decoder from {layer!r}: choose {', '.join(LAYERS)}")
        names = layer_names("vgg19")
        parts: list[nn.Module] = []
        for name in reversed(names[: names.index(layer) + 1]):
            if name.startswith("pool"):
                parts.append(Upsample2x(upsampling))
            elif name.startswith("conv"):
                parts += [convolution(*_mirrored(name), 3), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*parts[:-1])  # nothing after the last convolution
        initialize(self, last=0.1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, h, w) with sides of at least 2 to images (B, 3, H, W) in float32.

        H and W are h and w times 1, 2, 4, 8 or 16 for relu1_1 to relu5_1. Values are in about [0,
        1].
        """
        # 16-bit numbers are more precise around 0 than around 0.5.
        return self.body(features).float() + 0.5


def _mirrored(name: str) -> tuple[int, int]:
    """Return the numbers of input and output channels of a mirrored convolution."""
    block, index = int(name[4]), int(name[6])
    before = 3 if block == 1 else WIDTHS[block - 2]
    return WIDTHS[block - 1], WIDTHS[block - 1] if index > 1 else before
