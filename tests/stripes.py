"""A method whose strokes have a known size in pixels, and how large the strokes of an image are."""

import torch

from impasto.methods.base import Method
from impasto.methods.spec import Ability

PERIOD = 8


class Stripes(Method):
    """Paints stripes of eight pixels, whatever it is shown."""

    name, abilities, Config = "stripes", Ability.STYLIZE, dict
    stroke_size = 64

    def __init__(self):
        super().__init__()
        self.painted = []

    def stylize(self, content, style, *, regions=(), seed=0, callback=None):
        self.painted.append(tuple(content.shape[-2:]))
        columns = torch.arange(content.shape[-1]) * (2 * torch.pi / PERIOD)
        return (0.5 + 0.4 * columns.sin()).expand_as(content).clone()


def wavelength(image):
    """The period, in pixels, of the strongest wave along the rows."""
    rows = image.mean((0, 1, 2)) - image.mean()
    power = torch.fft.rfft(rows * torch.hann_window(len(rows)), 8 * len(rows)).abs()
    return 8 * len(rows) / float(power.argmax())
