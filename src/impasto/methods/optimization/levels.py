"""The inputs of an objective at one size of a pyramid."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from impasto.methods.optimization.sizes import scaler


@dataclass(frozen=True, eq=False)
class StyleImage:
    """A style image of an objective.

    Attributes:
        image: (1, 3, h, w) at the level's scale.
        weight: Its weight; the weights of all styles sum to 1, unless each has a region.
        region: Index of its mask; None is everywhere.
    """

    image: Tensor
    weight: float
    region: int | None


@dataclass(frozen=True, eq=False)
class Level:
    """The inputs of the objective at one size of the pyramid.

    Attributes:
        height: In pixels.
        width: In pixels.
        content: Content image (1, 3, height, width), or None.
        base: Image (1, 3, height, width) to start from in place of the content image, or None.
        styles: Style images at the same scale.
        regions: Masks (1, 1, height, width).
        tile: Side in pixels of the tiles that are encoded one by one; None is the whole image.
    """

    height: int
    width: int
    content: Tensor | None
    styles: tuple[StyleImage, ...]
    regions: tuple[Tensor, ...] = ()
    tile: int | None = None
    base: Tensor | None = None

    @property
    def initial(self) -> Tensor | None:
        """Return the image to start from, (1, 3, height, width), or None if there is none."""
        return self.content if self.base is None else self.base

    @property
    def style_pixels(self) -> int:
        """Return the sum of the pixels of all style images."""
        return sum(style.image[0, 0].numel() for style in self.styles)

    def scaled(self, factor: float) -> Level:
        """Return the level with all images and sizes multiplied by a factor."""
        shrink = scaler(factor)
        styles = tuple(replace(style, image=shrink(style.image)) for style in self.styles)
        content, base = (
            None if image is None else shrink(image) for image in (self.content, self.base)
        )
        height, width = (max(1, round(side * factor)) for side in (self.height, self.width))
        regions = tuple(map(shrink, self.regions))
        return Level(height, width, content, styles, regions, base=base)
