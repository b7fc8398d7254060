"""Texture synthesis by copying pixels with similar neighbourhoods from a sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from impasto.core.progress import Callback, silent
from impasto.errors import InputError, check_choice
from impasto.methods.base import Method
from impasto.methods.optimization.efros_leung import EfrosLeungConfig, efros_leung
from impasto.methods.optimization.wei_levoy import WeiLevoyConfig, wei_levoy
from impasto.methods.registry import register_method
from impasto.methods.spec import Ability, Paper
from impasto.methods.style import Style

ALGORITHMS = ("efros-leung", "wei-levoy")


@dataclass(frozen=True, kw_only=True)
class ResampleConfig:
    """Hyperparameters of the method.

    Attributes:
        algorithm: ``efros-leung`` grows the texture outward from a small square; ``wei-levoy``
            refines a pyramid in raster order, and its result tiles.
        window: Side in pixels of the neighbourhood of ``efros-leung``, odd.
        windows: Sides in pixels at each level of ``wei-levoy``, the finest first.
        passes: Number of scans of each level of ``wei-levoy``; 1 in the paper.
    """

    algorithm: str = "efros-leung"
    window: int = EfrosLeungConfig().window
    windows: tuple[int, ...] = WeiLevoyConfig().windows
    passes: int = WeiLevoyConfig().passes

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for an unknown algorithm or a window out of range."""
        check_choice("algorithm", self.algorithm, ALGORITHMS)
        EfrosLeungConfig(window=self.window)
        WeiLevoyConfig(windows=self.windows, passes=self.passes)

    @classmethod
    def paper(cls) -> ResampleConfig:
        """Return the hyperparameters of both papers."""
        wei = WeiLevoyConfig.paper()
        window = EfrosLeungConfig.paper().window
        return cls(window=window, windows=wei.windows, passes=wei.passes)


@register_method(
    "resample",
    "texture synthesis by copying pixels with matching neighbourhoods",
    Paper("Efros, Leung", "Texture Synthesis by Non-parametric Sampling", "ICCV", 1999),
    Paper(
        "Wei, Levoy",
        "Fast Texture Synthesis Using Tree-structured Vector Quantization",
        "SIGGRAPH",
        2000,
    ),
    family="optimization",
    abilities=Ability.SYNTHESIZE,
)
class Resample(Method):
    """Texture synthesis in which every pixel of the result is a copy of a pixel of the sample."""

    Config = ResampleConfig
    config: ResampleConfig
    default_size = 128

    @contextmanager
    def seamless(self, height: int, width: int) -> Iterator[None]:
        """Check that the algorithm makes textures that tile, which it does at any size.

        Raises:
            InputError: It is ``efros-leung``, or ``wei-levoy`` with a single pass.
        """
        if self.config.algorithm != "wei-levoy":
            raise InputError(
                f"{self.config.algorithm} makes no textures that tile: set algorithm=wei-levoy"
            )
        if self.config.passes < 2:
            raise InputError("wei-levoy leaves a seam in its first pass: set passes=2")
        yield

    def synthesize(
        self, style: Style, height: int, width: int, *, seed: int = 0, callback: Callback = silent
    ) -> Tensor:
        """Synthesise (1, 3, height, width) from a sample; the time grows with the sample's size.

        Raises:
            InputError: There are several samples, or the sample or the size cannot be used.
        """
        parts = style.expect(self.name).parts
        if len(parts) != 1:
            raise InputError("resample takes one sample: blending pixels makes no texture")
        sample, config = parts[0].tensors["picture"], self.config
        if config.algorithm == "efros-leung":
            return efros_leung(
                sample,
                height,
                width,
                EfrosLeungConfig(window=config.window),
                seed=seed,
                callback=callback,
            )
        scan = WeiLevoyConfig(windows=config.windows, passes=config.passes)
        return wei_levoy(sample, height, width, scan, seed=seed, callback=callback)
