"""Nodes for ComfyUI that paint with Impasto; they use its public interface only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import impasto
from impasto.methods import Ability

Row = tuple[Any, dict[str, Any]]

_BY_QUALITY = "by quality"
_TEXTURE = "texture"
_SIDE = {"min": 0, "max": 16384, "step": 8}
_SEED: Row = ("INT", {"default": 0, "min": 0, "max": 2**63 - 1, "control_after_generate": True})


class ImpastoStylize:
    """Paint each image of a batch in the style of a painting, or in a style by name."""

    CATEGORY = "image/impasto"
    FUNCTION = "stylize"
    RETURN_TYPES = ("IMAGE",)
    DESCRIPTION = "Neural style transfer: the style is a painting, or one that a network knows."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Row]]:  # noqa: N802 (ComfyUI calls it)
        """Return the inputs, as ComfyUI wants them described."""
        styles = [model.name for model in impasto.list_models("style")]
        scale = {"default": 1.0, "min": 0.1, "max": 8.0, "step": 0.1}
        return {
            "required": {
                "photo": ("IMAGE", {}),
                "style": (styles, {"tooltip": "Unused if a painting is connected."}),
                "quality": (["fast", "good", "best"], {"tooltip": "Of a painting's style."}),
                "method": (_methods(Ability.STYLIZE), {"tooltip": "Of a painting's style."}),
                "size": ("INT", {**_SIDE, "default": 0, "tooltip": "Long edge; 0 is the photo's."}),
                "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05}),
                "style_scale": ("FLOAT", {**scale, "tooltip": "2 is strokes twice as large."}),
                "colors": (["style", "luminance", "match"], {}),
                "seed": _SEED,
            },
            "optional": {"painting": ("IMAGE", {"tooltip": "One, or one for each photo."})},
        }

    def stylize(
        self,
        photo: Tensor,
        style: str,
        quality: str = "fast",
        method: str = _BY_QUALITY,
        size: int = 0,
        strength: float = 1.0,
        style_scale: float = 1.0,
        colors: str = "style",
        seed: int = 0,
        painting: Tensor | None = None,
    ) -> tuple[Tensor]:
        """Paint the photos, (B, H, W, C) in [0, 1]; returns the results, (B, H', W', 3).

        Args:
            photo: The photos.
            style: The name of a learned style, used without a painting.
            quality: ``fast``, ``good`` or ``best``, for a painting.
            method: A method for a painting, instead of the quality.
            size: Long edge of the results in pixels; 0 is the default of :func:`impasto.stylize`.
            strength: 1 is the full style, 0 the photo.
            style_scale: 2 is strokes twice as large.
            colors: ``style``, ``luminance`` or ``match``.
            seed: Of all random numbers.
            painting: The style images, (B, H, W, C), the last of which is used for further photos.
        """
        options: dict[str, Any] = {"size": size or None, "strength": strength, "colors": colors}
        options |= {"style_scale": style_scale, "seed": seed}
        if painting is not None:
            options |= {"quality": quality} if method == _BY_QUALITY else {"method": method}
        made = []
        # gradients, which ComfyUI turns off, are what a method that optimises is made of
        with torch.inference_mode(False), torch.enable_grad():
            for index, content in enumerate(photo):
                report = _reporter(index, len(photo))
                source = style if painting is None else _image(painting[: index + 1][-1])
                result = impasto.stylize(_image(content), source, callback=report, **options)
                made.append(result.rgb.movedim(1, -1))
        return (torch.cat(made).contiguous(),)


class ImpastoTexture:
    """Synthesize a texture from a sample, or one by name."""

    CATEGORY = "image/impasto"
    FUNCTION = "synthesize"
    RETURN_TYPES = ("IMAGE",)
    DESCRIPTION = "A texture of any size, from a sample or by a network that knows it."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Row]]:  # noqa: N802 (ComfyUI calls it)
        """Return the inputs, as ComfyUI wants them described."""
        side = {**_SIDE, "min": 16, "default": 512}
        return {
            "required": {
                "texture": (
                    [model.name for model in impasto.list_models("texture")],
                    {"tooltip": "Unused if a sample is connected."},
                ),
                "method": (_methods(Ability.SYNTHESIZE), {"tooltip": "Of a sample."}),
                "width": ("INT", side),
                "height": ("INT", side),
                "seed": _SEED,
            },
            "optional": {"sample": ("IMAGE", {"tooltip": "A texture for each image of a batch."})},
        }

    def synthesize(
        self,
        texture: str,
        method: str = _TEXTURE,
        width: int = 512,
        height: int = 512,
        seed: int = 0,
        sample: Tensor | None = None,
    ) -> tuple[Tensor]:
        """Synthesize a texture for each sample, (B, H, W, C) in [0, 1], or the named one.

        Args:
            texture: The name of a learned texture, used without a sample.
            method: A method for the sample.
            width: Width of the result in pixels.
            height: Height of the result in pixels.
            seed: Of all random numbers.
            sample: The samples.
        """
        sources = [texture] if sample is None else [_image(one) for one in sample]
        chosen = None if sample is None else method
        with torch.inference_mode(False), torch.enable_grad():
            made = [
                impasto.synthesize(
                    source,
                    size=(width, height),
                    method=chosen,
                    seed=seed,
                    callback=_reporter(index, len(sources)),
                ).rgb.movedim(1, -1)
                for index, source in enumerate(sources)
            ]
        return (torch.cat(made).contiguous(),)


def _image(pixels: Tensor) -> impasto.Image:
    """Convert an image of ComfyUI, (H, W, C) in [0, 1], to one of Impasto."""
    return impasto.Image(pixels[..., :3].movedim(-1, 0)[None].float().cpu().clamp(0, 1).clone())


def _methods(ability: Ability) -> list[str]:
    """Return the names of the methods that take any image; the default comes first."""
    optimizing = [one.name for one in impasto.list_methods(ability) if one.family == "optimization"]
    if ability is Ability.STYLIZE:
        return [_BY_QUALITY, *(one.name for one in impasto.list_models("any")), *optimizing]
    return sorted(optimizing, key=lambda name: name != _TEXTURE)


def _reporter(index: int, count: int) -> Callable[[impasto.Progress], None]:
    """Return a callback that moves ComfyUI's progress bar, which also ends a cancelled run.

    Args:
        index: The number of images that are done.
        count: The number of images.
    """
    try:
        from comfy.utils import ProgressBar
    except ImportError:  # outside ComfyUI
        return lambda progress: None
    bar = ProgressBar(count)

    def report(progress: impasto.Progress) -> None:
        bar.update_absolute(index * progress.total + progress.step, count * progress.total)

    return report


NODE_CLASS_MAPPINGS = {"ImpastoStylize": ImpastoStylize, "ImpastoTexture": ImpastoTexture}
NODE_DISPLAY_NAME_MAPPINGS = {
    "ImpastoStylize": "Impasto Stylize",
    "ImpastoTexture": "Impasto Texture",
}
