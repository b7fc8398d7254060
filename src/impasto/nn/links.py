"""Networks as chains of convolutions: what each is, and what follows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from impasto.nn.blocks import InstanceNorm


@dataclass(frozen=True)
class Link:
    """One convolution of a network, and what follows it.

    Attributes:
        weight: (C', C, k, k); with a mirrored border.
        bias: (C',), or None.
        stride: 2 halves the size.
        enlarge: Double the size before, by one of
            :data:`~impasto.nn.upsampling.INTERPOLATIONS`.
        scale: (C',) of the instance norm that follows, or None for no norm.
        shift: (C',) of it.
        relu: Whether a ReLU follows.
        shortcut: How many links back lies what is added at the end; 0 for nothing.
    """

    weight: Tensor
    bias: Tensor | None = None
    stride: int = 1
    enlarge: str | None = None
    scale: Tensor | None = None
    shift: Tensor | None = None
    relu: bool = True
    shortcut: int = 0

    @property
    def borders(self) -> tuple[int, int]:
        """Positions that the kernel wants before and after: one more after, where k is even."""
        kernel = self.weight.shape[-1]
        return (kernel - 1) // 2, kernel // 2


class Chain(NamedTuple):
    """A network as links.

    Attributes:
        links: From the picture to three channels, the last at the picture's size.
        finish: What becomes of the last link's numbers (1, 3, h, W), in float32.
    """

    links: Sequence[Link]
    finish: Callable[[Tensor], Tensor]


@runtime_checkable
class Linked(Protocol):
    """A network that can be taken apart."""

    def chain(self, *more: Tensor) -> Chain | None:
        """The network link by link for one picture, given what its forward takes beside that.

        None where some of it is no link.
        """


def link(
    convolution: nn.Conv2d,
    norm: InstanceNorm | tuple[Tensor, Tensor] | None = None,
    *,
    relu: bool = True,
    enlarge: str | None = None,
    shortcut: int = 0,
) -> Link:
    """A link of a network's own parts.

    Args:
        convolution: With a mirrored border.
        norm: With its scales and shifts, or these two alone, (C',) each.
        relu: Whether a ReLU follows.
        enlarge: See :class:`Link`.
        shortcut: See :class:`Link`.
    """
    scale: Tensor | None = None
    shift: Tensor | None = None
    if isinstance(norm, InstanceNorm):
        scale, shift = norm.weight, norm.bias
    elif norm is not None:
        scale, shift = norm
    stride, bias = convolution.stride[0], convolution.bias
    return Link(convolution.weight, bias, stride, enlarge, scale, shift, relu, shortcut)
