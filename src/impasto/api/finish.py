"""Finish the result of a method: light, chroma, sharpness, plain areas, histogram and specks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from impasto.api.options import Controls
from impasto.image import Image, color_transfer, filters
from impasto.image.kuwahara import smooth_plain
from impasto.image.lighting import keep_lighting
from impasto.methods.style import Style

SHARPEN, KUWAHARA = 1.0, 1.0  # defaults of the mean over several shifts; `good`, `best`

_STRETCH = 1.5  # limit of chroma: above it, a hint of red in a face becomes a red face


@dataclass(frozen=True)
class Finish:
    """Amounts of the controls whose defaults depend on what paints.

    Attributes:
        lighting: See :attr:`impasto.api.options.Controls.lighting`.
        chroma: See :attr:`impasto.api.options.Controls.chroma`.
        sharpen: See :attr:`impasto.api.options.Controls.sharpen`.
        kuwahara: See :attr:`impasto.api.options.Controls.kuwahara`.
    """

    lighting: float = 0.0
    chroma: float = 0.0
    sharpen: float = 0.0
    kuwahara: float = 0.0


PLAIN = Finish()


def common_finish(finishes: Sequence[Finish], controls: Controls, *, averaged: bool) -> Finish:
    """Return the amounts that controls ask for, with the defaults that all styles have in common.

    Args:
        finishes: Defaults of the styles; frames of a video have :data:`PLAIN`, since light and
            chroma would change between them.
        controls: Amounts that are not None.
        averaged: Whether the result is a mean over shifts, which is sharpened and smoothed.
    """
    common = finishes[0] if all(one == finishes[0] for one in finishes) else PLAIN
    if averaged:
        common = replace(common, sharpen=SHARPEN, kuwahara=KUWAHARA)
    if controls.seamless:
        common = replace(common, lighting=0.0, sharpen=0.0, kuwahara=0.0)  # windows end at edges
    given = {one.name: getattr(controls, one.name) for one in fields(Finish)}
    return replace(common, **{name: given[name] for name in given if given[name] is not None})


def finish(
    painted: Tensor, content: Tensor, painting: Image | Style, controls: Controls, amounts: Finish
) -> Tensor:
    """Apply the controls that need only the result, the content image and the style image.

    Args:
        painted: Result of a method, (1, 3, H, W) in [0, 1].
        content: Content image, (1, 3, H, W) in [0, 1].
        painting: Style image; chroma and histogram of an encoded style are not known.
        controls: The controls.
        amounts: Their amounts of light, chroma, sharpness and smoothness.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    painted = keep_lighting(painted, content, amounts.lighting, controls.style_scale)
    reference = painting.rgb if isinstance(painting, Image) else None
    if controls.colors != "style":
        reference = None
    if reference is not None and amounts.chroma:
        matched = color_transfer.match_chroma(painted, reference, _STRETCH)
        painted = torch.lerp(painted, matched, amounts.chroma)
    painted = filters.sharpen(painted, amounts.sharpen)
    painted = smooth_plain(painted, content, amounts.kuwahara)
    if reference is not None and controls.match_histogram:
        painted = color_transfer.match_histogram(painted, reference)
    if controls.median:
        painted = filters.median(painted)
    if controls.colors == "match" and isinstance(painting, Style):
        painted = color_transfer.match_colors(painted, content).clamp(0, 1)
    if controls.colors == "luminance":
        painted = color_transfer.with_luminance(content, color_transfer.luminance(painted))
    return painted
