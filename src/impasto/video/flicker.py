"""How much painted frames flicker: what changes from one to the next that does not move."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from impasto.video.flow import Motion, warp

_NAMES = ("steady", "painted", "plain")


def difference(way: Motion, now: Tensor, before: Tensor) -> tuple[float, float]:
    """The sum of |now - before, carried along by the motion of the photos|, and of its weights.

    Args:
        way: Of the photos; pixels count as far as it can be trusted.
        now: A painted frame, (1, 3, H, W) in [0, 1].
        before: The one before.
    """
    apart = (now - warp(before, way.flow).clamp(0, 1)).abs().mean(1, keepdim=True)
    return float((apart * way.agree).double().sum()), float(way.agree.double().sum())


class Flicker:
    """Mean differences over a clip, for frames as painted and as they were made steady.

    In 255ths, as pixels are counted: the mean over all pixels whose motion can be trusted, of all
    frames but the first of each shot.
    """

    def __init__(self) -> None:
        self._sums = {name: [0.0, 0.0] for name in _NAMES}
        self._plain: Tensor | None = None

    def add(self, way: Motion, name: str, now: Tensor, before: Tensor) -> None:
        """Count a frame of one kind: ``steady``, ``painted`` or ``plain``."""
        found = difference(way, now, before)
        self._sums[name] = [a + b for a, b in zip(self._sums[name], found, strict=True)]

    def begin_plain(self, now: Tensor) -> None:
        """The first frame of a shot, painted by itself."""
        self._plain = now

    def add_plain(self, way: Motion, now: Tensor) -> None:
        """A frame that was painted by itself, after the last of these."""
        if self._plain is not None:
            self.add(way, "plain", now, self._plain)
        self._plain = now

    def value(self, name: str) -> float | None:
        """The figure of one kind, 0 to 255; None where nothing was measured."""
        total, weight = self._sums[name]
        return 255 * total / weight if weight else None

    def state(self) -> dict[str, Tensor]:
        """What was counted so far, by name."""
        sums = {
            f"flicker.{name}": torch.tensor(both, dtype=torch.float64)
            for name, both in self._sums.items()
        }
        return sums if self._plain is None else {**sums, "plain": self._plain.half()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""
        self._sums = {name: state[f"flicker.{name}"].tolist() for name in _NAMES}
        self._plain = state["plain"].float() if "plain" in state else None
