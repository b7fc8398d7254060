"""The size of style images in training, which determines the size of the strokes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from impasto.errors import check_choice, check_range
from impasto.methods.perceptual import PerceptualConfig
from impasto.nn.sizes import with_short_side

SIDES = ("short", "long")


@dataclass(frozen=True, kw_only=True)
class StyleSizeConfig(PerceptualConfig):
    """Hyperparameters of a loss whose style images are not cropped, but resized once.

    Attributes:
        style_size: Side of style images in pixels, 0 for their own size; together with the crop
            of the training data it determines the size of the strokes.
        style_side: ``short`` or ``long``: which side ``style_size`` is of.
    """

    style_size: int = 320
    style_side: str = "short"

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(0, style_size=self.style_size)
        check_choice("style_side", self.style_side, SIDES)

    def resized(self, image: Tensor) -> Tensor:
        """Resize a style image (1, 3, H, W) to the configured size; the aspect ratio stays.

        Example:
            >>> import torch
            >>> image = torch.zeros(1, 3, 200, 400)
            >>> [
            ...     tuple(StyleSizeConfig(style_size=100, style_side=side).resized(image).shape[2:])
            ...     for side in SIDES
            ... ]
            [(100, 200), (50, 100)]
        """
        short = self.style_size
        if self.style_side == "long":
            short = max(1, round(short * min(image.shape[2:]) / max(image.shape[2:])))
        return with_short_side(image, short) if self.style_size else image
