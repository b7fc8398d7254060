"""Run a network on images of any size: padding, strips, statistics of a shot, number format."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError
from impasto.methods.base import Method
from impasto.methods.style import Style
from impasto.nn import tiled_inference
from impasto.nn.lazy_map import NotInStripsError
from impasto.nn.norm_statistics import sharing
from impasto.nn.sizes import SMALLEST, pad_to

_AT_ONCE = 15  # peak memory of a pass, in outputs of the first convolution; measured
_IN_STRIPS = 16  # a pass in strips takes at most one part in 16 of that


class Executor(Method):
    """A method that runs a network.

    Attributes:
        module: The network.
        multiple: Height and width of the network's input are multiples of this.
        least: Least height and width of its input.
    """

    module: nn.Module
    multiple: int = 4
    least: int = SMALLEST
    dithers = True
    shifts = 8
    stroke_size: int = 640

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """Paint a content image in one pass of the network, see :meth:`painter`."""
        paint = self.painter(content, style.expect(self.name), regions)
        picture = self.run(content, function=paint)
        return self.report_done(picture, callback)

    def painter(
        self, content: Tensor, style: Style, regions: Sequence[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Return the function that paints padded content images (1, 3, H', W') in a style.

        Args:
            content: The content image (1, 3, H, W).
            style: A style of this method.
            regions: See :meth:`~impasto.methods.base.Method.stylize`.

        Raises:
            InputError: The method does not stylize.
        """
        raise InputError(f"{self.name} does not stylize")

    def bound(self, *more: Tensor, maps: Tensor | None = None) -> Callable[[Tensor], Tensor]:
        """Return the network as a function of images alone.

        Args:
            more: Its arguments after the images.
            maps: Its last argument, weights of regions (1, P, H, W); None leaves it out.
        """
        more = more if maps is None else (*more, self.padded(maps))
        more = tuple(one.to(self.runtime.device) for one in more)
        return lambda image: self.module(image, *more)

    @torch.inference_mode()
    def run(
        self,
        batch: Tensor,
        *,
        factor: int = 1,
        function: Callable[..., Tensor] | None = None,
    ) -> Tensor:
        """Run the network on images of any size, in strips if they exceed the memory budget.

        Args:
            batch: (B, 3, H, W) in [0, 1].
            factor: The result is (B, 3, factor*H, factor*W), float32 in [0, 1].
            function: Called instead of the network.
        """

        def paint(padded: Tensor) -> Tensor:
            with sharing(self.module, self.statistics):
                return self.compute(function or self.module, padded)

        return self.fitted(paint, batch, factor)

    def fitted(self, paint: Callable[[Tensor], Tensor], batch: Tensor, factor: int = 1) -> Tensor:
        """Call a function on padded images, crop and clamp its result.

        Args:
            paint: From (B, 3, H', W') to (B, 3, factor*H', factor*W').
            batch: (B, 3, H, W) in [0, 1].
            factor: See ``paint``.

        Returns:
            (B, 3, factor*H, factor*W), float32 in [0, 1].
        """
        height, width = (factor * side for side in batch.shape[-2:])
        painted = paint(self.padded(batch))[..., :height, :width].float()
        with torch.inference_mode():  # in place, also where ``paint`` ran in this mode
            return painted.clamp_(0, 1)

    def padded(self, batch: Tensor) -> Tensor:
        """Pad images or masks (B, C, H, W) to multiples of :attr:`multiple`, on the device."""
        return pad_to(batch.to(self.runtime.device), self.multiple, self.least)

    def compute(self, function: Callable[[Any], Any], x: Tensor) -> Tensor:
        """Call a function on padded images: in strips, if they are too large and it allows that."""
        if self.too_large(x):
            with contextlib.suppress(NotInStripsError):
                return tiled_inference.run(function, x, dtype=self.runtime.dtype)
        with self.runtime.autocast():
            painted: Tensor = function(x.contiguous(memory_format=torch.channels_last))
        return painted

    def default_edge(self, size: Sequence[int]) -> int:
        """Return the long edge of the content image, or less if even strips exceed the budget."""
        own = max(size)
        fits = (
            _IN_STRIPS * self.runtime.memory_budget() / (self.bytes_per_pixel * size[0] * size[1])
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
        return _AT_ONCE * channels * self.runtime.dtype.itemsize

    @staticmethod
    def report_done(picture: Tensor, callback: Callback) -> Tensor:
        """Report the only step of a job of one pass, and return its image."""
        callback(Progress(1, 1, stage="one pass", preview=lambda: picture))
        return picture
