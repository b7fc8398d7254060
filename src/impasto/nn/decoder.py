"""Decoder from features of VGG-19 to an image, which mirrors the encoder.

Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
ICCV 2017, section 6.1, for relu4_1; Li et al., "Universal Style Transfer via Feature Transforms",
NIPS 2017, section 3.1, for the first layer of every block.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.blocks import convolution, initialize
from impasto.nn.features import feature_vectors
from impasto.nn.upsampling import Upsample2x
from impasto.nn.vgg import WIDTHS, Encoder, block_of, layer_names

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

_FLOOR = 0.25  # times a layer's mean scale: lower bound of its scales


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

    @torch.no_grad()
    def initialize_from(self, other: Decoder) -> None:
        """Copy the weights of the last convolutions from another decoder, as many as both have."""
        own, theirs = (
            [part for part in decoder.body if isinstance(part, nn.Conv2d)]
            for decoder in (self, other)
        )
        for mine, source in zip(reversed(own), reversed(theirs), strict=False):
            mine.load_state_dict(source.state_dict())


def _mirrored(name: str) -> tuple[int, int]:
    """Return the numbers of input and output channels of a mirrored convolution."""
    block, index = int(name[4]), int(name[6])
    before = 3 if block == 1 else WIDTHS[block - 2]
    return WIDTHS[block - 1], WIDTHS[block - 1] if index > 1 else before


class Scales(nn.Module):
    """Root mean square of each channel of some layers over a set of images.

    Dividing by them gives all channels the same magnitude, in the features that a decoder reads and
    in its training losses. They are buffers, so they are saved with the decoder.

    Args:
        layers: Layers of VGG-19, each the first of its block.
    """

    def __init__(self, layers: tuple[str, ...]) -> None:
        super().__init__()
        self.layers = layers
        for layer in layers:
            self.register_buffer(layer, torch.ones(WIDTHS[block_of(layer) - 1]))

    @torch.no_grad()
    def measure(self, encoder: Encoder, pictures: list[Tensor]) -> None:
        """Compute the scales from images (1, 3, H, W), which are weighted equally.

        Each scale is at least a quarter of the layer's mean scale: dividing by a smaller one would
        amplify channels that are almost inactive on these images without limit on others.
        """
        squares = {layer: torch.zeros(()) for layer in self.layers}
        for picture in pictures:
            features = encoder(picture, self.layers)
            for layer in self.layers:
                mean = feature_vectors(features[layer]).square().mean(dim=(0, 1))  # (C,)
                squares[layer] = squares[layer] + mean.cpu() / len(pictures)
        for layer in self.layers:
            scale = squares[layer].sqrt()
            self.get_buffer(layer).copy_(scale.clamp_min(_FLOOR * float(scale.mean())))

    def applied_to(self, encoder: Encoder) -> Encoder:
        """Rescale an encoder's filters so that its features are divided by these scales.

        ReLU and max pooling commute with a positive factor for each channel. The convolution after
        a rescaled layer is multiplied by its scales, so all other layers keep their features.

        Args:
            encoder: With ``max`` or ``average`` pooling; its filters are replaced.

        Returns:
            The same encoder.
        """
        for layer in self.layers:
            scale = self.get_buffer(layer).detach().to(encoder.mean.device, encoder.dtype)
            name = layer.replace("relu", "conv")
            following = f"{name[:-1]}2"
            _rescale(encoder.convolutions[name], 1 / scale.view(-1, 1, 1, 1), 1 / scale)
            if following in encoder.convolutions:
                _rescale(encoder.convolutions[following], scale.view(1, -1, 1, 1))
        return encoder


def _rescale(part: nn.Module, weight: Tensor, bias: Tensor | float = 1.0) -> None:
    for name, factor in (("weight", weight), ("bias", bias)):
        # new tensors: the old ones are shared by all encoders of the process
        new = part.get_parameter(name).detach() * factor
        setattr(part, name, nn.Parameter(new, requires_grad=False))
