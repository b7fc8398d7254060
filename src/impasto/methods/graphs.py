"""What a method gives to other runtimes: its network as graphs, and what goes into them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from impasto.image import Image, samples

PAINTED = "painted"

Draw = Callable[[tuple[int, ...], torch.Generator], Tensor]


@dataclass(frozen=True)
class Side:
    """A side of a tensor that may differ from run to run.

    Attributes:
        name: Of the number that it depends on; sides with one name grow together.
        unit: The side is that number times this.
        least: What that number is at least.
    """

    name: str
    unit: int = 1
    least: int = 2


@dataclass(frozen=True)
class Input:
    """What goes into a graph.

    Attributes:
        name: See :class:`Graph`.
        shape: Sides that are always the same, as numbers, and those that may differ.
        draw: Makes one of a shape, to check the graph with.
    """

    name: str
    shape: tuple[int | Side, ...]
    draw: Draw


@dataclass(frozen=True)
class Graph:
    """A network as other runtimes shall run it, a batch of one, in float32.

    :mod:`impasto.onnx.runtime` knows what to feed to these names: ``content``, the photo;
    ``style``, a painting; ``weights`` (1, N), how much of each style that was learned; ``noise0``,
    ``noise1`` and so on, see :func:`impasto.nn.texture_net.draw_noise`; ``alpha`` (1,), how much
    of the style; and what another graph of the method puts out, by the name of its output.

    Attributes:
        module: Takes the inputs in their order and gives one tensor. It is changed in place.
        inputs: What it takes.
        output: What it gives: ``painted`` is a picture, which is clamped to [0, 1].
        facts: What else a user of the graph has to know, by name: anything JSON.
        role: Of a graph that does not paint: what its file is called beside the one that does.
    """

    module: nn.Module
    inputs: tuple[Input, ...]
    output: str = PAINTED
    facts: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""


def picture(name: str, multiple: int = 1, smallest: int = 16) -> Input:
    """A picture (1, 3, H, W) in [0, 1].

    Args:
        name: Of the input.
        multiple: Its sides are multiples of this.
        smallest: What its sides are at least, before they are rounded up.
    """
    # torch.export takes a number that may be 1 for one that always is: 2 is the least
    least = max(2, math.ceil(smallest / multiple))
    before = "" if name == "content" else f"{name}_"
    sides = (Side(f"{before}{axis}", multiple, least) for axis in ("h", "w"))
    return Input(name, (1, 3, *sides), photo)


def photo(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """A photo of a shape (1, 3, H, W), one of the package's."""
    names = sorted(samples.PHOTOS)
    chosen = names[int(torch.randint(len(names), (1,), generator=random))]
    return Image(samples.photo(chosen).rgb).resized(*shape[-2:]).rgb


def uniform(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Numbers in [0, 1]."""
    return torch.rand(shape, generator=random)


def normal(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Numbers around 0 with a deviation of 1."""
    return torch.randn(shape, generator=random)


def shares(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Rows of weights (B, N), sums of 1."""
    drawn = torch.rand(shape, generator=random)
    return drawn / drawn.sum(1, keepdim=True)
