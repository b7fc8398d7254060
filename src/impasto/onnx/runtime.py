"""A method that runs an exported network in ONNX Runtime or OpenVINO instead of PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.core.device import Runtime, choose
from impasto.core.progress import Callback, silent
from impasto.errors import InputError, WeightsError, check_range
from impasto.image import Image
from impasto.image.color_transfer import match_histogram
from impasto.methods import config as method_config
from impasto.methods.base import Method
from impasto.methods.executor import Executor
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import onnx_file
from impasto.nn.sizes import check_multiples, pad_to
from impasto.nn.texture_net import draw_noise
from impasto.nn.tiled_upscaling import in_tiles
from impasto.onnx.engines import Engine, open_engine

_VERBS = {"texture": Ability.SYNTHESIZE, "upscale": Ability.UPSCALE}


@dataclass(frozen=True, kw_only=True)
class ExportedConfig:
    """Hyperparameters that can be changed after the export.

    Attributes:
        alpha: Strength of the style: 1 is the full style, 0 the content image; only for graphs
            with an input ``alpha``.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        """Raise :class:`InputError` if ``alpha`` is out of range."""
        check_range(0, 1, alpha=self.alpha)


class Exported(Method):
    """A method that runs an ONNX file of this package; it is not registered.

    Args:
        path: File of the graph that paints.
        settings: Hyperparameters to change, by name.
        device: ``auto`` or ``cpu``; or ``cuda`` for ONNX Runtime.
        precision: ``auto``, ``float32`` or ``bfloat16``, as for
            :func:`impasto.core.device.choose`; ONNX Runtime always computes in float32.
        engine: One of :data:`impasto.onnx.engines.ENGINES`.

    Raises:
        InputError: A setting, the device or the precision is not available.
        MissingExtraError: The libraries for ONNX files are not installed.
        WeightsError: The file is missing or damaged, or has inputs that this version does not know.
    """

    Config = ExportedConfig
    config: ExportedConfig
    dithers = True
    stroke_size = Executor.stroke_size

    def __init__(
        self,
        path: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        device: str = "auto",
        precision: str = "auto",
        engine: str = "onnxruntime",
    ) -> None:
        reduced = choose("cpu", precision).dtype is torch.bfloat16
        self.facts = onnx_file.read_metadata(path)
        if settings and ("alpha" not in self.facts or set(settings) - {"alpha"}):
            free = "alpha" if "alpha" in self.facts else "none of its hyperparameters"
            raise InputError(f"{path.name} was exported with its numbers: change {free}")
        own = ExportedConfig(alpha=self.facts.get("alpha", 1.0))
        cpu = Runtime(torch.device("cpu"), torch.float32)  # inputs and outputs are on the CPU
        super().__init__(method_config.change(own, settings or {}), cpu)
        self.name = path.name
        self.default_size = self.facts.get("default_size")
        self.shifts = get(self.facts["method"]).build.shifts
        how: dict[str, Any] = {
            "device": device,
            "bfloat16": reduced and (engine != "onnxruntime" or precision != "auto"),
            "threads": torch.get_num_threads(),
        }
        self._graph = open_engine(engine, path, **how)
        self._inputs = self._graph.inputs
        self.abilities = _VERBS.get(self.facts["kind"], Ability.STYLIZE)
        if "weights" in self._inputs or "embedding" in self._inputs:
            self.abilities |= Ability.BLEND
        self._encoder: Engine | None = None
        if "predictor" in self.facts:
            self._encoder = open_engine(engine, path.with_name(self.facts["predictor"]), **how)

    def own_style(self, index: int = 0) -> Style:
        """Return the learned style of this index."""
        return Style(self.name, (Part({"index": torch.tensor(index)}),))

    def encode(self, picture: Tensor) -> Style:
        """Encode a style image (1, 3, H, W): as itself, or as the output of the predictor graph.

        Raises:
            InputError: The graph paints learned styles only.
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
        """Paint a content image by one run of the graph."""
        inputs = self._kept(style.expect(self.name), content)
        return NetworkMethod.report_done(self._paint(content, inputs, seed), callback)

    @contextmanager
    def seamless(self, height: int, width: int) -> Iterator[None]:
        """Check that textures of a size tile, as those of the exported network do.

        Raises:
            InputError: A side is not a multiple of the network's.
        """
        check_multiples(height, width, self.facts["multiple"], self.name)
        yield

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Synthesise a texture (1, 3, height, width) by one run of the graph."""
        style.expect(self.name)
        multiple = self.facts["multiple"]
        sides = (max(2, -(-side // multiple)) * multiple for side in (height, width))
        painted = _run(self._graph, self._feeds(tuple(sides), {}, seed))
        return NetworkMethod.report_done(painted[..., :height, :width], callback)

    def upscale(self, picture: Tensor, *, callback: Callback = silent) -> Tensor:
        """Enlarge an image in tiles; cancelling leaves the other tiles bicubic."""
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
        """Return the inputs of the graph that depend on the style, by name."""
        parts = style.shares()  # (P,)
        inputs: dict[str, Tensor] = {}
        if "weights" in self._inputs:
            indices = torch.stack([part.tensors["index"] for part in style])  # (P,)
            weights = torch.zeros(1, len(self.facts["styles"]))
            inputs["weights"] = weights.index_add(1, indices, parts[None])
        if "style" in self._inputs:
            (part,) = style
            inputs["style"] = part.tensors["style"]
        if "alpha" in self._inputs:
            inputs["alpha"] = torch.tensor([self.config.alpha])
        if "embedding" in self._inputs:
            rows = torch.cat([part.tensors["embedding"] for part in style])  # (P, E)
            inputs["embedding"] = parts[None] @ rows
            if self.config.alpha < 1:
                (own,) = self.encode(content)
                inputs["embedding"] = torch.lerp(
                    own.tensors["embedding"], inputs["embedding"], self.config.alpha
                )
        return inputs

    def _paint(self, content: Tensor, style_inputs: Mapping[str, Tensor], seed: int) -> Tensor:
        """Run the graph on a content image (1, 3, H, W) of any size."""
        height, width = (side * self.facts["factor"] for side in content.shape[-2:])
        photo = pad_to(content.cpu().float(), self.facts["multiple"], self.facts["smallest"])
        feeds = self._feeds(photo.shape[-2:], {"content": photo, **style_inputs}, seed)
        return _run(self._graph, feeds)[..., :height, :width]

    def _feeds(
        self, size: Sequence[int], style_inputs: Mapping[str, Tensor], seed: int
    ) -> dict[str, Tensor]:
        """Return all inputs of the graph, for a height and width.

        Raises:
            WeightsError: The graph has inputs that this version does not know.
        """
        feeds = dict(style_inputs)
        if "noise" in self.facts:
            chance = torch.Generator().manual_seed(seed)
            scales, channels = self.facts["noise"]
            noise = draw_noise(scales, channels, 1, size, generator=chance)
            feeds |= {f"noise{scale}": one for scale, one in enumerate(noise)}
        if set(feeds) != set(self._inputs):
            strange = ", ".join(sorted(set(self._inputs) - set(feeds)))
            raise WeightsError(f"{self.name} takes {strange}, which this version does not know")
        return feeds


def _run(graph: Engine, feeds: Mapping[str, Tensor]) -> Tensor:
    """Run a graph and return its only output."""
    arrays = {name: np.ascontiguousarray(one.numpy()) for name, one in feeds.items()}
    (found,) = graph.run(arrays)
    return torch.from_numpy(found)
