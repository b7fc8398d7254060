"""What all networks of many styles share: numbers of the loss, styles drawn by lot, blends."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.losses.objective import Objective
from impasto.losses.palette import Palette, palette_of, with_palette
from impasto.methods.graphs import Graph, Input, picture, shares
from impasto.methods.network import NetworkMethod, network_of, pad_to
from impasto.methods.sample_task import SampleTask
from impasto.methods.style import Part, Style
from impasto.methods.style_size import StyleSizeConfig
from impasto.models.checkpoint import Model
from impasto.nn.johnson import TransformNet
from impasto.nn.regions import region_maps
from impasto.training.shift import alike, with_shift
from impasto.training.task import Batch

_SHOWN = 4  # styles of a sample picture

C = TypeVar("C", bound="ManyStylesConfig")


@dataclass(frozen=True, kw_only=True)
class ManyStylesConfig(StyleSizeConfig):
    """Hyperparameters of the loss, and how many styles there are.

    Attributes:
        styles: How many the network has; training sets this to the number of paintings.
        width: Channels of the first convolution; 32, less for speed.
        palette_weight: Of colours that the painting does not have, see
            :func:`impasto.losses.palette.palette_loss`.
    """

    styles: int = 1
    width: int = 32  # of cin's paper, the appendix
    palette_weight: float = 200.0  # ours: at 30 two styles of sixteen kept white spots

    def __post_init__(self) -> None:
        """Raise for what makes no network and no loss."""
        super().__post_init__()
        if min(self.styles, self.width) < 1:
            raise InputError("styles and width must be 1 or more")


class ManyStylesTask(SampleTask):
    """Each photo of a batch gets a style by lot, and is held against that one.

    Args:
        config: Of the method.
        styles: The paintings, (1, 3, H, W) each.
        runtime: Where the loss's network runs.
        module: What learns; takes pictures, and weights (B, N) for as many styles as there are
            paintings.
    """

    sources = ("content",)

    def __init__(
        self,
        config: ManyStylesConfig,
        styles: Sequence[Tensor],
        runtime: Runtime,
        module: nn.Module,
    ) -> None:
        self.config, self.module = config, module
        paintings = [config.resized(style).to(runtime.device) for style in styles]
        encoder = config.loss_encoder(runtime)
        self.styles = Objective.stack([config.style_objective(encoder, one) for one in paintings])
        ranges = [palette_of(style) for style in paintings]
        self.palette = Palette(*(torch.cat(bounds) for bounds in zip(*ranges, strict=True)))
        self.count = len(styles)

    def loss(self, module: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Content of the batch, and of every picture the style that it drew."""
        photos = batch["content"]
        self.remember(photos)
        drawn = alike(batch, torch.randint(self.count, (len(photos),))).to(photos.device)  # (B,)
        painted = module(photos, F.one_hot(drawn, self.count).float())
        objective = self.config.objective(self.styles, photos, drawn)
        losses = with_shift(objective(painted), painted, batch)
        palette = Palette(*(bound[drawn] for bound in self.palette))  # (B, 3) each
        return with_palette(losses, painted, palette, self.config.palette_weight)

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return a photo of the first batch, and what it becomes in the first styles."""
        weights = torch.eye(self.count, device=first[0].device)[:_SHOWN]  # (up to 4, N)
        painted: Tensor = module(first[0].expand(len(weights), -1, -1, -1), weights)
        return [*first, *painted.split(1)]


class ManyStyles(NetworkMethod):
    """A network that has learned several styles, each at a place of its own.

    Its ``forward`` takes pictures and weights of the styles: (B, N), or with regions (1, P, H, W)
    of a single picture (P, N).
    """

    config: Any  # a ManyStylesConfig, as each method has its own

    @classmethod
    def donor(cls, other: Model) -> TransformNet:
        """The network of one style in another method's model, to start from.

        Raises:
            InputError: It holds none.
        """
        donor = network_of(other)
        if not isinstance(donor, TransformNet):
            raise InputError(f"a model of {other.method}, not of {cls.name} or johnson")
        return donor

    @classmethod
    def fitting(cls, config: C, styles: Sequence[Tensor]) -> C:
        """A config for as many styles as there are paintings.

        Raises:
            InputError: There are none.
        """
        if not styles:
            raise InputError(f"{cls.name} learns paintings: give a `style` for each")
        return dataclasses.replace(config, styles=len(styles))

    def expect(self, network: nn.Module) -> None:
        """Make sure that a network which was copied from this method's own is still the same.

        Raises:
            InputError: It is not: the addition to it was begun with another model.
        """
        old = network.state_dict()
        if not all(torch.equal(old[k].cpu(), v.cpu()) for k, v in self.module.state_dict().items()):
            raise InputError(
                "the checkpoint belongs to another model: begin anew with `resume=False`"
            )

    def model(self, module: nn.Module, styles: Sequence[str], card: Mapping[str, Any]) -> Model:
        """A trained module as a model, whose config knows the number of its styles."""
        made = super().model(module, styles, card)
        return dataclasses.replace(made, config={**made.config, "styles": len(styles)})

    def encode(self, picture: Tensor) -> Style:
        """Refuse: the network paints the styles that it has learned."""
        raise InputError(
            f"{self.name} paints what it has learned: teach it with 'impasto add-style'"
        )

    def own_style(self, index: int = 0) -> Style:
        """The style at this place."""
        return Style(self.name, (Part({"index": torch.tensor(index)}),))

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """One pass: a blend is a sum of what was learned, and each region has one of its own."""
        style.expect(self.name)
        weights, shares = self.weights_of(style)  # (P, N), (P)
        if not regions:
            blend = (shares @ weights)[None]  # (1, N)
            return self.done(self.run(content, blend), callback)
        maps = pad_to(region_maps(shares, regions, content.shape[-2:]), self.multiple)
        return self.done(self.run(content, weights, maps), callback)

    def graphs(self) -> Sequence[Graph]:
        """The network, with the weights of its styles as an input; regions are left out."""
        weights = Input("weights", (1, self.config.styles), shares)
        return (Graph(self.module, (picture("content", self.multiple), weights)),)

    def weights_of(self, style: Style) -> tuple[Tensor, Tensor]:
        """The weights of the styles in each part of a blend, (P, N), and the parts' shares, (P)."""
        shares = style.shares()
        rows = torch.stack([part.tensors["index"].cpu() for part in style])  # (P,)
        count = self.config.styles
        if int(rows.max()) >= count:
            raise InputError(f"this model has {count} styles: there is no {int(rows.max()) + 1}th")
        return F.one_hot(rows, count).float(), shares
