"""The training of StyleBank: two branches in turn, with balanced gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import check_range
from impasto.losses.content import content_loss
from impasto.methods.multi_style.base import ManyStylesConfig, ManyStylesTask
from impasto.nn.stylebank import StyleBankNet
from impasto.nn.upsampling import BOTH
from impasto.training.task import Batch

_TINY = 1e-24


@dataclass(frozen=True, kw_only=True)
class StyleBankConfig(ManyStylesConfig):
    """Hyperparameters of the network, of its loss, and of the balance of its two branches.

    Attributes:
        kernel: Side of the filters: 1, 3, 5 or 7; larger ones make larger strokes.
        layers: Number of successive convolutions of a bank.
        upsampling: Of the decoder, see :class:`~impasto.methods.multi_style.cin.CinConfig`; the
            paper does not state it.
        stylizing: T, number of steps of the stylizing branch before each step of the auto-encoding
            branch.
        balance: λ, norm of the auto-encoding branch's gradient relative to the stylizing one's.
    """

    kernel: int = 3
    layers: int = 1
    upsampling: str = BOTH  # weaker grid pattern in flat areas
    tv_weight: float = 0.5  # ours: a hundredth of the loss
    stylizing: int = 2
    balance: float = 1.0

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(1, layers=self.layers, stylizing=self.stylizing)
        check_range(0, balance=self.balance)

    @classmethod
    def paper(cls) -> StyleBankConfig:
        """Return the loss of the paper, with the layers and weights of its reimplementations.

        The authors have published no code; the reimplementations agree on these values.
        """
        return cls(
            encoder="vgg16",
            flavor="torchvision",
            content_layer="relu4_2",
            style_layers=("relu1_2", "relu2_2", "relu3_2", "relu4_2"),
            style_weight=4 * 1e6,  # 1e6 for each layer
            tv_weight=1e-5,
            tv_kind="anisotropic",
            losses="gram(normalization=chw)",
            relative=False,
            palette_weight=0.0,
            style_size=600,  # the paper
            style_side="long",
        )

    def network(self) -> StyleBankNet:
        """Return the network, with newly initialised weights."""
        return StyleBankNet(
            self.styles,
            self.width,
            self.kernel,
            self.layers,
            upsampling=self.upsampling,
        )


class Branches(nn.Module):
    """A network in training, with the norm of the last gradient of its stylizing branch.

    Args:
        network: The network to train.

    Attributes:
        strength: ‖∇K‖², the squared norm of the last stylizing step's gradient for encoder and
            decoder. It is a buffer, so that checkpoints contain it.
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
        """Return the weights of encoder and decoder, which both branches train."""
        banks = set(self.network.bank.parameters())
        return [weight for weight in self.network.parameters() if weight not in banks]

    def forward(self, image: Tensor, weights: Tensor | None = None) -> Tensor:
        """Run the network, see :meth:`~impasto.nn.stylebank.StyleBankNet.forward`."""
        if torch.is_grad_enabled():
            self._stylizing = weights is not None
            if self._stylizing:
                self.strength.zero_()  # the next backward pass accumulates it
        painted: Tensor = self.network(image, weights)
        return painted

    def _measure(self, weight: Tensor) -> None:
        if self._stylizing and weight.grad is not None:
            self.strength += weight.grad.square().sum()


class StyleBankTask(ManyStylesTask):
    """The training task: T steps of stylization, then one step of the auto-encoder, in turn.

    Stylization trains the whole network; the auto-encoding branch trains encoder and decoder alone,
    to reconstruct the content image without a bank. So the banks have to hold the styles.

    Args:
        config: Of the method, with the number of styles set to that of the style images.
        styles: Style images, (1, 3, H, W) each.
        runtime: Device and number format of the encoder in the loss.
    """

    config: StyleBankConfig
    module: Branches

    def __init__(self, config: StyleBankConfig, styles: Sequence[Tensor], runtime: Runtime) -> None:
        super().__init__(config, styles, runtime, Branches(config.network()))

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the loss of the step's branch; that of the auto-encoder is scaled by a factor.

        The factor is that of :func:`balanced_scale`.
        """
        if not is_autoencoder_step(batch.step, self.config.stylizing):
            return super().loss(module, batch)
        photos = batch["content"]
        pixel = content_loss(module(photos), photos)
        gradients = torch.autograd.grad(pixel, self.module.shared(), retain_graph=True)
        own = torch.stack([gradient.square().sum() for gradient in gradients]).sum()  # ‖∇I‖²
        factor = _from_main_process(balanced_scale(self.config.balance, self.module.strength, own))
        return {"total": factor * pixel + _zero_loss(self.module.network.bank), "pixel": pixel}


def is_autoencoder_step(step: int, stylizing: int) -> bool:
    """Check whether a step is one of the auto-encoder: the last of every T + 1.

    Args:
        step: Counted from 0.
        stylizing: T.

    Example:
        >>> [is_autoencoder_step(step, 2) for step in range(6)]
        [False, False, True, False, False, True]
    """
    return step % (stylizing + 1) == stylizing


def balanced_scale(balance: float, stylizing: Tensor, own: Tensor) -> Tensor:
    """Compute λ ‖∇K‖ / ‖∇I‖, which scales the norm of one branch's gradient to λ times the other's.

    Args:
        balance: λ.
        stylizing: ‖∇K‖², a scalar.
        own: ‖∇I‖², a scalar.

    Example:
        >>> balanced_scale(0.5, torch.tensor(16.0), torch.tensor(4.0))
        tensor(1.)
    """
    return balance * (stylizing / own.clamp_min(_TINY)).sqrt()


def _from_main_process(value: Tensor) -> Tensor:
    """Return the value of the first process in all processes."""
    if _is_distributed():
        torch.distributed.broadcast(value, 0)
    return value


def _zero_loss(bank: nn.Module) -> Tensor | float:
    """Return 0; if there are several processes, with a gradient for every weight of the bank.

    Distributed training waits for a gradient of every weight.
    """
    return (
        sum((0.0 * weight.sum() for weight in bank.parameters()), 0.0) if _is_distributed() else 0.0
    )


def _is_distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
