"""Base classes of training tasks that show the network's output for images of the first batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from impasto.training.task import Task


class SampleTask(Task):
    """A task that shows the network's output for images of the first batch."""

    _first: tuple[Tensor, ...] = ()

    def remember(self, *batches: Tensor) -> None:
        """Store the first image of each batch (B, 3, H, W), on the first call only."""
        self._first = self._first or tuple(batch[:1].clone() for batch in batches)

    def sample(self, module: nn.Module) -> Tensor | None:
        """Return images side by side, (1, 3, H, N*W); None before the first batch."""
        if not self._first:
            return None
        return torch.cat([one.float() for one in self.pictures(module, self._first)], dim=-1)

    @abstractmethod
    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the images to show, (1, 3, H, W) each.

        Args:
            module: The network.
            first: The stored images, (1, 3, H, W) each.
        """


class PaintingTask(SampleTask):
    """A task with batches of content images and style images."""

    sources = ("content", "style")

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the content image, the style image, and the result."""
        return [*first, self.paint(module, *first)]

    @abstractmethod
    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """Paint a content image (1, 3, H, W) in the style of a style image of the same size."""
