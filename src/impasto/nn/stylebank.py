"""The network of StyleBank: an encoder, a bank of filters for each style, a decoder.

Chen, Yuan, Liao, Yu and Hua, "StyleBank: An Explicit Representation for Neural Image Style
Transfer", CVPR 2017. Encoder and decoder form an auto-encoder that represents the content; the
styles are represented only by the filters, which are convolved with the encoded features.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.nn.bank import Bank
from impasto.nn.blocks import InstanceNorm, convolution, initialize
from impasto.nn.cin import Layer
from impasto.nn.johnson import TransformNet, squash
from impasto.nn.regions import regional_norm
from impasto.nn.upsampling import INTERPOLATIONS, check_upsampling

Norm = Callable[[InstanceNorm, Tensor], Tensor]

_AT_ONCE = 4  # filters per pass in `elements`


class Stage(nn.Module):
    """Convolution with reflected borders, instance norm and ReLU, shared by all styles.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        kernel: Side of the kernel; odd.
        stride: 2 halves the size.
        enlarge: Double the size first, by one of
            :data:`~impasto.nn.upsampling.INTERPOLATIONS`; or None.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        enlarge: str | None = None,
    ) -> None:
        super().__init__()
        self.layer = Layer(inputs, outputs, kernel, stride=stride, enlarge=enlarge)
        self.norm = InstanceNorm(outputs)

    def forward(self, x: Tensor, norm: Norm = InstanceNorm.__call__) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W').

        Args:
            x: Images or features.
            norm: Normalises its second argument by the scales and shifts of its first.
        """
        found: Tensor = self.layer(x, lambda one: norm(self.norm, one))
        return found


def norm_as_first(norm: InstanceNorm, x: Tensor) -> Tensor:
    """Normalise all images of a batch by the statistics of the first.

    Args:
        norm: With the scales and shifts.
        x: (B, C, H, W) in any float format.

    Returns:
        (B, C, H, W) in the format of ``x``.
    """
    first = x[:1].float()
    variance, mean = torch.var_mean(first, (2, 3), correction=0, keepdim=True)  # (1, C, 1, 1)
    scale = norm.weight.view(1, -1, 1, 1) / (variance + norm.eps).sqrt()
    return ((x.float() - mean) * scale + norm.bias.view(1, -1, 1, 1)).to(x.dtype)


class StyleBankNet(nn.Module):
    """Encoder, bank, decoder; without the bank, an auto-encoder.

    Args:
        styles: N.
        width: Channels of the first convolution; 32, fewer for speed.
        kernel: Side of the banks' filters.
        layers: Number of convolutions of a bank.
        upsampling: One of :data:`~impasto.nn.upsampling.INTERPOLATIONS`.

    Raises:
        InputError: A number is out of range, or the upsampling is unknown.
    """

    def __init__(
        self,
        styles: int,
        width: int = 32,
        kernel: int = 3,
        layers: int = 1,
        *,
        upsampling: str = "nearest",
    ) -> None:
        super().__init__()
        if width < 1:
            raise InputError("width must be 1 or more")
        self.upsampling = check_upsampling(INTERPOLATIONS, upsampling)
        self.encoder = nn.Sequential(
            Stage(3, width, 9),
            Stage(width, 2 * width, stride=2),
            Stage(2 * width, 4 * width, stride=2),
        )
        self.decoder = nn.ModuleList(
            (
                Stage(4 * width, 2 * width, enlarge=upsampling),
                Stage(2 * width, width, enlarge=upsampling),
            )
        )
        self.last = convolution(width, 3, 9)
        initialize(self, last=0.1)
        self.bank = Bank(styles, 4 * width, kernel, layers)

    def forward(
        self, image: Tensor, weights: Tensor | None = None, regions: Tensor | None = None
    ) -> Tensor:
        """Stylise images in blends of the styles, or reconstruct them.

        Args:
            image: (B, 3, H, W) in [0, 1], H and W multiples of 4.
            weights: (B, N), weights of the styles for each image, or with regions (P, N), for each
                region; None reconstructs the image by the auto-encoder.
            regions: (1, P, H, W) for a single image, with a sum of 1 at each position.

        Returns:
            (B, 3, H, W), float32 in [0, 1].
        """
        features = self.encode(image)
        if weights is None:
            return self.decode(features)
        features = self.bank(features, weights, regions)
        if regions is None:
            return self.decode(features)

        def regional(norm: InstanceNorm, x: Tensor) -> Tensor:
            return regional_norm(x, regions, norm.weight, norm.bias, settle=norm.settle)

        return self.decode(features, regional)[:1]

    def encode(self, image: Tensor) -> Tensor:
        """Compute the features F = E(I) of images.

        Args:
            image: (B, 3, H, W) in [0, 1].

        Returns:
            (B, 4*width, H/4, W/4).
        """
        features: Tensor = self.encoder(image * 2 - 1)
        return features

    def decode(self, features: Tensor, norm: Norm = InstanceNorm.__call__) -> Tensor:
        """Compute images O = D(F) from features.

        Args:
            features: (B, 4*width, h, w).
            norm: See :meth:`Stage.forward`.

        Returns:
            (B, 3, 4*h, 4*w), float32 in [0, 1].
        """
        for stage in self.decoder:
            features = stage(features, norm)
        return squash(self.last(features).float(), "tanh")

    def elements(self, image: Tensor, weights: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what each filter of a bank contributes to an image: the style elements.

        The response of one filter is decoded with all others set to 0. The norms use the statistics
        of the whole image; otherwise they would amplify weak responses.

        Args:
            image: (1, 3, H, W) in [0, 1], H and W multiples of 4.
            weights: (1, N), weights of the styles.

        Yields:
            For each filter its response (h, w), not negative, and the difference (1, 3, H, W) in
            [-1, 1] that it makes to the colours decoded from zero responses.
        """
        styled = self.bank(self.encode(image), weights)  # (1, C, h, w)
        baseline = self.decode(torch.cat([styled, torch.zeros_like(styled)]), norm_as_first)[1:]
        for some in torch.arange(styled.shape[1]).split(_AT_ONCE):
            alone = torch.zeros_like(styled).repeat(len(some), 1, 1, 1)  # (some, C, h, w)
            rows = torch.arange(len(some))
            alone[rows, some] = styled[0, some]
            painted = self.decode(torch.cat([styled, alone]), norm_as_first)[1:]
            yield from zip(styled[0, some], (painted - baseline).split(1), strict=True)

    def initialize_from(self, other: TransformNet) -> None:
        """Copy encoder and decoder of a network of one style, without its residual blocks.

        Raises:
            InputError: The network has another width, or no instance norms.
        """
        outer = [part for half in (other.encoder, other.decoder) for part in half.modules()]
        convolutions = [part for part in outer if isinstance(part, nn.Conv2d)]
        norms = [part for part in outer if isinstance(part, InstanceNorm)]
        stages = [part for part in self.modules() if isinstance(part, Stage)]
        shapes = [stage.layer.convolution.weight.shape for stage in stages]
        fits = shapes == [convolution.weight.shape for convolution in convolutions]
        if not fits or len(norms) != len(stages):
            raise InputError("the network to start from has another shape: train with its width")
        with torch.no_grad():
            for stage, convolution, norm in zip(stages, convolutions, norms, strict=True):
                stage.layer.convolution.weight.copy_(convolution.weight)
                stage.norm.load_state_dict(norm.state_dict())
        self.last.load_state_dict(other.last.state_dict())


