"""A training loop that knows nothing about style, its data, its checkpoints."""

from impasto.training.plan import Plan
from impasto.training.task import Batch, Task

__all__ = ["Batch", "Plan", "Task"]
