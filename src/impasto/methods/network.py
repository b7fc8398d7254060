"""The base class of methods with a trained network: building, training and loading it."""

from __future__ import annotations

import dataclasses
import textwrap
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError, WeightsError
from impasto.methods import config as method_config
from impasto.methods.executor import Executor
from impasto.methods.graphs import Graph, picture
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models.checkpoint import Model
from impasto.nn.sizes import SMALLEST
from impasto.training.task import Task

M = TypeVar("M", bound="NetworkMethod")


class NetworkMethod(Executor):
    """A method that is a trained network.

    Attributes:
        smallest: Least height and width of the input of an exported graph, in pixels.
        kind: What a model makes: ``style``, ``texture`` or ``upscale``, or ``any`` for every style;
            an instance may differ.
        adjustable: Names of hyperparameters that can be changed after training.
    """

    smallest: int = SMALLEST
    kind: str = "style"
    adjustable: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        self.styles: tuple[str, ...] = ()
        self.module = self.network(self.config)
        self._move_to_device()

    def _move_to_device(self) -> None:
        self.module.eval().to(self.runtime.device)
        self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    @abstractmethod
    def network(cls, config: Any) -> nn.Module:
        """Return the network of a config, with newly initialised weights."""

    @classmethod
    @abstractmethod
    def task(cls, config: Any, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """Return the training task of a config.

        Args:
            config: Of the method.
            styles: Style images, (1, 3, H, W) each; too few or too many raise :class:`InputError`.
            runtime: Device and number format of the encoder in the loss.
        """

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """Initialise a network from the weights of another model, by default of the same method.

        Args:
            module: Module of a task of this method, changed in place.
            other: The model.

        Raises:
            InputError: It is of another method, or has another shape.
        """
        if other.method != cls.name:
            raise InputError(f"a model of {other.method}, not of {cls.name}")
        try:
            module.load_state_dict(dict(other.state))
        except RuntimeError as error:
            raise InputError("it has another shape: train with the same width") from error

    def graphs(self) -> Sequence[Graph]:
        """Return the graphs to export, the one that paints last; by default one of photos alone.

        Raises:
            InputError: This network cannot be exported.
        """
        return (Graph(self.module, (picture("content", self.multiple, self.smallest),)),)

    @classmethod
    def open(cls: type[M], model: Model, runtime: Runtime | None = None) -> M:
        """Return the method with the weights of a model.

        Raises:
            WeightsError: The model is of another method, or its weights do not fit its config.
        """
        if model.method != cls.name:
            raise WeightsError(f"this is a model of {model.method}, not of {cls.name}")
        try:
            known = method_config.restore(cls.Config, model.config)
            built = cls(known, runtime)
            built.module.load_state_dict(dict(model.state))
        except (RuntimeError, TypeError, ValueError, InputError) as error:
            # torch lists every weight that does not fit: shorten the list
            reason = textwrap.shorten(str(error), 160, placeholder=" ...")
            raise WeightsError(
                f"this model of {cls.name} does not fit this version ({reason})"
            ) from error
        built.styles = model.styles
        built._move_to_device()
        return built

    def model(self, module: nn.Module, styles: Sequence[str], card: Mapping[str, Any]) -> Model:
        """Return a model of a trained module, with the names of its styles and metadata."""
        config = dataclasses.asdict(self.config)
        return Model(self.name, config, module.state_dict(), tuple(styles), card)

    def encode(self, picture: Tensor) -> Style:
        """Raise :class:`InputError`: the styles of this network are learned in training."""
        raise InputError(f"{self.name} paints only learned styles: train a model for this style")

    def own_style(self, index: int = 0) -> Style:
        """Return the style that the network has learned."""
        return Style(self.name, (Part({}),))


def network_class(name: str, ability: Ability = Ability.TRAIN) -> type[NetworkMethod]:
    """Return a method that can be trained, or exported, by its name.

    Raises:
        InputError: There is no such method.
    """
    build = get(name, ability).build
    assert issubclass(build, NetworkMethod)  # true of all methods with these abilities
    return build
