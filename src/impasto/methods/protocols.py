"""Define what some trained methods can do besides stylizing: add styles, write networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from impasto.core.progress import Callback, silent
from impasto.methods.style import Style
from impasto.models.checkpoint import Model
from impasto.training.task import Task


@runtime_checkable
class AddsStyles(Protocol):
    """A method that learns one more style, while those of its model stay unchanged.

    Attributes:
        addition_settings: Changes to the recipe where a style is added.
    """

    addition_settings: Mapping[str, Any]

    def addition_task(self, config: Any, style: Tensor) -> Task:
        """Return the task that trains one more style.

        Args:
            config: Of this method; hyperparameters of the loss may differ from the model's.
            style: Style image (1, 3, H, W).
        """
        ...

    def with_added_style(self, module: nn.Module) -> nn.Module:
        """Return the network with the style that a module of :meth:`addition_task` learned.

        Raises:
            InputError: The module is not of this network.
        """
        ...


@runtime_checkable
class WritesNetworks(Protocol):
    """A method that generates a network for each style."""

    def specialize(self, style: Style, name: str, card: Mapping[str, Any]) -> Model:
        """Return the network for one style as a model of its own.

        Args:
            style: A style of this method.
            name: Name of the style.
            card: Metadata of the model.
        """
        ...


@runtime_checkable
class HasParts(Protocol):
    """A method whose network has parts that hold a style."""

    def inspect(
        self, style: Style, photo: Tensor, *, callback: Callback = silent
    ) -> Sequence[tuple[str, Tensor]]:
        """Visualise what each part of the network has learned of a style, the strongest first.

        Args:
            style: A style of this method.
            photo: Image (1, 3, H, W) that the parts respond to.
            callback: Called after every part.

        Returns:
            Names and images (1, 3, h, w) in [0, 1].
        """
        ...
