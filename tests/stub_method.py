"""A method that keeps what it is given and returns what it is told; pictures to give it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from helpers import smooth_picture
from impasto.api import stylize as pipeline
from impasto.core.progress import Progress
from impasto.image import Image as Picture
from impasto.methods.base import Method
from impasto.methods.spec import Ability

ALL = Ability.STYLIZE | Ability.SYNTHESIZE | Ability.MASKS | Ability.BLEND


def noise(height=12, width=16, seed=0, low=0.0, high=1.0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=random) * (high - low) + low


def flat(value, height=12, width=16):
    return torch.full((1, 3, height, width), float(value))


def smooth(height=48, width=64, seed=0):
    return smooth_picture(height, width, seed)


def mask(left, right, width=16, height=12):
    """White from one column to another."""
    image = torch.zeros(1, 3, height, width)
    image[..., left:right] = 1
    return Picture(image)


@dataclass(frozen=True)
class StubConfig:
    """No numbers."""


@dataclass
class Seen:
    content: torch.Tensor
    pictures: list[torch.Tensor]
    weights: list[float]
    regions: tuple[torch.Tensor, ...]
    seed: int


class Stub(Method):
    """Returns ``paint`` of what it sees; reports ``steps`` steps, previews at half size."""

    Config = StubConfig
    default_size = 64

    def __init__(self, paint, steps):
        super().__init__()
        self.paint, self.steps = paint, steps
        self.calls = []

    def stylize(self, content, style, *, regions=(), seed=0, callback=None):
        pictures = [part.tensors["picture"] for part in style]
        seen = Seen(content, pictures, [part.weight for part in style], tuple(regions), seed)
        self.calls.append(seen)
        painted = self.paint(seen)
        for step in range(1, self.steps + 1):
            progress = Progress(step, self.steps, preview=lambda: painted[..., ::2, ::2])
            callback(progress)
            if progress.cancelled:
                break
        return painted

    def synthesize(self, style, height, width, *, seed=0, callback=None):
        pictures = [part.tensors["picture"] for part in style]
        self.calls.append(Seen(None, pictures, [part.weight for part in style], (), seed))
        return torch.full((1, 3, height, width), 0.5)


def run(method, photo, style=None, **options):
    photo = Picture(photo) if isinstance(photo, torch.Tensor) else photo
    style = Picture(noise(9, 7, seed=9)) if style is None else style
    return pipeline.stylize(photo, style, method=method, **options)
