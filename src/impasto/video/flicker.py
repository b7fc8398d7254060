"""Measure the flicker of stylized frames: changes that the motion does not explain."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from impasto.video.flow import Motion, warp

_NAMES = ("steady", "painted", "plain")


def difference(motion: Motion, now: Tensor, old: Tensor) -> tuple[float, float]:
    """Return the weighted sum of |now - old|, and the sum of the weights.

    Args:
        motion: The motion of the photos; its confidence gives the weights.
        now: A stylized frame, (1, 3, H, W) in [0, 1].
        old: The previous one, warped by the motion.
    """
    apart = (now - old.clamp(0, 1)).abs().mean(1, keepdim=True)
    weights = motion.confidence
    return float((apart * weights).sum(dtype=torch.float64)), float(
        weights.sum(dtype=torch.float64)
    )


class Flicker:
    """Mean differences over a clip, before and after temporal blending.

    In 8-bit levels (0 to 255): the mean over all pixels with reliable motion, over all frames
    except the first of each shot.
    """

    def __init__(self) -> None:
        self._sums = {name: [0.0, 0.0] for name in _NAMES}
        self._plain: Tensor | None = None

    def add(self, motion: Motion, name: str, now: Tensor, old: Tensor) -> None:
        """Add a frame of one kind: ``steady``, ``painted`` or ``plain``; ``old`` is warped."""
        found = difference(motion, now, old)
        self._sums[name] = [a + b for a, b in zip(self._sums[name], found, strict=True)]

    def begin_plain(self, now: Tensor) -> None:
        """Set the first frame of a shot, stylized independently."""
        self._plain = now

    def add_plain(self, motion: Motion, now: Tensor) -> None:
        """Add the next frame that was stylized independently."""
        if self._plain is not None:
            self.add(motion, "plain", now, warp(self._plain, motion.flow))
        self._plain = now

    def value(self, name: str) -> float | None:
        """Return the mean difference of one kind, 0 to 255; None if nothing was measured."""
        total, weight = self._sums[name]
        return 255 * total / weight if weight else None

    def state(self) -> dict[str, Tensor]:
        """Return the sums so far, by name."""
        sums = {
            f"flicker.{name}": torch.tensor(both, dtype=torch.float64)
            for name, both in self._sums.items()
        }
        return sums if self._plain is None else {**sums, "plain": self._plain.half()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore the sums from :meth:`state`."""
        self._sums = {name: state[f"flicker.{name}"].tolist() for name in _NAMES}
        self._plain = state["plain"].float() if "plain" in state else None
