"""Adaptive batch normalisation: adapt a network to another domain by its batch statistics alone.

Li, Wang, Shi, Liu and Hou, "Revisiting Batch Normalization For Practical Domain Adaptation",
arXiv 1603.04779, 2016 (ICLR 2017 workshop), section 3.3, algorithm 1: every batch norm gets the
mean and the variance that its inputs have on the target domain. This needs no labels and no
training; γ, β and all weights stay the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from impasto.errors import InputError

M = TypeVar("M", bound=nn.Module)


def adapt(
    module: M,
    batches: Iterable[Tensor | Sequence[Any]],
    device: torch.device | str | None = None,
) -> M:
    """Return a copy of a network whose batch norms hold the statistics of other data.

    The mean of a layer is the mean over all samples and positions. Its variance is the mean of the
    batches' unbiased variances, which leaves out differences between batches: use large, shuffled
    batches. Each batch is weighted by its number of samples times positions, so a smaller last
    batch is fine. With one batch the statistics of the first batch norm are exactly those of the
    target domain; later norms see inputs that were normalised batch by batch.

    Args:
        module: A network with batch norms. It is not changed; the copy has the same training flags.
            While adapting, all but the batch norms runs in evaluation mode, so dropout is off.
        batches: Inputs from the target domain with channels in dimension 1; or tuples whose first
            element is the input, of which the rest, such as labels, is ignored.
        device: Device of the copy; None keeps the device of the module.

    Raises:
        InputError: The network has no batch norm that stores statistics, there are no batches, or a
            batch does not fit the network or is too small to have a variance.
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    if not any(norm.track_running_stats for norm in norms):
        raise InputError(
            "this network has no batch norm whose statistics could be adapted; "
            "instance norm adapts by itself"
        )
    adapted = copy.deepcopy(module)
    if device is not None:
        adapted = adapted.to(device)
    passes = _Weighted(adapted)
    weight = next((p for p in adapted.parameters()), None)
    try:
        update_bn(passes.weigh(batches), passes, None if weight is None else weight.device)
    except ValueError as error:  # torch refuses a batch with one value per channel
        raise InputError(f"the network cannot take a batch ({error})") from error
    if passes.seen == 0:
        raise InputError("there are no batches to adapt to: give pictures of the target domain")
    for part, original in zip(adapted.modules(), module.modules(), strict=True):
        part.training = original.training
    return adapted


class _Weighted(nn.Module):
    """A network for ``update_bn`` that weights each batch by its size.

    ``update_bn`` averages as if all batches had one size, and switches the whole network to
    training mode. Here only the batch norms are switched. A batch norm computes ``momentum`` times
    the new statistics plus 1 - ``momentum`` times the old ones, so its momentum is set to the
    batch's fraction of all values seen so far.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
        self.seen = 0

    def weigh(self, batches: Iterable[Tensor | Sequence[Any]]) -> Iterator[Tensor]:
        for batch in batches:
            x = batch if isinstance(batch, Tensor) else batch[0]
            if x.numel() == 0:
                continue
            values = x.numel() // x.shape[1]  # samples times positions
            self.seen += values
            for norm in self.norms:
                norm.momentum = values / self.seen
            yield x

    def train(self, mode: bool = True) -> _Weighted:
        self.module.eval()
        for norm in self.norms:
            norm.train(mode)
        return self

    def forward(self, x: Tensor) -> Any:
        return self.module(x)
