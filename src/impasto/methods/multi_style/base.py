"""Base classes of networks for many styles: config, training task with random styles, blends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.device import Runtime
from impasto.errors import InputError, check_range
from impasto.losses.objective import Objective
from impasto.losses.palette import Palette, palette_of, with_palette
from impasto.methods.graphs import Graph, Input, draw_weights, picture
from impasto.methods.network import NetworkMethod, network_class
from impasto.methods.sample_task import SampleTask
from impasto.methods.style import Part, Style
from impasto.methods.style_size import StyleSizeConfig
from impasto.models.checkpoint import Model
from impasto.nn.johnson import TransformNet
from impasto.nn.regions import region_maps
from impasto.training.shift import same_within_pairs, with_shift
from impasto.training.task import Batch

_SAMPLE_STYLES = 4  # styles of a sample image

C = TypeVar("C", bound="ManyStylesConfig")


@dataclass(frozen=True, kw_only=True)
class ManyStylesConfig(StyleSizeConfig):
    """Hyperparameters of the loss, and the number of styles.

    Attributes:
        styles: Number of styles of the network; training sets it to the number of style images.
        width: Channels of the first convolution.
        palette_weight: Weight of the loss on colours that the style image does not have, see
            :func:`impasto.losses.palette.palette_loss`.
    """

    styles: int = 1
    width: int = 32  # cin's paper, appendix
    palette_weight: float = 200.0  # ours: at 30, two styles of sixteen had white spots

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        super().__post_init__()
        check_range(1, styles=self.styles, width=self.width)


class ManyStylesTask(SampleTask):
    """The training task: each content image of a batch is painted in a style chosen at random.

    Args:
        config: Of the method.
        styles: N style images, (1, 3, H, W) each.
        runtime: Device and number format of the encoder in the loss.
        module: The network to train; takes images (B, 3, H, W) and weights of styles (B, N).
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
        """Compute content, style and palette losses of each content image and its style."""
        photos = batch["content"]
        self.remember(photos)
        drawn = same_within_pairs(batch, torch.randint(self.count, (len(photos),))).to(
            photos.device
        )  # (B,)
        painted = module(photos, F.one_hot(drawn, self.count).float())
        objective = self.config.objective(self.styles, photos, drawn)
        losses = with_shift(objective(painted), painted, batch)
        palette = Palette(*(bound[drawn] for bound in self.palette))  # (B, 3) each
        return with_palette(losses, painted, palette, self.config.palette_weight)

    def pictures(self, module: nn.Module, first: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return an image of the first batch, and the same in each of the first styles."""
        weights = torch.eye(self.count, device=first[0].device)[:_SAMPLE_STYLES]  # (up to 4, N)
        painted: Tensor = module(first[0].expand(len(weights), -1, -1, -1), weights)
        return [*first, *painted.split(1)]


class ManyStyles(NetworkMethod):
    """A network that has learned N styles, which are numbered from 0.

    Its ``forward`` takes images and the weights of the styles: (B, N), or, with regions
    (1, P, H, W) of a single image, (P, N).
    """

    config: Any  # a ManyStylesConfig, as each method has its own

    @classmethod
    def donor(cls, other: Model) -> TransformNet:
        """Return the transformation network of another method's model, to initialise from.

        Raises:
            InputError: The model has another kind of network.
        """
        donor = network_class(other.method).open(other).module
        if not isinstance(donor, TransformNet):
            raise InputError(f"a model of {other.method}, not of {cls.name} or johnson")
        return donor

    @classmethod
    def fitting(cls, config: C, styles: Sequence[Tensor]) -> C:
        """Return the config with the number of styles set to that of the style images.

        Raises:
            InputError: There are no style images.
        """
        if not styles:
            raise InputError(f"{cls.name} learns paintings: give a `style` for each")
        return dataclasses.replace(config, styles=len(styles))

    def expect(self, network: nn.Module) -> None:
        """Check that a network has the same weights as this method's own.

        Raises:
            InputError: It has other weights, since its training was started from another model.
        """
        old = network.state_dict()
        if not all(torch.equal(old[k].cpu(), v.cpu()) for k, v in self.module.state_dict().items()):
            raise InputError(
                "the checkpoint belongs to another model: start again with `resume=False`"
            )

    def model(self, module: nn.Module, styles: Sequence[str], card: Mapping[str, Any]) -> Model:
        """Return a model with the weights of a trained module and the number of its styles."""
        made = super().model(module, styles, card)
        return dataclasses.replace(made, config={**made.config, "styles": len(styles)})

    def encode(self, picture: Tensor) -> Style:
        """Raise: the styles of this network are learned in training.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"{self.name} paints what it has learned: teach it with 'impasto add-style'"
        )

    def own_style(self, index: int = 0) -> Style:
        """Return the learned style of this index."""
        return Style(self.name, (Part({"index": torch.tensor(index)}),))

    def painter(
        self, content: Tensor, style: Style, regions: Sequence[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Return the network with a blend of styles, or a style in each region."""
        weights, parts = self.weights_of(style)  # (P, N), (P,)
        if not regions:
            return self.bound((parts @ weights)[None])
        return self.bound(weights, maps=region_maps(parts, regions, content.shape[-2:]))

    def graphs(self) -> Sequence[Graph]:
        """Return the network's graph, with the weights of the styles as an input; no regions."""
        weights = Input("weights", (1, self.config.styles), draw_weights)
        return (Graph(self.module, (picture("content", self.multiple), weights)),)

    def weights_of(self, style: Style) -> tuple[Tensor, Tensor]:
        """Return the index of each part's style as a one-hot row, and the weights of the parts.

        Args:
            style: A blend of P learned styles.

        Returns:
            (P, N) and (P,).

        Raises:
            InputError: The model has no style of such an index.
        """
        parts = style.shares()
        rows = torch.stack([part.tensors["index"].cpu() for part in style])  # (P,)
        count = self.config.styles
        if int(rows.max()) >= count:
            raise InputError(f"this model has {count} styles: there is no {int(rows.max()) + 1}th")
        return F.one_hot(rows, count).float(), parts
