"""Chen et al.: a bank of filters for each style, inside an auto-encoder that knows none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError
from impasto.losses.smoothness import KINDS
from impasto.methods.multi_style.base import ManyStyles, ManyStylesConfig, ManyStylesTask
from impasto.methods.network import pad_to
from impasto.methods.registry import method
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style
from impasto.models.checkpoint import Model
from impasto.nn.stylebank import NewBank, StyleBankNet
from impasto.nn.upsampling import BOTH
from impasto.training.task import Batch, Task

ELEMENT = 64  # pixels: a filter and the decoder behind it see about half as many

_STRETCH = 8.0  # at most, of the colours that a filter adds
_TINY = 1e-24


@dataclass(frozen=True, kw_only=True)
class StyleBankConfig(ManyStylesConfig):
    """Numbers of the network, of its loss, and of the balance of its two branches.

    Attributes:
        kernel: Side of the filters: 1, 3, 5 or 7; larger ones hold larger strokes.
        layers: Convolutions of a bank, one after the other.
        upsampling: Of the decoder, see :class:`~impasto.methods.multi_style.cin.CinConfig`; the
            paper does not say.
        tv_weight: γ, of the total variation, for pixels of 0 to 1.
        tv_kind: Of the total variation, ``squared`` or ``anisotropic``, see
            :func:`~impasto.losses.smoothness.total_variation`.
        stylizing: T, steps of the stylizing branch before each one of the auto-encoder's.
        balance: λ, how much the auto-encoder's gradient counts beside the stylizing one.
    """

    kernel: int = 3
    layers: int = 1
    upsampling: str = BOTH  # less of a weave in plain parts
    tv_weight: float = 0.5  # ours: a hundredth of the loss
    tv_kind: str = "squared"
    stylizing: int = 2
    balance: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no network, or never learns to paint."""
        super().__post_init__()
        if self.layers < 1 or self.stylizing < 1:
            raise InputError("layers and stylizing must be 1 or more")
        if self.tv_kind not in KINDS:
            raise InputError(f"unknown tv_kind {self.tv_kind!r}: choose {', '.join(KINDS)}")
        if self.balance < 0:
            raise InputError(f"balance is {self.balance}: it must not be negative")

    @classmethod
    def paper(cls) -> StyleBankConfig:
        """The layers of the loss, on which all reimplementations agree; their weights of the loss.

        The authors have published no code, and the reimplementations differ in the rest.
        """
        return cls(
            encoder="vgg16",
            flavor="torchvision",
            content_layer="relu4_2",
            style_layers=("relu1_2", "relu2_2", "relu3_2", "relu4_2"),
            style_weight=4 * 1e6,  # 1e6 a layer
            tv_weight=1e-5,
            tv_kind="anisotropic",
            relative=False,
            palette_weight=0.0,
            style_size=600,  # the paper
            style_side="long",
        )


class Branches(nn.Module):
    """A network in training, and how strong the gradient of its stylizing branch was.

    Args:
        network: What learns.

    Attributes:
        strength: ‖∇K‖², the squared norm of the last stylizing step's gradient for encoder and
            decoder. A buffer, so that a run that was broken off goes on with it.
    """

    strength: Tensor

    def __init__(self, network: StyleBankNet) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("strength", torch.zeros(()))
        self._stylizing = False
        for weight in self.shared():
            weight.register_post_accumulate_grad_hook(self._measure)

    def shared(self) -> list[nn.Parameter]:
        """The weights of encoder and decoder, which both branches teach."""
        banks = set(self.network.bank.parameters())
        return [weight for weight in self.network.parameters() if weight not in banks]

    def forward(self, image: Tensor, weights: Tensor | None = None) -> Tensor:
        """See :meth:`~impasto.nn.stylebank.StyleBankNet.forward`."""
        if torch.is_grad_enabled():
            self._stylizing = weights is not None
            if self._stylizing:
                self.strength.zero_()  # the backward pass to come adds it up
        painted: Tensor = self.network(image, weights)
        return painted

    def _measure(self, weight: Tensor) -> None:
        if self._stylizing and weight.grad is not None:
            self.strength += weight.grad.square().sum()


class StyleBankTask(ManyStylesTask):
    """Two branches in turn: T steps of painting, then one of giving the photo back.

    Banks learn from the first branch alone, encoder and decoder from both; so what a picture shows
    goes through encoder and decoder, and what a style looks like has to lie in its bank.

    Args:
        config: Of the method, with as many styles as there are paintings.
        styles: The paintings, (1, 3, H, W) each.
        runtime: Where the loss's network runs.
    """

    module: Branches

    def __init__(self, config: StyleBankConfig, styles: Sequence[Tensor], runtime: Runtime) -> None:
        module = Branches(StyleBank.network(config))
        super().__init__(config, styles, runtime, module, config.tv_weight, config.tv_kind)
        self.config = config

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """The loss of the step's branch, the auto-encoder's scaled to the other's strength."""
        if not gives_back(batch.step, self.config.stylizing):
            return super().loss(module, batch)
        photos = batch["content"]
        pixel = F.mse_loss(module(photos), photos)
        gradients = torch.autograd.grad(pixel, self.module.shared(), retain_graph=True)
        own = torch.stack([gradient.square().sum() for gradient in gradients]).sum()  # ‖∇I‖²
        factor = _of_main(balanced(self.config.balance, self.module.strength, own))
        return {"total": factor * pixel + _nothing(self.module.network.bank), "pixel": pixel}


def gives_back(step: int, stylizing: int) -> bool:
    """Whether a step, counted from 0, is one of the auto-encoder: the last of every T + 1.

    Example:
        >>> [gives_back(step, 2) for step in range(6)]
        [False, False, True, False, False, True]
    """
    return step % (stylizing + 1) == stylizing


def balanced(balance: float, stylizing: Tensor, own: Tensor) -> Tensor:
    """λ ‖∇K‖ / ‖∇I‖: what makes one branch's gradient λ times as strong as the other's.

    Args:
        balance: λ.
        stylizing: ‖∇K‖², a scalar.
        own: ‖∇I‖², a scalar.

    Example:
        >>> balanced(0.5, torch.tensor(16.0), torch.tensor(4.0))
        tensor(1.)
    """
    return balance * (stylizing / own.clamp_min(_TINY)).sqrt()


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


def _of_main(value: Tensor) -> Tensor:
    """A value as the first of several processes has it, which is the one that is kept."""
    if _several():
        torch.distributed.broadcast(value, 0)
    return value


def _nothing(bank: nn.Module) -> Tensor | float:
    """0; of several processes, each waits for a gradient of every weight."""
    return sum((0.0 * weight.sum() for weight in bank.parameters()), 0.0) if _several() else 0.0


def _several() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


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
        return StyleBankNet(
            config.styles,
            config.width,
            config.kernel,
            config.layers,
            upsampling=config.upsampling,
        )

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
        module = NewBank(self.module)
        tv = (config.tv_weight, config.tv_kind)
        return ManyStylesTask(config, [style], self.runtime, module, *tv)

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
