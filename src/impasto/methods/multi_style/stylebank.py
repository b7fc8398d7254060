"""Chen et al.: a bank of filters for each style, inside an auto-encoder that knows none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, Progress, silent
from impasto.methods.multi_style.base import ManyStyles, ManyStylesTask
from impasto.methods.multi_style.stylebank_training import Branches, StyleBankConfig, StyleBankTask
from impasto.methods.network import pad_to
from impasto.methods.registry import method
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style
from impasto.models.checkpoint import Model
from impasto.nn.stylebank import NewBank, StyleBankNet
from impasto.training.task import Task

ELEMENT = 64  # pixels: a filter and the decoder behind it see about half as many

_STRETCH = 8.0  # at most, of the colours that a filter adds
_TINY = 1e-24


def around(picture: Tensor, response: Tensor, side: int = ELEMENT) -> Tensor:
    """The part of a picture where a response is strongest.

    Args:
        picture: (1, 3, H, W).
        response: (h, w), of the same picture at another size.
        side: Of the square in pixels; less where the picture is smaller.

    Returns:
        (1, 3, side, side).
    """
    place, corner = int(response.argmax()), []
    spots = (place // response.shape[1], place % response.shape[1])
    for spot, size, full in zip(spots, response.shape, picture.shape[-2:], strict=True):
        middle = round((spot + 0.5) * full / size)
        corner.append(max(0, min(middle - side // 2, full - side)))
    top, left = corner
    return picture[..., top : top + side, left : left + side]


def _last(found: Sequence[tuple[float, str, Tensor]]) -> Tensor:
    return found[-1][2]


@method(
    "stylebank",
    "a network with a bank of filters for each style, which more can join",
    Paper(
        "Chen, Yuan, Liao, Yu, Hua",
        "StyleBank: An Explicit Representation for Neural Image Style Transfer",
        "CVPR",
        2017,
        "https://arxiv.org/abs/1703.09210",
    ),
    family="multi_style",
    abilities=Ability.STYLIZE
    | Ability.BLEND
    | Ability.MASKS
    | Ability.TRAIN
    | Ability.EXPORT
    | Ability.INSPECT,
)
class StyleBank(ManyStyles):
    """Encoder, filter banks, decoder."""

    Config = StyleBankConfig
    config: StyleBankConfig
    module: StyleBankNet
    adjustable = ("upsampling",)
    # Of a loss of 12, a bank leaves 4.6 after 40 steps at 1e-3, 4.0 at 4e-3, 3.8 at 16e-3.
    adding: ClassVar[Mapping[str, Any]] = {"steps": 400, "learning_rate": 1e-2}

    @classmethod
    def network(cls, config: StyleBankConfig) -> StyleBankNet:
        """Encoder, as many banks as there are styles, decoder."""
        return config.network()

    @classmethod
    def task(cls, config: StyleBankConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """The two branches, and a painting for each picture of a batch that is painted."""
        return StyleBankTask(cls.fitting(config, styles), styles, runtime)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """From a model of this method, or from a network of one style, as johnson's.

        Johnson's encoder and decoder are taken over; its residual blocks have no place here.
        """
        assert isinstance(module, Branches)
        if other.method == cls.name:
            super().start(module.network, other)
        else:
            module.network.take_over(cls.donor(other))

    def addition(self, config: StyleBankConfig, style: Tensor) -> Task:
        """The paper's incremental learning: a bank learns, and all else stays as it is."""
        return ManyStylesTask(config, [style], self.runtime, NewBank(self.module))

    def joined(self, module: nn.Module) -> nn.Module:
        """The network with the new bank behind the old."""
        assert isinstance(module, NewBank)
        self.expect(module.network)
        return module.joined()

    @torch.inference_mode()
    def inspect(
        self, style: Style, photo: Tensor, *, callback: Callback = silent
    ) -> Sequence[tuple[str, Tensor]]:
        """The style elements: what each filter paints where it responds most.

        After the paper's visualisation: the features go through one filter alone, and the decoder
        paints what comes out. On grey, stretched to the whole range of colours; the names tell how
        far.
        """
        weights, shares = self.weights_of(style)
        blend = (shares @ weights)[None].to(self.runtime.device)  # (1, N)
        x = pad_to(photo.to(self.runtime.device), self.multiple)
        found, count = [], self.module.bank.kernels.shape[2]
        reduced = self.runtime.dtype is not torch.float32
        with torch.autocast(self.runtime.device.type, self.runtime.dtype, enabled=reduced):
            for index, (response, added) in enumerate(self.module.elements(x, blend), 1):
                element = around(added, response).cpu()
                gain = min(_STRETCH, 0.5 / max(_TINY, float(element.abs().max())))
                found.append((gain, f"{index}  x{gain:.1f}", 0.5 + gain * element))
                watch = Progress(index, count, stage="filters", preview=partial(_last, found))
                callback(watch)
                if watch.cancelled:
                    break
        found.sort(key=lambda one: one[0])
        return [(name, element) for _, name, element in found]

    def model(self, module: nn.Module, styles: Sequence[str], card: Mapping[str, Any]) -> Model:
        """A trained module as a model, without what only its training needs."""
        network = module.network if isinstance(module, Branches) else module
        return super().model(network, styles, card)
