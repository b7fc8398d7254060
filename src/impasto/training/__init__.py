"""Train networks: the loop, its data and its checkpoints, independent of style transfer."""

from impasto.training.plan import Plan
from impasto.training.task import Batch, Task

__all__ = ["Batch", "Plan", "Task"]
