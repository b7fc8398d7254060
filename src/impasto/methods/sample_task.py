"""What trainings share that show how far they are: the first pictures, and what becomes of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from impasto.training.task import Task


class SampleTask(Task):
    """Shows what the network makes of the first pictures that it has seen."""

    _first: tuple[Tensor, ...] = ()

    def remember(self, *batches: Tensor) -> None:
        """Keep the first picture of each batch (B, 3, H, W), the first time, as those to show."""
        self._first = self._first or tuple(batch[:1].clone() for batch in batches)

    def sample(self, module: nn.Module) -> Tensor | None:
        """Return pictures side by side, (1, 3, H, N*W); None before any has been seen."""
        if not self._first:
            return None
        return torch.cat([one.float() for one in self.pictures(module, self._first)], dim=-1)

    @abstractmethod
    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return what is shown, (1, 3, H, W) each, of the pictures that were remembered."""


class PaintingTask(SampleTask):
    """Learns from photos and paintings, and shows what becomes of the first of each."""

    sources = ("content", "style")

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the photo, the painting, and what comes of the two."""
        return [*first, self.paint(module, *first)]

    @abstractmethod
    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """Return a photo (1, 3, H, W) in the style of a painting of its size."""
