"""What all trainings on photos and paintings share: both sources, and a pair that is shown."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from impasto.training.task import Batch, Task


class PaintingTask(Task):
    """Learns from photos and paintings, and shows what becomes of the first of each."""

    sources = ("content", "style")
    _shown: tuple[Tensor, Tensor] | None = None

    def remember(self, batch: Batch) -> None:
        """Take the first photo and the first painting of the first batch as those to show."""
        if self._shown is None:
            self._shown = batch["content"][:1].clone(), batch["style"][:1].clone()

    def sample(self, module: nn.Module) -> Tensor | None:
        """The photo, the painting, and what comes of the two, side by side (1, 3, H, 3*W)."""
        if self._shown is None:
            return None
        return torch.cat([*self._shown, self.paint(module, *self._shown).float()], dim=-1)

    @abstractmethod
    def paint(self, module: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """A photo (1, 3, H, W) in the style of a painting of its size."""
