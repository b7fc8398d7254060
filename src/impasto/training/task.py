"""Interface between a method and the training loop: a module and its loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from impasto.training.shift import Shift


@dataclass(frozen=True, eq=False)
class Batch:
    """Input of one training step.

    Attributes:
        step: Steps done before this one.
        size: Images of this process in this step.
        pictures: Images by the name of their source (``content``, ``style``): (size, 3, S, S),
            float32, RGB in [0, 1], on the device of the module.
        steps: Steps of the whole run; 0 if unknown.
        shift: Displacement of every second content image against the one before it, see
            :mod:`impasto.training.shift`; None if the images are not pairs.
    """

    step: int
    size: int
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    shift: Shift | None = None

    def __getitem__(self, source: str) -> Tensor:
        return self.pictures[source]


class Task(ABC):
    """A module to train, and its loss.

    Attributes:
        module: The module; float32, the loop moves it to its device.
        sources: Names of the image sources that :meth:`loss` reads from its batches; empty for a
            task that trains on noise alone.
    """

    module: nn.Module
    sources: tuple[str, ...] = ("content",)

    @abstractmethod
    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Return the losses of one batch as named scalars; ``"total"`` is minimised.

        Args:
            module: The module to call: :attr:`module`, possibly wrapped for several processes or
                reduced precision.
            batch: The images of the step. Torch's generator is seeded for the step, so random draws
                are the same in a resumed run.
        """

    def sample(self, module: nn.Module) -> Tensor | None:
        """Return an image (1, 3, H, W) in [0, 1] that shows the progress of training, or None."""
        return None
