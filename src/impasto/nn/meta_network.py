"""A network that writes the weights of another: from a painting's moments to a transformation.

Shen, Yan and Zeng, "Neural Style Transfer via Meta Networks", CVPR 2018, section 3.2.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from impasto.nn.generated import GeneratedLayer, GeneratedNet

_FARTHEST = 3.0  # deviations from the mean of pictures that a moment is taken to have at most
_FLOOR = 0.25  # of the mean deviation of a group
_SPARK = 0.2  # how much styles differ at first, in units of He's deviation


class MetaNet(nn.Module):
    """Moments of VGG's features, a hidden vector, and from its slices the weights of each layer.

    Each generated layer reads a slice of its own of the hidden vector (the authors' grouped fully
    connected layers). Its weights are a base, which all styles share and from which training
    starts, and what the painting adds to it.

    The matrices hold numbers of about 1 and are scaled where they are used, by the root of what
    they sum over and by He's deviation of the layer: a step of Adam's then changes all of them
    alike.

    Args:
        base: The network whose weights are written; its first and last convolution are shared by
            all styles, as in the paper.
        moments: How many numbers tell of a painting: 1,920.
        slice_width: Of the hidden vector, for each generated layer: the paper's 128.
        relu: Whether a ReLU follows the hidden vector.

    Attributes:
        center: (moments,), the means of the moments over some pictures.
        spread: (moments,), the deviations.
    """

    center: Tensor
    spread: Tensor

    def __init__(
        self, base: GeneratedNet, moments: int, *, slice_width: int = 128, relu: bool = False
    ) -> None:
        super().__init__()
        self.base, self.relu, self.slice_width = base, relu, slice_width
        self.register_buffer("center", torch.zeros(moments))
        self.register_buffer("spread", torch.ones(moments))
        self.hidden = nn.Linear(moments, len(base.layers) * slice_width)
        nn.init.normal_(self.hidden.weight)
        nn.init.zeros_(self.hidden.bias)
        self.heads = nn.ModuleList()
        for layer in base.layers:
            outputs = sum(part.numel() for part in layer.parameters())
            head = nn.Linear(slice_width, outputs, bias=False)
            nn.init.normal_(head.weight, std=_SPARK)
            self.heads.append(head)

    @torch.no_grad()
    def standardize(self, moments: Tensor, groups: Sequence[int]) -> None:
        """Take the means and deviations of the moments of some pictures.

        What hardly differs among them would be blown up in others, so no deviation is taken to be
        below a quarter of the mean one of its group.

        Args:
            moments: (N, moments), of two pictures or more.
            groups: How many numbers belong together, such as the means of a layer.
        """
        self.center.copy_(moments.mean(0))
        parts = moments.std(0).split(list(groups))
        floors = [part.clamp_min(_FLOOR * float(part.mean())) for part in parts]
        self.spread.copy_(torch.cat(floors))

    def embed(self, moments: Tensor, shares: Tensor | None = None) -> Tensor:
        """Hidden vectors of paintings or of blends of them.

        Here styles are blended: sums of hidden vectors generate the same sums of weights.

        Args:
            moments: (P, moments) of the paintings.
            shares: (S, P), how much of each painting makes up each style, sums of 1; each painting
                is a style when None.

        Returns:
            (S, H), or (P, H).
        """
        with torch.autocast(moments.device.type, enabled=False):
            known = ((moments - self.center) / self.spread).clamp(-_FARTHEST, _FARTHEST)
            hidden: Tensor = self.hidden(known / math.sqrt(known.shape[1]))
            hidden = F.relu(hidden) if self.relu else hidden
            return hidden if shares is None else shares @ hidden

    def generate(self, hidden: Tensor) -> list[dict[str, Tensor]]:
        """The weights that belong to hidden vectors (P, H), by their names in the base."""
        made: list[dict[str, Tensor]] = [{} for _ in hidden]
        slices = hidden.split(self.slice_width, 1)
        with torch.autocast(hidden.device.type, enabled=False):
            for index, layer in enumerate(self.base.layers):
                assert isinstance(layer, GeneratedLayer)
                vectors = self.heads[index](slices[index]) / math.sqrt(self.slice_width)  # (P, n)
                for network, vector in zip(made, vectors, strict=True):
                    for name, value in _written(layer, vector):
                        network[f"layers.{index}.{name}"] = value
        return made

    def forward(self, image: Tensor, moments: Tensor, shares: Tensor | None = None) -> Tensor:
        """Paint photos, each in the style of one painting or of a blend of them.

        Args:
            image: (B, 3, H, W) in [0, 1], H and W multiples of 4.
            moments: (P, moments) of the paintings.
            shares: See :meth:`embed`. The photos are divided among the styles in their order: B is
                a multiple of their number.

        Returns:
            (B, 3, H, W), float32 in [0, 1].
        """
        hidden = self.embed(moments, shares)
        groups = image.split(len(image) // len(hidden))
        painted = [
            functional_call(self.base, weights, (photos,))
            for weights, photos in zip(self.generate(hidden), groups, strict=True)
        ]
        return torch.cat(painted)

    @torch.no_grad()
    def network(self, moments: Tensor, shares: Tensor) -> GeneratedNet:
        """The network of a style alone, which needs nothing of this one.

        Args:
            moments: (P, moments) of its paintings.
            shares: (1, P), how much of each, a sum of 1.
        """
        (weights,) = self.generate(self.embed(moments, shares))
        made = copy.deepcopy(self.base)
        made.load_state_dict({**made.state_dict(), **weights})
        return made


def _written(layer: GeneratedLayer, vector: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A layer's weights: its own, and what a vector adds to them."""
    names, own = zip(*layer.named_parameters(), strict=True)
    for name, base, part in zip(names, own, vector.split([w.numel() for w in own]), strict=True):
        unit = math.sqrt(2 / layer.taps) if base.ndim == 4 else 1.0  # He's deviation
        yield name, base + unit * part.view_as(base)
