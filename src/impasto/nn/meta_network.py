"""Meta network: generates the weights of an image transformation network from a style image.

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

_FARTHEST = 3.0  # standardised moments are clamped to this many deviations
_FLOOR = 0.25  # times the mean deviation of a group: lower bound of its deviations
_SPARK = 0.2  # initial deviation of the generated weights, in units of He's deviation


class MetaNet(nn.Module):
    """Maps moments of VGG features through a hidden vector to the weights of a network.

    Each generated layer reads its own slice of the hidden vector (the authors' grouped fully
    connected layers). Its weights are the sum of base weights, which all styles share, and of
    generated differences.

    The linear layers store weights of magnitude 1. They are scaled in ``generate``, by the root of
    the fan-in and by He's deviation of the generated layer, so that a step of Adam changes all of
    them in proportion.

    Args:
        base: The network whose weights are generated; its first and last convolutions are shared
            by all styles, as in the paper.
        moments: Number of moments of a style image: 1,920.
        slice_width: Length of the slice for each generated layer; the paper's 128.
        relu: Whether a ReLU follows the hidden vector.

    Attributes:
        center: (moments,), the mean of each moment over a set of images.
        spread: (moments,), the standard deviation of each moment.
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
        """Compute mean and deviation of each moment over a set of images.

        Each deviation is at least a quarter of the mean deviation of its group: dividing by a
        smaller one would amplify moments without limit that hardly differ among these images.

        Args:
            moments: (N, moments) of at least two images.
            groups: Sizes of groups of consecutive moments, such as the means of a layer.
        """
        self.center.copy_(moments.mean(0))
        parts = moments.std(0).split(list(groups))
        floors = [part.clamp_min(_FLOOR * float(part.mean())) for part in parts]
        self.spread.copy_(torch.cat(floors))

    def embed(self, moments: Tensor, shares: Tensor | None = None) -> Tensor:
        """Compute the hidden vectors of style images or of blends of them.

        Styles are blended here: weighted sums of hidden vectors generate the same weighted sums of
        network weights.

        Args:
            moments: (P, moments) of the style images.
            shares: (S, P), the weights of the style images in each of S styles, with sums of 1;
                None makes each image a style.

        Returns:
            (S, H), or (P, H).
        """
        with torch.autocast(moments.device.type, enabled=False):
            known = ((moments - self.center) / self.spread).clamp(-_FARTHEST, _FARTHEST)
            hidden: Tensor = self.hidden(known / math.sqrt(known.shape[1]))
            hidden = F.relu(hidden) if self.relu else hidden
            return hidden if shares is None else shares @ hidden

    def generate(self, hidden: Tensor) -> list[dict[str, Tensor]]:
        """Return the generated weights for hidden vectors (P, H), by their names in the base."""
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
        """Stylise content images, each in the style of one style image or of a blend.

        Args:
            image: (B, 3, H, W) in [0, 1], H and W multiples of 4; B is a multiple of the number of
                styles, and consecutive images share a style.
            moments: (P, moments) of the style images.
            shares: See :meth:`embed`.

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
        """Return the generated network of one style, which does not depend on this one.

        Args:
            moments: (P, moments) of the style images.
            shares: (1, P), the weight of each, with a sum of 1.
        """
        (weights,) = self.generate(self.embed(moments, shares))
        made = copy.deepcopy(self.base)
        made.load_state_dict({**made.state_dict(), **weights})
        return made


def _written(layer: GeneratedLayer, vector: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield a layer's base weights plus the generated differences, by name."""
    names, own = zip(*layer.named_parameters(), strict=True)
    for name, base, part in zip(names, own, vector.split([w.numel() for w in own]), strict=True):
        unit = math.sqrt(2 / layer.taps) if base.ndim == 4 else 1.0  # He's deviation
        yield name, base + unit * part.view_as(base)
