"""Texture Networks: a feed-forward network that makes a texture from noise, or paints a style.

Version 1 is Ulyanov et al., "Texture Networks: Feed-forward Synthesis of Textures and Stylized
Images", ICML 2016; version 2 is Ulyanov et al., "Improved Texture Networks", CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError, check_choice, check_range
from impasto.losses.diversity import entropy
from impasto.methods.graphs import Graph, Input, Side, picture, uniform
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import register_method
from impasto.methods.sample_task import SampleTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style
from impasto.methods.style_size import StyleSizeConfig
from impasto.nn.norm_statistics import sharing
from impasto.nn.sizes import check_multiples, pad_to
from impasto.nn.texture_net import CHANNELS, Noise, PyramidNet, draw_noise, multiple_of
from impasto.training.shift import same_within_pairs, with_shift
from impasto.training.task import Batch, Task

KINDS = ("texture", "stylize")


@dataclass(frozen=True, kw_only=True)
class TextureNetConfig(StyleSizeConfig):
    """Hyperparameters of the network and of its loss.

    Attributes:
        kind: ``texture`` makes textures from noise, ``stylize`` paints content images.
        scales: K, number of scales of the pyramid; None is the paper's: 5 for textures, 6 for
            stylization.
        channels: Number of channels that each scale adds.
        noise: Channels of noise at each scale; 0 is possible for stylization only.
        norm: ``instance`` or ``batch``.
        leak: Slope of the ReLU below 0.
        encoder_padding: Padding of the encoder.
        diversity: λ, weight of the entropy of the textures, see
            :func:`impasto.losses.diversity.entropy`; 0 leaves it out, above 0 batches must have
            two images or more.
        size: Side of the textures in training, in pixels.
    """

    kind: str = "texture"
    scales: int | None = None  # v1, section 4.2
    channels: int = CHANNELS  # v1, section 4.2
    noise: int = 3  # v1, section 4.2
    norm: str = "instance"  # v2, section 3
    leak: float = 0.0  # v2's code
    flavor: str = "normalised"  # all channels have the same mean activation
    encoder_padding: str = "reflect"  # zero padding would show in the texture
    content_layer: str = "relu4_2"  # both versions
    style_weight: float = 10.0
    diversity: float = 0.0  # on bricks, 0.3 did not change the style loss, 1 doubled it
    size: int = 128  # half of the papers' 256, in a quarter of the time
    style_size: int = 256  # both versions

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        least = 1 if self.kind == "texture" else 0  # noise is the only input of a texture network
        check_range(least, noise=self.noise)
        check_range(1, scales=1 if self.scales is None else self.scales)
        check_range(0, diversity=self.diversity)
        if self.diversity and self.kind != "texture":
            raise InputError("diversity is asked of textures: set it to 0 for kind=stylize")
        if self.kind == "texture" and (self.size < 1 or self.size % multiple_of(self.depth)):
            raise InputError(
                f"size is {self.size}: with {self.depth} scales it must be a multiple of "
                f"{multiple_of(self.depth)}"
            )

    @property
    def depth(self) -> int:
        """Return K, the number of scales."""
        return self.scales or (5 if self.kind == "texture" else 6)

    @classmethod
    def paper(cls) -> TextureNetConfig:
        """Return the config of version 1, with the loss weights of its code: the paper has none."""
        layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")  # section 4.1
        return cls(
            norm="batch",
            leak=0.01,
            flavor="caffe",
            encoder_padding="zeros",
            content_weight=0.6,
            style_layers=layers,
            style_weight=len(layers) * 1e3,  # 1e3 for each layer
            losses="gram(normalization=chw)",
            relative=False,
            size=256,
            style_side="long",  # image.scale with a number
        )

    @classmethod
    def authors(cls) -> TextureNetConfig:
        """Return the config of version 2's code, for stylization."""
        return cls(
            kind="stylize",
            noise=0,
            flavor="caffe",
            encoder_padding="zeros",
            style_weight=4 * 1.0,  # 1 for each layer
            losses="gram(normalization=chw)",
            relative=False,
            size=256,
            style_side="long",  # image.scale with a number
        )


class TextureNetTask(SampleTask):
    """The training task: the style loss, and for stylization also the content loss.

    Args:
        config: Of the method.
        style: Style image or texture (1, 3, H, W).
        runtime: Device and number format of the encoder in the loss.
    """

    def __init__(self, config: TextureNetConfig, style: Tensor, runtime: Runtime) -> None:
        self.config = config
        self.module = TextureNet.network(config)
        self.sources = ("content",) if config.kind == "stylize" else ()
        self.device = runtime.device
        sample = config.resized(style).to(self.device)
        encoder = config.loss_encoder(runtime, padding=config.encoder_padding)
        self.style = config.style_objective(encoder, sample)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the style loss, and the content loss or the diversity term of a batch."""
        if self.config.kind == "texture":
            textures = module(self._noise(batch.size, (self.config.size,) * 2))
            losses = self.style(textures)
            if self.config.diversity > 0:
                losses["diversity"] = -self.config.diversity * entropy(textures)
                losses["total"] = losses["total"] + losses["diversity"]
            return losses
        photos = pad_to(batch["content"], multiple_of(self.config.depth))
        self.remember(photos)
        noise = self._noise(len(photos), photos.shape[-2:])
        painted = module([same_within_pairs(batch, one) for one in noise], photos)
        losses = self.config.objective(self.style, photos)(painted)
        return with_shift(losses, painted, batch)

    def sample(self, module: nn.Module) -> Tensor | None:
        """Return two textures from fixed noise, or a content image and the network's output."""
        if self.config.kind == "stylize":
            return super().sample(module)
        both: Tensor = module(self._noise(2, (self.config.size,) * 2, seed=0))
        return torch.cat([*both.split(1)], dim=-1)  # (1, 3, S, 2*S)

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return an image of the first batch, and the network's output for it and fixed noise."""
        return [*first, module(self._noise(1, first[0].shape[-2:], seed=0), *first)]

    def _noise(self, batch: int, size: Sequence[int], seed: int | None = None) -> Noise:
        own = self.config
        chance = None if seed is None else torch.Generator().manual_seed(seed)
        return draw_noise(own.depth, own.noise, batch, size, generator=chance, device=self.device)


