"""What every method looks like from outside: two verbs, ``encode`` and ``stylize``."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from impasto.core.device import Runtime, choose
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style


class Method(ABC):
    """A method with its numbers and its place to run.

    Subclasses register themselves with :func:`impasto.methods.registry.method` and override the
    verbs of their abilities. Images are (1, 3, H, W), float32, RGB in [0, 1].

    Attributes:
        name: Set by the registry.
        abilities: Set by the registry.
        Config: The frozen dataclass of the method's numbers.
        default_size: The long edge that the pipeline works at unless told otherwise; None is the
            photo's own.
        stroke_size: Long edge, in pixels, of an image in which strokes have the size that the
            network learned; None for methods that take the stroke size from the style image.
        dithers: Whether the pipeline adds noise of one 8-bit level to the photo first, see
            :mod:`impasto.image.dither`.
    """

    name: str
    abilities: Ability
    Config: ClassVar[type[Any]]
    default_size: int | None = None
    stroke_size: int | None = None
    dithers: bool = False

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        self.config = self.Config() if config is None else config
        self.runtime = runtime or choose()

    def default_edge(self, size: Sequence[int]) -> int:
        """Return the long edge to paint an image of a size at, where the user names none."""
        return min(max(size), self.default_size or max(size))

    def encode(self, picture: Tensor) -> Style:
        """What the method keeps of a style picture; dear, done once.

        By default the picture itself, for methods that compare with it in every job anew.
        """
        return Style(self.name, (Part({"picture": picture}),))

    def own_style(self, index: int = 0) -> Style:
        """The style that it has learned; of several, the one at this place."""
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
        """A picture with the content of one and the style of others.

        Args:
            content: (1, 3, H, W).
            style: Of this method.
            regions: A soft mask (1, 1, H, W) for each part of the style, or none at all.
            seed: Of everything random.
            callback: Called after every step.
        """
        raise InputError(f"{self.name} does not stylize")

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """A new picture (1, 3, height, width) of the style's texture."""
        raise InputError(f"{self.name} does not synthesize textures")

    def reconstruct(self, picture: Tensor, *, seed: int = 0, callback: Callback = silent) -> Tensor:
        """A picture made anew from its features (1, 3, H, W)."""
        raise InputError(f"{self.name} does not reconstruct")

    def upscale(self, picture: Tensor, *, callback: Callback = silent) -> Tensor:
        """A larger picture (1, 3, f*H, f*W), f being the method's factor."""
        raise InputError(f"{self.name} does not enlarge pictures")
