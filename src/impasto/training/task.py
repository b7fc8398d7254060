"""What a method hands to the training loop: a module and its loss."""

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
    """What one step learns from.

    Attributes:
        step: Steps done before this one.
        size: Pictures of this process in this step.
        pictures: By the name of their source (``content``, ``style``): (size, 3, S, S), float32,
            RGB in [0, 1], on the device of the module.
        steps: Steps of the whole run; 0 where nobody says.
        shift: How far every second photo is moved against the one before it, see
            :mod:`impasto.training.shift`; None where photos are no pairs.
    """

    step: int
    size: int
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    shift: Shift | None = None

    def __getitem__(self, source: str) -> Tensor:
        return self.pictures[source]


class Task(ABC):
    """A module and how wrong it is on a batch.

    Attributes:
        module: What is learned; float32, the loop moves it to its device.
        sources: The names of the picture sources that :meth:`loss` reads from its batches; a task
            that learns from noise alone has none.
    """

    module: nn.Module
    sources: tuple[str, ...] = ("content",)

    @abstractmethod
    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Named scalars for one batch; ``"total"`` is what is minimised.

        Args:
            module: :attr:`module`, perhaps wrapped for several processes or reduced precision:
                call this one.
            batch: The step's pictures. Torch's generator is seeded by the step, so what is drawn
                here is the same in a resumed run.
        """

    def sample(self, module: nn.Module) -> Tensor | None:
        """A picture (1, 3, H, W) in [0, 1] that shows how far training is; None shows nothing."""
        return None