@register_method(
    "texture-net",
    "a small network that has learned one texture, or one style",
    Paper(
        "Ulyanov, Lebedev, Vedaldi, Lempitsky",
        "Texture Networks: Feed-forward Synthesis of Textures and Stylized Images",
        "ICML",
        2016,
        "https://arxiv.org/abs/1603.03417",
    ),
    Paper(
        "Ulyanov, Vedaldi, Lempitsky",
        "Improved Texture Networks",
        "CVPR",
        2017,
        "https://arxiv.org/abs/1701.02096",
    ),
    family="per_style",
    abilities=Ability.SYNTHESIZE | Ability.STYLIZE | Ability.TRAIN | Ability.EXPORT,
)
class TextureNet(NetworkMethod):
    """A network that has learned one texture or one style."""

    Config = TextureNetConfig
    config: TextureNetConfig
    module: PyramidNet
    shifts = 1  # the noise would be averaged, too

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        self.kind = "texture" if self.config.kind == "texture" else "style"
        self.multiple = self.module.multiple

    @classmethod
    def network(cls, config: TextureNetConfig) -> PyramidNet:
        """Return the generator of section 4.2, with circular padding for textures: they tile."""
        texture = config.kind == "texture"
        return PyramidNet(
            config.depth,
            config.noise + (0 if texture else 3),
            channels=config.channels,
            norm=config.norm,
            leak=config.leak,
            padding="circular" if texture else "replicate",
        )

    @classmethod
    def task(cls, config: TextureNetConfig, styles: Sequence[Tensor], runtime: Runtime) -> Task:
        """Return the training task for one style image, with the losses of section 4.1."""
        if len(styles) != 1:
            raise InputError(f"texture-net learns one style, not {len(styles)}: give one `style`")
        return TextureNetTask(config, styles[0], runtime)

    @contextmanager
    def seamless(self, height: int, width: int) -> Iterator[None]:
        """Check that textures of a size tile; they do, unless they are cropped."""
        check_multiples(height, width, self.multiple, self.name)
        yield

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Synthesise a texture (1, 3, height, width) in one pass.

        It tiles without a seam if height and width are multiples of 2^(K-1), 16 for five scales;
        other sizes are cropped from the next larger one.

        Raises:
            InputError: The network is one for stylization.
        """
        style.expect(self.name)
        if self.config.kind != "texture":
            raise InputError("this texture-net stylizes photos: train one with kind=texture")
        size = [-(-side // self.multiple) * self.multiple for side in (height, width)]
        return self.report_done(self._paint(size, seed)[..., :height, :width], callback)

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """Paint a content image in one pass; the seed is that of the noise.

        Raises:
            InputError: The network is one for textures.
        """
        style.expect(self.name)
        if self.config.kind != "stylize":
            raise InputError("this texture-net makes textures: train one with kind=stylize")
        painted = self.fitted(lambda photo: self._paint(photo.shape[-2:], seed, photo), content)
        return self.report_done(painted, callback)

    @torch.inference_mode()
    def _paint(self, size: Sequence[int], seed: int, photo: Tensor | None = None) -> Tensor:
        config, device = self.config, self.runtime.device
        chance = torch.Generator().manual_seed(seed)
        noise = draw_noise(config.depth, config.noise, 1, size, generator=chance, device=device)
        with self.runtime.autocast(), sharing(self.module, self.statistics):
            return self._network(photo, *noise).float().clamp(0, 1)

    def _network(self, photo: Tensor | None, *noise: Tensor) -> Tensor:
        painted: Tensor = self.module(noise, photo)
        return painted

    def graphs(self) -> Sequence[Graph]:
        """Return the network's graph, with an input of noise for each scale."""
        scales, channels = self.config.depth, self.config.noise
        stylizes = self.config.kind == "stylize"
        inputs = [picture("content", self.multiple)] if stylizes else []
        for scale in range(scales if channels else 0):
            # the coarsest noise has one position for each ``multiple`` of pixels
            sides = (Side(axis, 1 << scale) for axis in ("h", "w"))
            inputs.append(Input(f"noise{scale}", (1, channels, *sides), uniform))
        metadata = {"noise": [scales, channels]}
        function = self._network if stylizes else partial(self._network, None)
        return (Graph(self.module, tuple(inputs), facts=metadata, function=function),)
