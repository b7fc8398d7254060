"""The smallest thing that can be trained: a 1x1 convolution that learns to invert colours."""

import torch
from torch import nn

from impasto.core.device import Runtime
from impasto.training.task import Task

RUNTIME = Runtime(torch.device("cpu"), torch.float32)


class Invert(Task):
    """(1 - x) of x; with noise, which is drawn anew in every step, of x + noise."""

    def __init__(self, noise=0.0, module=None):
        torch.manual_seed(1)
        self.module = nn.Conv2d(3, 3, 1) if module is None else module
        self.noise = noise

    def loss(self, module, batch):
        x = batch["content"]
        seen = x + self.noise * torch.randn(x.shape) if self.noise else x
        off = (module(seen) - (1 - x)).square().mean()
        return {"total": off, "half": off / 2}

    def sample(self, module):
        return module(torch.full((1, 3, 4, 4), 0.25))


class Remember(Task):
    """Learns one number from nothing: d/dw of w * c is c, so that every step is known."""

    sources = ()

    def __init__(self, gradients):
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.module.weight)
        self.gradients = gradients
        self.seen = []

    def loss(self, module, batch):
        self.seen.append(self.module.weight.item())
        return {"total": (module(torch.ones(1, 1)) * self.gradients[batch.step]).sum()}
