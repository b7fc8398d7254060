"""Style transfer with StyleBank: a bank of filters for each style in a shared auto-encoder.

Chen et al., "StyleBank: An Explicit Representation for Neural Image Style Transfer", CVPR 2017.
"""

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
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style
from impasto.models.checkpoint import Model
from impasto.nn.stylebank import NewBank, StyleBankNet
from impasto.training.task import Task

ELEMENT = 64  # pixels: about twice the receptive field of a filter and the decoder behind it

_STRETCH = 8.0  # largest factor on the colours that a filter adds
_TINY = 1e-24


def around(picture: Tensor, response: Tensor, side: int = ELEMENT) -> Tensor:
    """Crop the square of an image around the position of the strongest response.

    Args:
        picture: Image (1, 3, H, W).
        response: (h, w), a map over the same image at another resolution.
        side: Side of the square in pixels; less where the image is smaller.

    Returns:
        (1, 3, side, side).
    """
    index, corner = int(response.argmax()), []
    position = (index // response.shape[1], index % response.shape[1])
    for at, size, full in zip(position, response.shape, picture.shape[-2:], strict=True):
        middle = round((at + 0.5) * full / size)
        corner.append(max(0, min(middle - side // 2, full - side)))
    top, left = corner
    return picture[..., top : top + side, left : left + side]


def _last(found: Sequence[tuple[float, str, Tensor]]) -> Tensor:
    return found[-1][2]


@register_method(
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
    """A network of an encoder, a filter bank for each style, and a decoder."""

    Config = StyleBankConfig
    config: StyleBankConfig
    module: StyleBankNet
    adjustable = ("upsampling",)
    # 40 steps that train a bank alone lower the loss from 12 to 4.6 at a learning rate of 1e-3, to
    # 4.0 at 4e-3, and to 3.8 at 16e-3.
    addition_settings: ClassVar[Mapping[str, Any]] = {"steps": 400, "learning_rate": 1e-2}

    @classmethod
    def network(cls, config: StyleBankConfig) -> StyleBankNet:
        """Return the network: encoder, a bank for each style, decoder."""
        return config.network()

    @classmethod
    def task(cls, config: StyleBankConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """Return the training task, which alternates between the paper's two branches."""
        return StyleBankTask(cls.fitting(config, styles), styles, runtime)

    @classmethod
    def start(cls, module: nn.Module, other: Model) -> None:
        """Initialise from a model of this method, or of johnson.

        Johnson's first and last convolutions become encoder and decoder; its residual blocks are
        not used.
        """
        assert isinstance(module, Branches)
        if other.method == cls.name:
            super().start(module.network, other)
        else:
            module.network.initialize_from(cls.donor(other))

    def addition_task(self, config: StyleBankConfig, style: Tensor) -> Task:
        """Return the task that trains one more bank: the paper's incremental learning."""
        return ManyStylesTask(config, [style], self.runtime, NewBank(self.module))

    def with_added_style(self, module: nn.Module) -> nn.Module:
        """Return the network with the added bank behind the others."""
        assert isinstance(module, NewBank)
        self.expect(module.network)
        return module.with_added_style()

    @torch.inference_mode()
    def inspect(
        self, style: Style, photo: Tensor, *, callback: Callback = silent
    ) -> Sequence[tuple[str, Tensor]]:
        """Visualise the style elements: what each filter paints where its response is strongest.

        As in the paper's visualisation, the features pass through one filter alone, and the result
        is decoded. Each element is shown on grey with its contrast amplified, at most eightfold;
        its name ends in the factor.
        """
        weights, parts = self.weights_of(style)
        blend = (parts @ weights)[None].to(self.runtime.device)  # (1, N)
        x = self.padded(photo)
        found, count = [], self.module.bank.kernels.shape[2]
        with self.runtime.autocast():
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
        """Return a model with the weights of a trained module, without its training state."""
        network = module.network if isinstance(module, Branches) else module
        return super().model(network, styles, card)
