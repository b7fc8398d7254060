"""Filter banks of StyleBank: each style is a set of filters applied to features.

Chen, Yuan, Liao, Yu and Hua, "StyleBank: An Explicit Representation for Neural Image Style
Transfer", CVPR 2017, section 3.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.fast import instance_norm
from impasto.nn.norm_statistics import NormModule
from impasto.nn.regions import regional_norm

KERNELS = (1, 3, 5, 7)

_NOISE = 0.1  # times He's standard deviation, for new filters


class Bank(NormModule):
    """Filters of styles: F̃_i = K_i ⊗ F, then instance norm with the style's scales, and ReLU.

    Args:
        styles: N.
        channels: C of the features.
        kernel: Side of the filters, one of :data:`KERNELS`; larger ones allow larger strokes.
        layers: L, number of consecutive convolutions.

    Attributes:
        kernels: (N, L, C, C, k, k).
        gamma: (N, L, C), the scales.
        beta: (N, L, C), the shifts.

    Raises:
        InputError: A number is below 1, or the kernel is unknown.
    """

    def __init__(self, styles: int, channels: int, kernel: int = 3, layers: int = 1) -> None:
        super().__init__()
        if styles < 1 or channels < 1 or layers < 1 or kernel not in KERNELS:
            sides = ", ".join(map(str, KERNELS))
            raise InputError(f"styles and layers must be 1 or more, kernel one of {sides}")
        shape = (styles, layers, channels, channels, kernel, kernel)
        spread = _NOISE * (2 / (channels * kernel * kernel)) ** 0.5
        self.kernels = nn.Parameter(spread * torch.randn(shape))
        with torch.no_grad():  # identity plus noise: training starts from the content image
            middle = self.kernels[..., kernel // 2, kernel // 2]  # (N, L, C, C)
            middle.diagonal(dim1=2, dim2=3).add_(1)
        self.gamma = nn.Parameter(torch.ones(shape[:3]))
        self.beta = nn.Parameter(torch.zeros(shape[:3]))

    def forward(self, features: Tensor, weights: Tensor, regions: Tensor | None = None) -> Tensor:
        """Apply styles to features.

        The filters are blended, not the results: K = Σ w_i K_i. With regions, each style's filters
        see only the features inside its region: F̃ = Σ K_i ⊗ (M_i × F).

        Args:
            features: (B, C, h, w); with regions (1, C, h, w).
            weights: (B, N), the weight of each style; or with regions (P, N). 1 for one style and 0
                for the others gives exactly that style.
            regions: M, (1, P, H, W), with a sum of 1 at each position; averaged down to h and w.

        Returns:
            (B, C, h, w); with regions (1 + P, C, h, w): the image with its regions, then the whole
            image in each style.
        """
        with torch.autocast(features.device.type, enabled=False):  # keeps weights of 0 and 1 exact
            kernels = torch.tensordot(weights, self.kernels, 1)  # (B or P, L, C, C, k, k)
            gamma = torch.tensordot(weights, self.gamma, 1)  # (B or P, L, C)
            beta = torch.tensordot(weights, self.beta, 1)
        if regions is not None:
            features = features.expand(1 + len(weights), -1, -1, -1)
        for kernel, scale, shift in zip(
            kernels.unbind(1), gamma.unbind(1), beta.unbind(1), strict=True
        ):
            if regions is None:
                found = convolve(features, kernel)
                features = instance_norm(found, scale, shift, settle=self.settle)
            else:
                size = (features.shape[2], features.shape[3])
                masks = F.adaptive_avg_pool2d(regions, size).transpose(0, 1)  # (P, 1, h, w)
                parts = convolve(features[:1] * masks, kernel)  # (P, C, h, w)
                wholes = convolve(features[1:], kernel)
                both = torch.cat([parts.sum(0, keepdim=True), wholes])
                features = regional_norm(both, regions, scale, shift, settle=self.settle)
            features = F.relu_(features)
        return features


def convolve(features: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each image's features with its own filters, with reflected borders.

    Args:
        features: (B, C, h, w).
        kernels: (B, C', C, k, k), k odd.

    Returns:
        (B, C', h, w).
    """
    border = kernels.shape[-1] // 2
    padded = F.pad(features, (border,) * 4, mode="reflect")
    # one at a time: a grouped convolution takes a third longer on a CPU
    each = zip(padded.split(1), kernels, strict=True)
    return torch.cat([F.conv2d(picture, kernel) for picture, kernel in each])
