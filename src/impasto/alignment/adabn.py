"""Adaptive batch normalisation: a network moved to another domain by its statistics alone.

Li, Wang, Shi, Liu and Hou, "Revisiting Batch Normalization For Practical Domain Adaptation",
arXiv 1603.04779, 2016 (ICLR 2017 workshop), section 3.3, algorithm 1: every batch norm gets the
mean and the variance that its inputs have on the target domain. No labels, no training; γ, β and
all weights stay.
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
    """A copy of a network whose batch norms hold the statistics of other data.

    The mean of a layer is the mean over all samples and positions. Its variance is the mean of the
    batches' unbiased variances, so what differs from batch to batch but not within one is left out:
    give large batches, shuffled. Batches count by their number of samples times positions; a
    smaller one at the end needs no care. With one batch the statistics of the first batch norm are
    exactly those of the target domain; deeper ones see inputs that were normalised batch by batch.

    Args:
        module: With batch norms; it is not changed. Its copy has the same training flags. All of
            it but the batch norms runs as in evaluation, so dropout is off.
        batches: Of the target domain: what the module takes, channels in dimension 1; or tuples
            that start with that, of which the rest, labels for one, is ignored.
        device: Where the copy runs and lies; None is where the module lies.

    Raises:
        InputError: There is no batch norm, there are no batches, or one of them does not fit or is
            too small to have a variance.
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
    except ValueError as error:  # torch's word for a batch of one value a channel
        raise InputError(f"the network cannot take a batch ({error})") from error
    if passes.seen == 0:
        raise InputError("there are no batches to adapt to: give pictures of the target domain")
    for part, original in zip(adapted.modules(), module.modules(), strict=True):
        part.training = original.training
    return adapted


class _Weighted(nn.Module):
    """A network as ``update_bn`` wants it, whose batches count by their size.

    ``update_bn`` averages over batches as if they were of one size, and switches everything to
    training. Here only the batch norms are switched; and as they take ``momentum`` times the new
    statistics plus the rest of the old, the batch's share of all that was seen is its momentum.
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
