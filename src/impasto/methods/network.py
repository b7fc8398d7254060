"""The base class of methods with a trained network: building, training and running it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import textwrap
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError, WeightsError
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.graphs import Graph, picture
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models.checkpoint import Model
from impasto.nn import tiled_inference
from impasto.nn.lazy_map import NotInStripsError
from impasto.nn.sizes import SMALLEST, pad_to
from impasto.training.task import Task

_PEAK_OUTPUTS = 15  # peak memory of a pass, in outputs of the first convolution; measured
_STRIP_SAVING = 16  # a pass in strips takes at most one part in 16 of that

M = TypeVar("M", bound="NetworkMethod")


class NetworkMethod(Method):
    """A method that is a trained network.

    Attributes:
        multiple: Height and width of the network's input are multiples of this.
        smallest: Least height and width of the input of an exported graph, in pixels.
        addition_settings: Changes to the recipe where a style is added, see :meth:`addition_task`.
        kind: What a model makes: ``style``, ``texture`` or ``upscale``, or ``any`` for every style;
            an instance may differ.
        adjustable: Names of hyperparameters that can be changed after training.
    """

    multiple: ClassVar[int] = 4
    smallest: int = SMALLEST
    addition_settings: ClassVar[Mapping[str, Any]] = {}
    kind: str = "style"
    dithers = True
    stroke_size: int = 512
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

    def addition_task(self, config: Any, style: Tensor) -> Task:
        """Return the task that trains one more style; the styles of this model stay unchanged.

        Args:
            config: Of this method; hyperparameters of the loss may differ from the model's.
            style: Style image (1, 3, H, W).

        Raises:
            InputError: This method cannot add styles.
        """
        raise InputError(f"{self.name} takes no further styles: train another model")

    def with_added_style(self, module: nn.Module) -> nn.Module:
        """Return the network with the style that the module of :meth:`addition_task` has learned.

        Raises:
            InputError: The module is not of this network.
        """
        return module

    def specialize(self, style: Style, name: str, card: Mapping[str, Any]) -> Model:
        """Return a network for one style as a model of its own.

        Args:
            style: A style of this method.
            name: Name of the style.
            card: Metadata of the model.

        Raises:
            InputError: This method does not generate networks.
        """
        raise InputError(f"{self.name} writes no networks: give a model of meta-network")

    def graphs(self) -> Sequence[Graph]:
        """Return the graphs to export; the last one paints.

        By default there is one, whose only input is the content image.

        Raises:
            InputError: This network cannot be exported.
        """
        return (Graph(self.module, (picture("content", self.multiple, self.smallest),)),)

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

        Raises:
            InputError: No part of this method holds a style by itself.
        """
        raise InputError(f"{self.name} has no parts to inspect")

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

    @classmethod
    def adjust(cls, preset: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the changes that a preset and settings make to the config of a trained model.

        Raises:
            InputError: A setting is unknown, cannot be read, or is fixed by the training.
        """
        config = method_config.change(method_config.preset(cls.Config, preset), settings)
        fixed = [name for name in settings if name not in cls.adjustable]
        if fixed:
            free = ", ".join(cls.adjustable) or "none of its hyperparameters"
            raise InputError(
                f"{fixed[0]} cannot be changed after training {cls.name}: change {free}"
            )
        names = settings if preset == "default" else cls.adjustable
        return {name: getattr(config, name) for name in names}

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

    @torch.inference_mode()
    def run(self, batch: Tensor, *more: Tensor, factor: int = 1) -> Tensor:
        """Run the network on images of any size, in strips if they exceed the memory budget.

        Args:
            batch: (B, 3, H, W) in [0, 1].
            more: Further arguments of the network's ``forward``.
            factor: The result is (B, 3, factor*H, factor*W), float32 in [0, 1].
        """
        height, width = batch.shape[-2:]
        x = pad_to(batch.to(self.runtime.device), self.multiple)
        more = tuple(one.to(x.device) for one in more)
        if self.too_large(x):
            with contextlib.suppress(NotInStripsError):
                painted = tiled_inference.run(
                    lambda image: self.module(image, *more), x, dtype=self.runtime.dtype
                )
                return painted[..., : factor * height, : factor * width].clamp_(0, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        reduced = self.runtime.dtype is not torch.float32
        with torch.autocast(self.runtime.device.type, self.runtime.dtype, enabled=reduced):
            painted = self.module(x, *more)
        return painted[..., : factor * height, : factor * width].float().clamp_(0, 1)

    def default_edge(self, size: Sequence[int]) -> int:
        """Return the long edge of the content image, or less if even strips exceed the budget."""
        own = max(size)
        fits = (
            _STRIP_SAVING
            * self.runtime.memory_budget()
            / (self.bytes_per_pixel * size[0] * size[1])
        )
        return min(own, max(self.stroke_size, math.floor(own * fits**0.5)))

    def too_large(self, batch: Tensor) -> bool:
        """Check whether a pass on the whole image (B, C, H, W) exceeds the memory budget."""
        return (
            batch.shape[-2] * batch.shape[-1] * self.bytes_per_pixel > self.runtime.memory_budget()
        )

    @cached_property
    def bytes_per_pixel(self) -> int:
        """Return the number of bytes that a pass on a whole image takes for each pixel."""
        convolutions = [part for part in self.module.modules() if isinstance(part, nn.Conv2d)]
        first = min(convolutions, key=lambda part: part.in_channels, default=None)
        channels = 3 if first is None else first.out_channels
        return _PEAK_OUTPUTS * channels * self.runtime.dtype.itemsize

    @staticmethod
    def report_done(picture: Tensor, callback: Callback) -> Tensor:
        """Report the only step of a job of one pass, and return its image."""
        callback(Progress(1, 1, stage="one pass", preview=lambda: picture))
        return picture


def network_of(other: Model, runtime: Runtime | None = None) -> nn.Module:
    """Return the network of a model of any method, to initialise another one from.

    Raises:
        InputError: This version has no such method.
        WeightsError: The weights do not fit the model's config.
    """
    build = get(other.method, Ability.TRAIN).build
    assert issubclass(build, NetworkMethod)  # true of all methods with Ability.TRAIN
    return build.open(other, runtime).module
