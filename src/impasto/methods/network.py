"""What all methods with a trained network share: building, learning, running it on any picture."""

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
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError, WeightsError
from impasto.image import Image
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.graphs import Graph, picture
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models.checkpoint import Model
from impasto.nn import tiled_inference
from impasto.nn.lazy_map import NotInStripsError
from impasto.training.task import Task

_IN_STRIPS = 16  # times less memory than a whole pass takes, at least
_AT_ONCE = 15  # maps of the first convolution that a whole pass takes the room of, measured
SMALLEST = 16  # a side below which a reflected border no longer fits

M = TypeVar("M", bound="NetworkMethod")


class NetworkMethod(Method):
    """A method that is a trained network.

    Subclasses say how the network is built and what it learns from.

    Attributes:
        multiple: The network wants sides that are multiples of this.
        smallest: What its sides are at least in a graph, which has one kind of border for all.
        adding: What changes in the recipe where a style is added, see :meth:`addition`.
        kind: What a model makes: ``style``, ``texture`` or ``upscale``, or ``any`` for every style;
            an instance may differ.
        adjustable: Numbers of the config that no weight depends on, so that a trained model may
            change them.
    """

    multiple: ClassVar[int] = 4
    smallest: int = SMALLEST
    adding: ClassVar[Mapping[str, Any]] = {}
    kind: str = "style"
    dithers = True
    stroke_size: int = 512
    adjustable: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        self.styles: tuple[str, ...] = ()
        self.module = self.network(self.config)
        self._place()

    def _place(self) -> None:
        self.module.eval().to(self.runtime.device)
        self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    @abstractmethod
    def network(cls, config: Any) -> nn.Module:
        """The network of a config, with fresh weights."""

    @classmethod
    @abstractmethod
    def task(cls, config: Any, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """What the network of a config learns.

        Args:
            config: Of the method.
            styles: The style pictures, (1, 3, H, W) each; none for a method that needs none.
            runtime: Where the loss's own networks run.
        """

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """Let training start from another model; by default from all weights of one of this method.

        Args:
            module: Of a task of this method, changed in place.
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

    def addition(self, config: Any, style: Tensor) -> Task:
        """What learns one style more, beside those of this model, which stay as they are.

        Args:
            config: This method's, perhaps with other numbers of the loss.
            style: The style picture (1, 3, H, W).

        Raises:
            InputError: This method learns all at once.
        """
        raise InputError(f"{self.name} takes no further styles: train another model")

    def joined(self, module: nn.Module) -> nn.Module:
        """The network with the style that the module of an :meth:`addition` has learned.

        Raises:
            InputError: The module is not of this network.
        """
        return module

    def specialized(self, style: Style, name: str, card: Mapping[str, Any]) -> Model:
        """A network that paints one style of this method and needs nothing else.

        Args:
            style: Of this method.
            name: What users will call it.
            card: How it came to be.

        Raises:
            InputError: This method writes no networks.
        """
        raise InputError(f"{self.name} writes no networks: give a model of meta-network")

    def graphs(self) -> Sequence[Graph]:
        """The network for other runtimes; of several graphs, the last one paints.

        By default it takes the photo and nothing else. A method that says :attr:`Ability.EXPORT`
        is exported with what it gives here, and nothing else has to know of it.

        Raises:
            InputError: Other runtimes cannot run this one.
        """
        return (Graph(self.module, (picture("content", self.multiple, self.smallest),)),)

    def inspect(
        self, style: Style, photo: Tensor, *, callback: Callback = silent
    ) -> Sequence[tuple[str, Tensor]]:
        """What each part that holds a style has learned, the strongest first.

        Args:
            style: Of this method.
            photo: What the parts respond to, (1, 3, H, W).
            callback: Called after every part.

        Returns:
            Names and pictures (1, 3, h, w) in [0, 1].

        Raises:
            InputError: No part of this method holds a style by itself.
        """
        raise InputError(f"{self.name} has no parts to inspect")

    @classmethod
    def open(cls: type[M], model: Model, runtime: Runtime | None = None) -> M:
        """The method with a model's weights.

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
            # torch names every weight that does not fit: the first of them tell enough
            reason = textwrap.shorten(str(error), 160, placeholder=" ...")
            raise WeightsError(
                f"this model of {cls.name} does not fit this version ({reason})"
            ) from error
        built.styles = model.styles
        built._place()
        return built

    @classmethod
    def adjust(cls, preset: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What a preset and settings change in the config of a trained model.

        Raises:
            InputError: A setting is unknown, cannot be read, or belongs to what was learned.
        """
        numbers = method_config.change(method_config.preset(cls.Config, preset), settings)
        fixed = [name for name in settings if name not in cls.adjustable]
        if fixed:
            free = ", ".join(cls.adjustable) or "none of its numbers"
            raise InputError(f"{fixed[0]} was settled when {cls.name} learned: change {free}")
        names = settings if preset == "default" else cls.adjustable
        return {name: getattr(numbers, name) for name in names}

    def model(self, module: nn.Module, styles: Sequence[str], card: Mapping[str, Any]) -> Model:
        """A trained module as a model."""
        numbers = dataclasses.asdict(self.config)
        return Model(self.name, numbers, module.state_dict(), tuple(styles), card)

    def encode(self, picture: Tensor) -> Style:
        """Refuse: what this network paints was learned before."""
        raise InputError(f"{self.name} paints what it has learned: train one for this style")

    def own_style(self, index: int = 0) -> Style:
        """The style that the network has learned; of several, the one at this place."""
        return Style(self.name, (Part({}),))

    @torch.inference_mode()
    def run(self, batch: Tensor, *more: Tensor, factor: int = 1) -> Tensor:
        """Send pictures (B, 3, H, W) of any size through the network, in the runtime's format.

        Args:
            batch: The pictures.
            more: What else the network's forward takes, as it is.
            factor: How many times as large the network's pictures are.
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
        """Return the image's own long edge, or less where memory is short even for strips."""
        own = max(size)
        fits = _IN_STRIPS * self.runtime.room() / (self.bytes_each * size[0] * size[1])
        return min(own, max(self.stroke_size, math.floor(own * fits**0.5)))

    def too_large(self, batch: Tensor) -> bool:
        """Check whether an image takes more than the memory budget, if it is painted as a whole."""
        return batch.shape[-2] * batch.shape[-1] * self.bytes_each > self.runtime.room()

    @cached_property
    def bytes_each(self) -> int:
        """Number of bytes that a whole pass takes for each pixel."""
        convolutions = [part for part in self.module.modules() if isinstance(part, nn.Conv2d)]
        first = min(
            convolutions, key=lambda part: part.in_channels, default=None
        )  # reads the image
        channels = 3 if first is None else first.out_channels
        return _AT_ONCE * channels * self.runtime.dtype.itemsize

    @staticmethod
    def done(picture: Tensor, callback: Callback) -> Tensor:
        """Report the only step of a job of one pass, and hand its picture on."""
        callback(Progress(1, 1, stage="one pass", preview=lambda: picture))
        return picture


def network_of(other: Model, runtime: Runtime | None = None) -> nn.Module:
    """The network in a model of any method, for another one to start from.

    Raises:
        InputError: No method of this version is meant.
        WeightsError: Its weights do not fit.
    """
    build = get(other.method, Ability.TRAIN).build
    assert issubclass(build, NetworkMethod)  # what TRAIN means
    return build.open(other, runtime).module


def pad_to(batch: Tensor, multiple: int, smallest: int = SMALLEST) -> Tensor:
    """Mirror pictures (B, 3, H, W) beyond their right and lower edges up to multiples.

    Args:
        batch: Of any size.
        multiple: Of the sides that come out.
        smallest: The least side that comes out.

    Example:
        >>> pad_to(torch.zeros(1, 3, 17, 1), 4).shape
        torch.Size([1, 3, 20, 16])
    """
    height, width = batch.shape[-2:]
    down = max(smallest, -(-height // multiple) * multiple) - height
    right = max(smallest, -(-width // multiple) * multiple) - width
    if not down and not right:
        return batch
    # a border wider than the picture has nothing to mirror: its last pixels go on instead
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(batch, (0, right, 0, down), mode=mode)


def with_short_side(picture: Tensor, side: int) -> Tensor:
    """A picture (1, 3, H, W) resized so that its shorter side has ``side`` pixels."""
    height, width = picture.shape[-2:]
    factor = side / min(height, width)
    return Image(picture).resized(round(height * factor), round(width * factor)).rgb
