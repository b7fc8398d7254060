"""The multi-scale generator of Texture Networks, from noise, or a content image and noise.

Ulyanov, Lebedev, Vedaldi and Lempitsky, "Texture Networks: Feed-forward Synthesis of Textures and
Stylized Images", ICML 2016, section 4.2 and figure 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.blocks import convolution, initialize, norm_layer
from impasto.nn.johnson import squash

CHANNELS = 8  # per scale: section 4.2

Noise = tuple[Tensor, ...]


class PyramidNet(nn.Module):
    """Generator with scales from coarse to fine: each is convolved and joined to the coarser ones.

    With ``circular`` padding the network treats all positions equally on a torus: shifting the
    noise cyclically shifts the image, and the image tiles without a seam.

    Args:
        scales: K; the coarsest scale has one position for each 2^(K-1) pixels per axis.
        inputs: Number of input channels at each scale: those of the noise, plus 3 with a content
            image.
        channels: Number of channels that each scale adds.
        norm: ``batch``, ``instance`` or ``none``.
        leak: Slope of the ReLU below 0; 0 is the ordinary ReLU.
        padding: Padding of the convolutions, see :func:`impasto.nn.blocks.convolution`.

    Raises:
        InputError: A number is below 1, or the norm or the padding is unknown.
    """

    def __init__(
        self,
        scales: int = 5,
        inputs: int = 3,
        *,
        channels: int = CHANNELS,
        norm: str = "batch",
        leak: float = 0.01,
        padding: str = "circular",
    ) -> None:
        super().__init__()
        if min(scales, inputs, channels) < 1:
            raise InputError("a pyramid has at least one scale, one input and one channel")
        self.scales = scales
        self.branches = nn.ModuleList(
            _Unit(inputs, channels, norm, leak, padding) for _ in range(scales)
        )
        self.merges = nn.ModuleList(
            _Merge(channels, count, norm, leak, padding) for count in range(2, scales + 1)
        )
        self.last = nn.Conv2d(channels * scales, 3, 1)
        initialize(self, last=0.1)

    @property
    def multiple(self) -> int:
        """Return 2^(K-1); the sides of images must be multiples of it."""
        return multiple_of(self.scales)

    def forward(self, noise: Sequence[Tensor], image: Tensor | None = None) -> Tensor:
        """Generate images (B, 3, H, W) in [0, 1], float32 or better.

        The authors' network ends in a plain convolution, whose values can leave the range of
        colours; here (tanh + 1) / 2 follows.

        Args:
            noise: Result of :func:`draw_noise`, coarsest first; empty for a content image without
                noise.
            image: (B, 3, H, W) in [0, 1], H and W multiples of :attr:`multiple`; None for textures.

        Raises:
            InputError: The number of noises is not that of the scales, or a side is no multiple.
        """
        inputs = self._inputs(noise, image)
        x: Tensor = self.branches[0](inputs[0])  # (B, C, H / 2^(K-1), W / 2^(K-1))
        for branch, merge, each in zip(self.branches[1:], self.merges, inputs[1:], strict=True):
            x = merge(x, branch(each))  # (B, 2C, ...) at twice the size, (B, 3C, ...), ...
        y: Tensor = self.last(x)  # (B, 3, H, W)
        return squash(y if y.dtype is torch.float64 else y.float(), "tanh")

    def _inputs(self, noise: Sequence[Tensor], image: Tensor | None) -> list[Tensor]:
        count = len(noise)
        if count != self.scales and (noise or image is None):
            raise InputError(f"a pyramid of {self.scales} scales wants as many noises, not {count}")
        if image is None:
            return list(noise)
        if any(side % self.multiple for side in image.shape[-2:]):
            raise InputError(
                f"a pyramid of {self.scales} scales wants sides that are multiples of "
                f"{self.multiple}, not {image.shape[-1]}x{image.shape[-2]}"
            )
        pooled = [F.avg_pool2d(image, 1 << k) for k in reversed(range(self.scales))]
        return [torch.cat(both, 1) for both in zip(pooled, noise, strict=True)] if noise else pooled


class _Unit(nn.Sequential):
    """Convolutions of 3x3, 3x3 and 1x1, each with norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, norm: str, leak: float, padding: str) -> None:
        parts: list[nn.Module] = []
        for before, kernel in ((inputs, 3), (outputs, 3), (outputs, 1)):
            mode = padding if kernel > 1 else "none"
            parts += [
                convolution(before, outputs, kernel, padding=mode),
                norm_layer(norm, outputs),
                nn.LeakyReLU(leak, inplace=True) if leak else nn.ReLU(inplace=True),
            ]
        super().__init__(*parts)


class _Merge(nn.Module):
    """Joins the upsampled coarser scales and the next scale, each normalised first."""

    def __init__(self, channels: int, count: int, norm: str, leak: float, padding: str) -> None:
        super().__init__()
        self.coarse = norm_layer(norm, channels * (count - 1))
        self.fine = norm_layer(norm, channels)
        self.body = _Unit(channels * count, channels * count, norm, leak, padding)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Join (B, (i-1)*C, h, w) and (B, C, 2h, 2w) to (B, i*C, 2h, 2w)."""
        # normalised before upsampling: the same statistics at a quarter of the cost
        grown = F.interpolate(self.coarse(coarse), scale_factor=2, mode="nearest")
        joined: Tensor = self.body(torch.cat([grown, self.fine(fine)], 1))
        return joined


def multiple_of(scales: int) -> int:
    """Return the number that sides must be multiples of, for a number of scales."""
    return 1 << (scales - 1)


def draw_noise(
    scales: int,
    channels: int,
    batch: int,
    size: Sequence[int],
    *,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Noise:
    """Draw noise for each scale of a pyramid, coarsest first, uniform in [0, 1].

    It is drawn on the CPU, so that a seed gives the same image on every device.

    Args:
        scales: K.
        channels: Channels per scale; 0 gives no noise.
        batch: B.
        size: (H, W) of the image, multiples of 2^(K-1).
        generator: Random generator on the CPU; None is torch's global one.
        device: Device of the result; None is the CPU.

    Returns:
        K tensors (B, channels, H / 2^k, W / 2^k), k from K-1 down to 0; none without channels.

    Raises:
        InputError: A side is no multiple of 2^(K-1).

    Example:
        >>> [tuple(z.shape) for z in draw_noise(3, 2, 1, (8, 16))]
        [(1, 2, 2, 4), (1, 2, 4, 8), (1, 2, 8, 16)]
    """
    height, width = size
    unit = multiple_of(scales)
    if height % unit or width % unit or min(size) < unit:
        raise InputError(
            f"{scales} scales want sides that are multiples of {unit}, not {width}x{height}"
        )
    if not channels:
        return ()
    return tuple(
        torch.rand(batch, channels, height >> k, width >> k, generator=generator).to(
            device, memory_format=torch.channels_last
        )
        for k in reversed(range(scales))
    )
