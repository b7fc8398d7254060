"""The networks of a method as graphs for other runtimes, with a description of their inputs."""

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
    """A dimension of a tensor whose size may differ from run to run.

    Attributes:
        name: Name of the variable that the size depends on; dimensions may share a variable.
        unit: The size is the variable times this.
        least: Least value of the variable.
    """

    name: str
    unit: int = 1
    least: int = 2


@dataclass(frozen=True)
class Input:
    """An input of a graph.

    Attributes:
        name: See :class:`Graph`.
        shape: Fixed dimensions as integers, and variable ones as :class:`Side`.
        draw: Draws a random input of a given shape, to check the graph with.
    """

    name: str
    shape: tuple[int | Side, ...]
    draw: Draw


@dataclass(frozen=True)
class Graph:
    """A network to export, which runs on a batch of one in float32.

    :mod:`impasto.onnx.runtime` fills the inputs by name: ``content`` is the content image;
    ``style`` the style image; ``weights`` (1, N) the weights of the learned styles; ``noise0``,
    ``noise1`` and so on the noise of :func:`impasto.nn.texture_net.draw_noise`; ``alpha`` (1,) the
    strength of the style in [0, 1]. The output of another graph of the method is an input of the
    same name.

    Attributes:
        module: Takes the inputs in their order and returns one tensor; it is changed in place.
        inputs: Descriptions of the inputs.
        output: Name of the output; ``painted`` is an image, which is clamped to [0, 1].
        facts: Further metadata of the exported file, by name; values that JSON can hold.
        role: Suffix of the file name of a graph that does not paint; empty for the one that does.
        function: Called instead of the module, whose weights it uses; None calls the module.
    """

    module: nn.Module
    inputs: tuple[Input, ...]
    output: str = PAINTED
    facts: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    function: Callable[..., Tensor] | None = None


def picture(name: str, multiple: int = 1, smallest: int = 16) -> Input:
    """Return the description of an image input (1, 3, H, W) in [0, 1].

    Args:
        name: Of the input.
        multiple: Height and width are multiples of this.
        smallest: Least height and width, before they are rounded up to a multiple.
    """
    # torch.export takes a dimension that may be 1 for a constant, so the least value is 2
    least = max(2, math.ceil(smallest / multiple))
    before = "" if name == "content" else f"{name}_"
    sides = (Side(f"{before}{axis}", multiple, least) for axis in ("h", "w"))
    return Input(name, (1, 3, *sides), photo)


def photo(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Return one of the package's photos, chosen at random and resized to a shape (1, 3, H, W)."""
    names = sorted(samples.PHOTOS)
    chosen = names[int(torch.randint(len(names), (1,), generator=random))]
    return Image(samples.photo(chosen).rgb).resized(*shape[-2:]).rgb


def uniform(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Draw a tensor from the uniform distribution on [0, 1]."""
    return torch.rand(shape, generator=random)


def normal(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Draw a tensor from the standard normal distribution."""
    return torch.randn(shape, generator=random)


def draw_weights(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Draw rows of positive weights (B, N), each with a sum of 1."""
    drawn = torch.rand(shape, generator=random)
    return drawn / drawn.sum(1, keepdim=True)
