"""Texture Networks: a small pyramid that turns noise into a texture, or a photo into a painting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.losses.diversity import entropy
from impasto.methods.graphs import Graph, Input, Side, picture, uniform
from impasto.methods.network import NetworkMethod, pad_to
from impasto.methods.registry import method
from impasto.methods.sample_task import SampleTask
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style
from impasto.methods.style_size import StyleSizeConfig
from impasto.nn.texture_net import (
    CHANNELS,
    FlatPyramid,
    Noise,
    PyramidNet,
    draw_noise,
    multiple_of,
)
from impasto.training.shift import alike, with_shift
from impasto.training.task import Batch, Task

KINDS = ("texture", "stylize")


@dataclass(frozen=True, kw_only=True)
class TextureNetConfig(StyleSizeConfig):
    """Hyperparameters of the network and of its loss.

    Attributes:
        kind: ``texture`` makes pictures of noise, ``stylize`` of photos.
        scales: K, of the pyramid; None is the paper's: 5 for textures, 6 for stylization.
        channels: That each scale adds.
        noise: Channels of noise at each scale; 0 is possible for stylization only.
        norm: ``instance`` or ``batch``.
        leak: Slope of the ReLU below 0.
        encoder_padding: Of the encoder.
        diversity: λ of the entropy of the textures, see :func:`entropy`; 0 leaves it out, and above
            0 batches must have two pictures or more.
        size: Side of the textures that training looks at, in pixels.
    """

    kind: str = "texture"
    scales: int | None = None  # v1, section 4.2
    channels: int = CHANNELS  # v1, section 4.2
    noise: int = 3  # v1, section 4.2
    norm: str = "instance"  # v2, section 3
    leak: float = 0.0  # v2's code
    flavor: str = "normalised"  # all channels count alike
    encoder_padding: str = "reflect"  # zeros beyond the edges would be learned as part of a texture
    content_layer: str = "relu4_2"  # both versions
    style_weight: float = 10.0
    diversity: float = 0.0  # 0.3 left the style loss of bricks alone, 1 doubled it
    size: int = 128  # half of the papers' 256: a quarter of the time
    style_size: int = 256  # both versions

    def __post_init__(self) -> None:
        """Raise for what makes no network and no loss."""
        super().__post_init__()
        if self.kind not in KINDS:
            raise InputError(f"unknown kind {self.kind!r}: choose {', '.join(KINDS)}")
        least = 1 if self.kind == "texture" else 0  # a texture is made of nothing else
        if self.noise < least:
            raise InputError(f"noise is {self.noise}: it must be {least} or more")
        if self.scales is not None and self.scales < 1:
            raise InputError(f"scales is {self.scales}: it must be 1 or more")
        if self.diversity < 0:
            raise InputError(f"diversity is {self.diversity}: it must not be negative")
        if self.diversity and self.kind != "texture":
            raise InputError("diversity is asked of textures: set it to 0 for kind=stylize")
        if self.kind == "texture" and (self.size < 1 or self.size % multiple_of(self.depth)):
            raise InputError(
                f"size is {self.size}: with {self.depth} scales it must be a multiple of "
                f"{multiple_of(self.depth)}"
            )

    @property
    def depth(self) -> int:
        """K."""
        return self.scales or (5 if self.kind == "texture" else 6)

    @classmethod
    def paper(cls) -> TextureNetConfig:
        """Version 1, with the weights of its code, for the paper states none."""
        layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")  # section 4.1
        return cls(
            norm="batch",
            leak=0.01,
            flavor="caffe",
            encoder_padding="zeros",
            content_weight=0.6,
            style_layers=layers,
            style_weight=len(layers) * 1e3,  # 1e3 a layer
            losses="gram(normalization=chw)",
            relative=False,
            size=256,
            style_side="long",  # image.scale with a number
        )

    @classmethod
    def authors(cls) -> TextureNetConfig:
        """Version 2's code, for stylization."""
        return cls(
            kind="stylize",
            noise=0,
            flavor="caffe",
            encoder_padding="zeros",
            style_weight=4 * 1.0,  # 1 a layer
            losses="gram(normalization=chw)",
            relative=False,
            size=256,
            style_side="long",  # image.scale with a number
        )


