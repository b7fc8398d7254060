"""A method whose network was exported: the same verbs, run by ONNX Runtime instead of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.core.device import PRECISIONS, Runtime
from impasto.core.progress import Callback, silent
from impasto.errors import InputError, WeightsError
from impasto.image import Image
from impasto.image.color_transfer import match_histogram
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.network import NetworkMethod, pad_to
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import onnx_file
from impasto.nn.texture_net import draw_noise
from impasto.nn.tiled_upscaling import in_tiles

_VERBS = {"texture": Ability.SYNTHESIZE, "upscale": Ability.UPSCALE}


@dataclass(frozen=True, kw_only=True)
class ExportedConfig:
    """What may still change.

    Attributes:
        alpha: 1 is the full style, 0 the photo; for graphs that take it.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no picture."""
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}: it must be 0 to 1")


class Exported(Method):
    """The graph in an ONNX file of this package, see docs/onnx.md; it stands in no table.

    Args:
        path: Of the file that paints.
        settings: Numbers to change, by name.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``auto`` or ``float32``.

    Raises:
        InputError: A setting, the device or the precision is not to be had.
        MissingExtraError: The libraries for ONNX files are not installed.
        WeightsError: The file is missing, damaged, or takes what this version does not know.
    """

    Config = ExportedConfig
    config: ExportedConfig
    dithers = True
    stroke_size = 512

    def __init__(
        self,
        path: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        if precision not in PRECISIONS[:2]:
            raise InputError(f"{path.name} runs in float32: leave `precision` out")
        self.facts = onnx_file.facts(path)
        if settings and ("alpha" not in self.facts or set(settings) - {"alpha"}):
            free = "alpha" if "alpha" in self.facts else "none of its numbers"
            raise InputError(f"{path.name} was exported with its numbers: change {free}")
        numbers = ExportedConfig(alpha=self.facts.get("alpha", 1.0))
        cpu = Runtime(torch.device("cpu"), torch.float32)  # where pictures wait for the graph
        super().__init__(method_config.change(numbers, settings or {}), cpu)
        self.name = path.name
        self.default_size = self.facts.get("default_size")
        self._path, self._device = path, device
        self._graph = onnx_file.session(path, device)
        self._inputs = [one.name for one in self._graph.get_inputs()]
        self.abilities = _VERBS.get(self.facts["kind"], Ability.STYLIZE)
        if "weights" in self._inputs or "embedding" in self._inputs:
            self.abilities |= Ability.BLEND
        self._encoder: Any = None
        if "predictor" in self.facts:
            self._encoder = onnx_file.session(path.with_name(self.facts["predictor"]), device)

    def own_style(self, index: int = 0) -> Style:
        """The style at this place."""
        return Style(self.name, (Part({"index": torch.tensor(index)}),))

    def encode(self, picture: Tensor) -> Style:
        """What the graph takes of a painting: itself, or what the predictor makes of it.

        Raises:
            InputError: The graph paints what was learned before.
        """
        if self._encoder is None and "style" not in self._inputs:
            raise InputError(f"{self.name} paints what it has learned: name it as the style")
        least = self.facts["style_smallest"]
        height, width = (max(side, least) for side in picture.shape[-2:])
        enlarged = Image(picture.cpu()).resized(height, width).rgb
        if self._encoder is None:
            return Style(self.name, (Part({"style": enlarged}),))
        return Style(self.name, (Part({"embedding": _run(self._encoder, {"style": enlarged})}),))

    def stylize(
        self,
        content: Tensor,
        style: Style,
        *,
        regions: Sequence[Tensor] = (),
        seed: int = 0,
        callback: Callback = silent,
    ) -> Tensor:
        """One run of the graph."""
        kept = self._kept(style.expect(self.name), content)
        return NetworkMethod.done(self._paint(content, kept, seed), callback)

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """One run of the graph; see the method's own."""
        style.expect(self.name)
        multiple = self.facts["multiple"]
        sides = (max(2, -(-side // multiple)) * multiple for side in (height, width))
        painted = _run(self._graph, self._feeds(tuple(sides), {}, seed))
        return NetworkMethod.done(painted[..., :height, :width], callback)

    def upscale(self, picture: Tensor, *, callback: Callback = silent) -> Tensor:
        """A larger picture, in tiles; cancelling leaves the other tiles bicubic."""
        large = in_tiles(
            picture,
            lambda window: self._paint(window, {}, 0),
            factor=self.facts["factor"],
            step=self.facts["tile"],
            reach=self.facts["reach"],
            callback=callback,
        )
        return match_histogram(large, picture.float()) if self.facts["match_histogram"] else large

    def _kept(self, style: Style, content: Tensor) -> dict[str, Tensor]:
        """What a style gives to the graph, by the names of its inputs."""
        shares = style.shares()  # (P,)
        kept: dict[str, Tensor] = {}
        if "weights" in self._inputs:
            places = torch.stack([part.tensors["index"] for part in style])  # (P,)
            weights = torch.zeros(1, len(self.facts["styles"]))
            kept["weights"] = weights.index_add(1, places, shares[None])
        if "style" in self._inputs:
            (part,) = style
            kept["style"] = part.tensors["style"]
        if "alpha" in self._inputs:
            kept["alpha"] = torch.tensor([self.config.alpha])
        if "embedding" in self._inputs:
            rows = torch.cat([part.tensors["embedding"] for part in style])  # (P, E)
            kept["embedding"] = shares[None] @ rows
            if self.config.alpha < 1:
                (own,) = self.encode(content)
                kept["embedding"] = torch.lerp(
                    own.tensors["embedding"], kept["embedding"], self.config.alpha
                )
        return kept

    def _paint(self, content: Tensor, kept: Mapping[str, Tensor], seed: int) -> Tensor:
        """A picture (1, 3, H, W) of any size through the graph."""
        height, width = (side * self.facts["factor"] for side in content.shape[-2:])
        photo = pad_to(content.cpu().float(), self.facts["multiple"], self.facts["smallest"])
        feeds = self._feeds(photo.shape[-2:], {"content": photo, **kept}, seed)
        return _run(self._graph, feeds)[..., :height, :width]

    def _feeds(
        self, size: Sequence[int], kept: Mapping[str, Tensor], seed: int
    ) -> dict[str, Tensor]:
        """Everything that the graph takes, for a picture of a size."""
        feeds = dict(kept)
        if "noise" in self.facts:
            chance = torch.Generator().manual_seed(seed)
            scales, channels = self.facts["noise"]
            noise = draw_noise(scales, channels, 1, size, generator=chance)
            feeds |= {f"noise{scale}": one for scale, one in enumerate(noise)}
        if set(feeds) != set(self._inputs):
            strange = ", ".join(sorted(set(self._inputs) - set(feeds)))
            raise WeightsError(f"{self.name} takes {strange}, which this version does not know")
        return feeds


def _run(graph: Any, feeds: Mapping[str, Tensor]) -> Tensor:
    """The only output of a graph."""
    arrays = {name: np.ascontiguousarray(one.numpy()) for name, one in feeds.items()}
    (found,) = graph.run(None, arrays)
    return torch.from_numpy(found)
