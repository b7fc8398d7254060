"""Keep the light and shade of a content image."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from impasto.image.color_transfer import luminance, match_luminance
from impasto.image.filters import apply_coefficients, guided_coefficients

_SIDE = 256  # pixels; long edge at which the windows are computed
_FINE, _BROAD = 6, 64  # radii of the windows, in pixels at that size
_NOISE = 1e-3  # variance of colours in [0, 1] below which a window counts as plain


def keep_lighting(image: Tensor, content: Tensor, amount: float, strokes: float = 1.0) -> Tensor:
    """Fade light and dark patches of an image that the content image does not have.

    Within small windows, the luminance of the image is regressed on the colours of the content
    image (:func:`~impasto.image.filters.guided`), and so it is within windows of half the image.
    The first follows patches of the image, the second only the content image. Their difference,
    times ``amount``, is added to the luminance, which keeps its mean and deviation.

    Args:
        image: (1, 3, H, W), RGB in [0, 1].
        content: (1, 3, H, W), RGB in [0, 1].
        amount: In [0, 1]; 0 returns the image itself.
        strokes: Factor on the size of the strokes: larger ones are not taken for patches.

    Returns:
        (1, 3, H, W), clamped to [0, 1]; strokes and hues stay.
    """
    if not amount:
        return image
    light = luminance(image)
    factor = min(1.0, _SIDE / max(light.shape[-2:]))
    size = [max(1, round(side * factor)) for side in light.shape[-2:]]
    small = F.interpolate(light, size, mode="area")
    finest = min(round(_FINE * max(1.0, strokes)), _BROAD)
    broad, fine = (
        guided_coefficients(small, content, radius, _NOISE) for radius in (_BROAD, finest)
    )
    moved = apply_coefficients(amount * (broad - fine), content).add_(light)
    return (image + match_luminance(moved, light).sub_(light)).clamp_(0, 1)