class TextureNetTask(SampleTask):
    """The style of the sample from noise; for stylization also the content of photos."""

    def __init__(self, config: TextureNetConfig, style: Tensor, runtime: Runtime) -> None:
        self.config = config
        self.module = TextureNet.network(config)
        self.sources = ("content",) if config.kind == "stylize" else ()
        self.device = runtime.device
        sample = config.resized(style).to(self.device)
        encoder = config.loss_encoder(runtime, padding=config.encoder_padding)
        self.style = config.style_objective(encoder, sample)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Style of the sample; content of the photos, or the textures' diversity."""
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
        painted = module([alike(batch, one) for one in noise], photos)
        losses = self.config.objective(self.style, photos)(painted)
        return with_shift(losses, painted, batch)

    def sample(self, module: nn.Module) -> Tensor | None:
        """Return two textures of noises that stay the same; or a photo and what becomes of it."""
        if self.config.kind == "stylize":
            return super().sample(module)
        both: Tensor = module(self._noise(2, (self.config.size,) * 2, seed=0))
        return torch.cat([*both.split(1)], dim=-1)  # (1, 3, S, 2*S)

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return a photo of the first batch, and what the network makes of it and a fixed noise."""
        return [
            *first,
            module(self._noise(1, first[0].shape[-2:], seed=0), *first),
        ]

    def _noise(self, batch: int, size: Sequence[int], seed: int | None = None) -> Noise:
        kept = self.config
        chance = None if seed is None else torch.Generator().manual_seed(seed)
        return draw_noise(kept.depth, kept.noise, batch, size, generator=chance, device=self.device)


@method(
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
    """The pyramid of version 1 with the norms of either version."""

    Config = TextureNetConfig
    config: TextureNetConfig
    module: PyramidNet
    multiple = 32  # six scales, the most that the papers have

    def __init__(self, config: Any = None, runtime: Runtime | None = None) -> None:
        super().__init__(config, runtime)
        self.kind = "texture" if self.config.kind == "texture" else "style"

    @classmethod
    def network(cls, config: TextureNetConfig) -> PyramidNet:
        """The generator of section 4.2; it wraps around for textures, so that they tile."""
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
        """The losses of section 4.1 with one sample."""
        if len(styles) != 1:
            raise InputError(f"texture-net learns one style, not {len(styles)}: give one `style`")
        return TextureNetTask(config, styles[0], runtime)

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Make (1, 3, height, width) of the texture in one pass.

        It tiles without a seam if both sides are multiples of 2^(K-1), 16 for five scales; other
        sizes are cut out of the next larger one.
        """
        style.expect(self.name)
        if self.config.kind != "texture":
            raise InputError("this texture-net stylizes photos: train one with kind=texture")
        unit = self.module.multiple
        size = (-(-height // unit) * unit, -(-width // unit) * unit)
        return self.done(self._paint(size, seed)[..., :height, :width], callback)

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """One pass through the network; the seed is that of its noise."""
        style.expect(self.name)
        if self.config.kind != "stylize":
            raise InputError("this texture-net makes textures: train one with kind=stylize")
        height, width = content.shape[-2:]
        photo = pad_to(content.to(self.runtime.device), self.module.multiple)
        painted = self._paint(photo.shape[-2:], seed, photo)
        return self.done(painted[..., :height, :width], callback)

    @torch.inference_mode()
    def _paint(self, size: Sequence[int], seed: int, photo: Tensor | None = None) -> Tensor:
        config, device, dtype = self.config, self.runtime.device, self.runtime.dtype
        chance = torch.Generator().manual_seed(seed)
        noise = draw_noise(config.depth, config.noise, 1, size, generator=chance, device=device)
        with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
            painted: Tensor = self.module(noise, photo)
        return painted.float().clamp(0, 1)

    def graphs(self) -> Sequence[Graph]:
        """The pyramid, with a noise for each scale."""
        scales, channels = self.config.depth, self.config.noise
        stylizes = self.config.kind == "stylize"
        inputs = [picture("content", self.module.multiple)] if stylizes else []
        for scale in range(scales if channels else 0):
            # the coarsest has one position for each unit of the picture
            sides = (Side(axis, 1 << scale) for axis in ("h", "w"))
            inputs.append(Input(f"noise{scale}", (1, channels, *sides), uniform))
        told = {"multiple": self.module.multiple, "noise": [scales, channels]}
        return (Graph(FlatPyramid(self.module, photo=stylizes), tuple(inputs), facts=told),)
