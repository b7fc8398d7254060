"""Conditional instance normalisation: one network for many styles.

Dumoulin, Shlens and Kudlur, "A Learned Representation for Artistic Style", ICLR 2017: all styles
share the convolutions, and each has a scale γ and a shift β of its own for every normalised channel
(section 2.2, equation 5). A style is a row of two tables, and weighted sums of rows blend styles.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError, check_range
from impasto.nn.blocks import InstanceNorm, convolution, initialize, leaky
from impasto.nn.fast import instance_norm
from impasto.nn.johnson import TransformNet
from impasto.nn.norm_statistics import NormModule, Settle
from impasto.nn.regions import regional_norm
from impasto.nn.upsampling import INTERPOLATIONS, check_upsampling, notch, upsampled_convolution

Norm = Callable[[Tensor], Tensor]


def conditional_norm(
    x: Tensor, weights: Tensor, gamma: Tensor, beta: Tensor, *, settle: Settle | None = None
) -> Tensor:
    """Normalise each image's channels, then scale and shift them by a weighted sum of styles.

    Args:
        x: (B, C, H, W) in any float format.
        weights: (B, N), the weight of each style. 1 for one style and 0 for the others gives
            exactly that style.
        gamma: (N, C), the scales of the styles.
        beta: (N, C), the shifts.
        settle: See :func:`~impasto.nn.fast.instance_norm`.

    Returns:
        (B, C, H, W) in the format of ``x``.
    """
    # in float32: reduced formats would round the scales and shifts
    with torch.autocast(x.device.type, enabled=False):
        return instance_norm(x, weights @ gamma, weights @ beta, settle=settle)


class Layer(NormModule):
    """Convolution with reflected borders, a norm given to ``forward``, and ReLU.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        kernel: Side of the kernel; odd.
        stride: 2 halves the size.
        enlarge: Double the size first, by one of
            :data:`~impasto.nn.upsampling.INTERPOLATIONS`; or None.
        relu: Whether a ReLU follows.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        enlarge: str | None = None,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.enlarge, self.relu = enlarge, relu
        # no bias: the norm would cancel it
        self.convolution = convolution(inputs, outputs, kernel, stride=stride, bias=False)

    def forward(self, x: Tensor, norm: Norm) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W')."""
        layer = self.convolution
        if self.enlarge:
            x = upsampled_convolution(layer, x, self.enlarge, training=self.training)
        else:
            x = layer(x)
        x = norm(x)
        return F.relu_(x) if self.relu else x


