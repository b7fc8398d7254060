"""Read the alpha channel of decoded frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame


def may_have_alpha(frame: VideoFrame) -> bool:
    """Check whether the pixel format of a frame has alpha, also in its palette."""
    form = frame.format
    return bool(form.has_palette) or any(part.is_alpha for part in form.components)


def alpha_of(frame: VideoFrame) -> NDArray[np.uint8]:
    """Return the alpha of a frame, (H, W), 0 to 255."""
    pixels: NDArray[Any] = frame.to_ndarray(format="rgba")
    return pixels[..., 3]
