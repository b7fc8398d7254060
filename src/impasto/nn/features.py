"""Convert feature maps to sets of feature vectors."""

from __future__ import annotations

from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Convert 16-bit features to float32; float32 and float64 stay as they are."""
    return x.float() if x.element_size() < 4 else x


def feature_vectors(features: Tensor) -> Tensor:
    """Reshape feature maps to sets of feature vectors, in float32 or better.

    The result is a view where the channels are last in memory.

    Args:
        features: (B, C, H, W).

    Returns:
        (B, H*W, C).
    """
    return at_least_float32(features).permute(0, 2, 3, 1).flatten(1, 2)