class ConditionalNet(nn.Module):
    """Johnson's network with a conditional norm after every convolution, also after the last.

    Appendix of the paper; the sigmoid at the end equals (tanh(x/2) + 1) / 2.

    Args:
        styles: N.
        width: Channels of the first convolution; the paper's 32, fewer for speed.
        blocks: Number of residual blocks.
        inner: Channels of the residual blocks; None is four times the width. These blocks work on a
            sixteenth of the positions, so more channels cost little there.
        upsampling: ``nearest``, as in the paper (section 2.2: no checkerboards), or another of
            :data:`~impasto.nn.upsampling.INTERPOLATIONS`.

    Attributes:
        gamma: (N, S), the scales of each style, concatenated over the layers. At full width S is
            1,603, so a style has 3,206 parameters.
        beta: (N, S), the shifts.

    Raises:
        InputError: A number is out of range, or the upsampling is unknown.
    """

    def __init__(
        self,
        styles: int,
        width: int = 32,
        blocks: int = 5,
        *,
        inner: int | None = None,
        upsampling: str = "nearest",
    ) -> None:
        super().__init__()
        full = 4 * width if inner is None else inner
        check_range(1, styles=styles, width=width, inner=full)
        check_range(0, blocks=blocks)
        self.upsampling = check_upsampling(INTERPOLATIONS, upsampling)
        self.encoder = nn.ModuleList(
            (
                Layer(3, width, 9),
                Layer(width, 2 * width, stride=2),
                Layer(2 * width, full, stride=2),
            )
        )
        self.residual = nn.ModuleList(
            nn.ModuleList((Layer(full, full), Layer(full, full, relu=False))) for _ in range(blocks)
        )
        self.decoder = nn.ModuleList(
            (
                Layer(full, 2 * width, enlarge=upsampling),
                Layer(2 * width, width, enlarge=upsampling),
                Layer(width, 3, 9, relu=False),
            )
        )
        self.gamma = nn.Parameter(torch.ones(styles, sum(self.channels)))
        self.beta = nn.Parameter(torch.zeros(styles, sum(self.channels)))
        initialize(self)

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """Return all convolutions, in the order of their norms in the tables."""
        return [part for part in self.modules() if isinstance(part, nn.Conv2d)]

    @property
    def channels(self) -> list[int]:
        """Return the number of channels of each norm, by which the tables are split."""
        return [convolution.out_channels for convolution in self.convolutions]

    def forward(self, image: Tensor, weights: Tensor, regions: Tensor | None = None) -> Tensor:
        """Stylise images with weighted sums of the styles.

        Args:
            image: (B, 3, H, W) in [0, 1], H and W multiples of 4.
            weights: (B, N), weights of the styles for each image; or with regions (P, N), for each
                region.
            regions: (1, P, H, W) for a single image, with a sum of 1 at each position; see
                :func:`regional_norm`.

        Returns:
            (B, 3, H, W), float32 in [0, 1].
        """
        return self.paint(image, weights, self.gamma, self.beta, regions)

    def paint(
        self,
        image: Tensor,
        weights: Tensor,
        gamma: Tensor,
        beta: Tensor,
        regions: Tensor | None = None,
    ) -> Tensor:
        """Stylise images as :meth:`forward` does, with other tables: (N, S) each."""
        if regions is None:
            return self._run(image, partial(conditional_norm, weights=weights), gamma, beta)
        with torch.autocast(image.device.type, enabled=False):
            rows = (weights @ gamma, weights @ beta)  # (P, S) each
        batch = image.expand(1 + len(weights), -1, -1, -1)
        return self._run(batch, partial(regional_norm, regions=regions), *rows)[:1]

    def _run(
        self, image: Tensor, norm: Callable[..., Tensor], gamma: Tensor, beta: Tensor
    ) -> Tensor:
        """Apply all layers, each with its own columns of the tables."""
        layers = (part for part in self.modules() if isinstance(part, Layer))
        columns = zip(
            layers, gamma.split(self.channels, 1), beta.split(self.channels, 1), strict=True
        )
        norms = (partial(norm, gamma=g, beta=b, settle=layer.settle) for layer, g, b in columns)
        x = image * 2 - 1
        for layer in self.encoder:
            x = layer(x, next(norms))  # finally (B, 4*width, H/4, W/4)
        for block in self.residual:
            first, second = block.children()
            x = x + second(first(x, next(norms)), next(norms))
        for layer in self.decoder:
            x = layer(x, next(norms))  # finally (B, 3, H, W)
        return notch(leaky(torch.sigmoid(x.float()), x.float()), self.upsampling)

    def initialize_from(self, other: TransformNet) -> None:
        """Copy the convolutions of a network of one style, and its norms for every style.

        The last norm, which that network lacks, is left unchanged.

        Raises:
            InputError: The network has another shape, or no instance norms.
        """
        convolutions = [part for part in other.modules() if isinstance(part, nn.Conv2d)]
        norms = [part for part in other.modules() if isinstance(part, InstanceNorm)]
        shapes = [convolution.weight.shape for convolution in convolutions]
        fits = shapes == [own.weight.shape for own in self.convolutions]
        if not fits or len(norms) != len(shapes) - 1:
            raise InputError(
                "the network to start from has another shape: train with its width and blocks"
            )
        row = sum(self.channels[:-1])
        with torch.no_grad():
            for own, convolution in zip(self.convolutions, convolutions, strict=True):
                own.weight.copy_(convolution.weight)
            self.gamma[:, :row] = torch.cat([norm.weight for norm in norms])
            self.beta[:, :row] = torch.cat([norm.bias for norm in norms])


class NewStyle(nn.Module):
    """A network of many styles that learns one more, by training two new rows only.

    Section 3.2 of the paper: with fixed convolutions, a style is learned in an eighth of the steps.

    Args:
        network: Copied and frozen; the new rows start from the means of its rows.
    """

    def __init__(self, network: ConditionalNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.gamma = nn.Parameter(network.gamma.detach().mean(0, keepdim=True))  # (1, S)
        self.beta = nn.Parameter(network.beta.detach().mean(0, keepdim=True))

    def forward(self, image: Tensor, weights: Tensor) -> Tensor:
        """Stylise (B, 3, H, W) in the new style; ``weights`` (B, 1) are usually 1."""
        return self.network.paint(image, weights, self.gamma, self.beta)

    def with_added_style(self) -> ConditionalNet:
        """Return a network with the new rows appended; the other styles stay exactly the same."""
        old = self.network
        width, _, inner = old.channels[:3]
        grown = ConditionalNet(
            len(old.gamma) + 1, width, len(old.residual), inner=inner, upsampling=old.upsampling
        )
        state = dict(old.state_dict())
        for name, row in (("gamma", self.gamma), ("beta", self.beta)):
            state[name] = torch.cat([state[name], row.detach()])  # (N + 1, S)
        grown.load_state_dict(state)
        return grown.eval()
