"""Finish the result of a method: light, chroma, histogram, specks and colours."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.api.options import Controls
from impasto.image import Image, color_transfer, filters
from impasto.image.lighting import keep_lighting
from impasto.methods.style import Style


def finish(painted: Tensor, content: Tensor, painting: Image | Style, controls: Controls) -> Tensor:
    """Apply the controls that need only the result, the content image and the style image.

    Args:
        painted: Result of a method, (1, 3, H, W) in [0, 1].
        content: Content image, (1, 3, H, W) in [0, 1].
        painting: Style image; chroma and histogram of an encoded style are not known.
        controls: With numbers for ``lighting`` and ``chroma``.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    amount = controls.lighting or 0.0
    painted = keep_lighting(painted, content, amount, controls.style_scale)
    if isinstance(painting, Image) and controls.colors == "style":
        if controls.chroma:
            matched = color_transfer.match_chroma(painted, painting.rgb)
            painted = torch.lerp(painted, matched, controls.chroma)
        if controls.match_histogram:
            painted = color_transfer.match_histogram(painted, painting.rgb)
    if controls.median:
        painted = filters.median(painted)
    if controls.colors == "match" and isinstance(painting, Style):
        painted = color_transfer.match_colors(painted, content).clamp(0, 1)
    if controls.colors == "luminance":
        painted = color_transfer.with_luminance(content, color_transfer.luminance(painted))
    return painted
