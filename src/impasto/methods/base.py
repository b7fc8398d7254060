"""The base class of all methods."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from impasto.core.device import Runtime, choose
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.methods.granted import check_memory
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.nn.norm_statistics import StatisticsStore


@dataclass(frozen=True, eq=False)
class Frame:
    """The part of a video frame's input that comes from the frames before it.

    Attributes:
        statistics: Statistics of the shot, used in place of those of the content image.
        start: Initial image of an optimisation, (1, 3, H, W) in [0, 1]; None is the method's own.
    """

    statistics: StatisticsStore
    start: Tensor | None = None


class Method(ABC):
    """A method with its config and the device that it runs on.

    Subclasses register themselves with :func:`impasto.methods.registry.register_method` and
    override the verbs of their abilities. Images are (1, 3, H, W), float32, RGB in [0, 1].

    Attributes:
        name: Set by the registry.
        abilities: Set by the registry.
        Config: The frozen dataclass of the method's hyperparameters.
        default_size: Largest long edge of the result, in pixels, where the user gives no size;
            None is no limit.
        stroke_size: Long edge, in pixels, of an image in which strokes have the size that the
            network learned; None for methods that take the stroke size from the style image.
        shifts: Number of shifted content images whose results are averaged against a lattice, see
            :mod:`impasto.api.cycle_spinning`; 1 where there is no lattice.
        dithers: Whether noise of one 8-bit level is added to the content image first, see
            :mod:`impasto.image.dither`.
        frame: While a frame of a video is stylized, its input from the frames before it. It makes
            a method object unfit for several threads at once.
        base: While a photo is stylized, a first picture (1, 3, H, W) that an optimisation starts
            from at every size, in place of the content image; None is the content image. Like
            ``frame``, it makes a method object unfit for several threads at once.
    """

    name: str
    abilities: Ability
    Config: ClassVar[type[Any]]
    default_size: int | None = None
    stroke_size: int | None = None
    shifts: int = 1
    dithers: bool = False
    frame: Frame | None = None
    base: Tensor | None = None

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        self.config = self.Config() if config is None else config
        self.runtime = runtime or choose()

    @contextmanager
    def within(self, frame: Frame | None, base: Tensor | None = None) -> Iterator[None]:
        """Stylize a frame of a video, or from a first picture, inside the context.

        Args:
            frame: None is a single image.
            base: See :attr:`base`.
        """
        self.frame, self.base = frame, base
        try:
            yield
        finally:
            self.frame = self.base = None

    def seamless(self, height: int, width: int) -> AbstractContextManager[None]:
        """Return a context in which images of a size tile: opposite edges continue each other.

        Like :meth:`within`, it makes a method object unfit for several threads at once.

        Args:
            height: Of the images, in pixels.
            width: Of the images, in pixels.

        Raises:
            InputError: The method makes no images that tile, or not at this size.
        """
        raise InputError(
            f"{self.name} makes no pictures that tile: leave `seamless` out, or choose another "
            "method, such as texture"
        )

    @property
    def statistics(self) -> StatisticsStore | None:
        """Return the statistics of the shot while a frame of a video is stylized, or None."""
        return None if self.frame is None else self.frame.statistics

    def default_edge(self, size: Sequence[int]) -> int:
        """Return the long edge of the result, in pixels, where the user gives no size.

        Args:
            size: Width and height of the content image.
        """
        return min(max(size), self.default_size or max(size))

    def least_memory(self, height: int, width: int, style_pixels: float) -> int:
        """Return the smallest memory budget in bytes; 0 is any, since networks work in strips.

        Args:
            height: Of the result in pixels.
            width: Of the result in pixels.
            style_pixels: Sum of the pixels of all style images.
        """
        return 0

    def check_memory(self, height: int, width: int, style_pixels: float) -> None:
        """Raise :class:`InputError` if an image needs more memory than the caller granted.

        Args:
            height: Of the result in pixels.
            width: Of the result in pixels.
            style_pixels: Sum of the pixels of all style images.
        """
        if self.runtime.memory is None:
            return

        def least(factor: float) -> int:
            sides = round(height * factor), round(width * factor)
            return self.least_memory(sides[0], sides[1], style_pixels * factor**2)

        check_memory(self.name, height, width, self.runtime.memory, least)

    def encode(self, picture: Tensor) -> Style:
        """Encode a style image, once for all content images.

        By default the style holds the image itself.

        Args:
            picture: Style image (1, 3, H, W).

        Raises:
            InputError: The method has no style images.
        """
        return Style(self.name, (Part({"picture": picture}),))

    def own_style(self, index: int = 0) -> Style:
        """Return a style that the method has learned.

        Args:
            index: Which of its styles, counted from 0.

        Raises:
            InputError: The method has learned no style.
        """
        raise InputError(f"{self.name} has learned no style: name a painting")

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """Paint a content image in a style.

        Args:
            content: Content image (1, 3, H, W).
            style: A style of this method.
            regions: A soft mask (1, 1, H, W) in [0, 1] for each part of the style, or none at all.
            seed: Of all random numbers.
            callback: Called after every step.

        Returns:
            (1, 3, H, W) in [0, 1].

        Raises:
            InputError: The method does not stylize, or the style is not its own.
        """
        raise InputError(f"{self.name} does not stylize")

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Synthesise an image (1, 3, height, width) of the style's texture.

        Raises:
            InputError: The method does not synthesize, or the style is not its own.
        """
        raise InputError(f"{self.name} does not synthesize textures")

    def reconstruct(self, picture: Tensor, *, seed: int = 0, callback: Callback = silent) -> Tensor:
        """Reconstruct an image (1, 3, H, W) from its features.

        Raises:
            InputError: The method does not reconstruct.
        """
        raise InputError(f"{self.name} does not reconstruct")

    def upscale(self, picture: Tensor, *, callback: Callback = silent) -> Tensor:
        """Enlarge an image (1, 3, H, W) to (1, 3, f*H, f*W), where f is the method's factor.

        Raises:
            InputError: The method does not enlarge images.
        """
        raise InputError(f"{self.name} does not enlarge pictures")
