"""The root mean square of each channel of VGG-19 over a set of images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from impasto.nn.features import feature_vectors
from impasto.nn.vgg import Encoder
from impasto.nn.vgg_layers import WIDTHS, block_of

_FLOOR = 0.25  # times a layer's mean scale: lower bound of its scales


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