class NewBank(nn.Module):
    """A network that learns one more style, by training a new bank only.

    Incremental learning of the paper: encoder, decoder and the other banks stay unchanged.

    Args:
        network: Copied and frozen; the new bank starts from the mean of its banks.
    """

    def __init__(self, network: StyleBankNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        _, layers, channels, _, kernel, _ = network.bank.kernels.shape
        self.bank = Bank(1, channels, kernel, layers)
        with torch.no_grad():
            for own, known in zip(self.bank.parameters(), network.bank.parameters(), strict=True):
                own.copy_(known.mean(0, keepdim=True))

    def forward(self, image: Tensor, weights: Tensor) -> Tensor:
        """Stylise (B, 3, H, W) in the new style; ``weights`` (B, 1) are usually 1."""
        features = self.network.encode(image)
        return self.network.decode(self.bank(features, weights))

    def with_added_style(self) -> StyleBankNet:
        """Return a network with the new bank appended; the other styles stay exactly the same."""
        state, new = dict(self.network.state_dict()), self.bank.state_dict()
        for name, value in new.items():
            state[f"bank.{name}"] = torch.cat([state[f"bank.{name}"], value])
        styles, layers, channels, _, kernel, _ = state["bank.kernels"].shape
        upsampling = self.network.upsampling
        grown = StyleBankNet(styles, channels // 4, kernel, layers, upsampling=upsampling)
        grown.load_state_dict(state)
        return grown.eval()
