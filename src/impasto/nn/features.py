"""Read feature maps as sets of feature vectors."""

from __future__ import annotations

from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Features in the precision that losses are computed in: float32, or float64 if they are."""
    return x.float() if x.element_size() < 4 else x


def feature_vectors(features: Tensor) -> Tensor:
    """Return a feature map as sets of feature vectors, in float32 or better.

    A view where the channels lie last in memory.

    Args:
        features: (B, C, H, W).

    Returns:
        (B, H*W, C).
    """
    return at_least_float32(features).permute(0, 2, 3, 1).flatten(1, 2)
