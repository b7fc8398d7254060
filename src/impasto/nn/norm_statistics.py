"""What the frames of one shot share: the statistics of the photo, and where a descent starts.

A network that normalises by the statistics of each frame paints the whole picture anew when
something bright comes into it. Inside :meth:`Shot.frame` the norms and the transports take the
statistics of the shot instead: every place that measures a photo asks :func:`settled`, and outside
of a shot gets its own numbers back. So a method has this without knowing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from impasto.errors import InputError

DRIFT = 0.02

Statistics = tuple[Tensor, ...]


class Shot:
    """Frames that are painted alike.

    The statistics are told apart by their order: a network asks for the same ones in every frame.
    Where their number or shape changes, they start anew.

    Args:
        drift: How far the statistics go towards those of each later frame: 0 keeps those of the
            first. A little lets a long shot go from a dark room into the sun: with 0.02, half the
            way in 35 frames.

    Raises:
        InputError: The drift is not from 0 to 1.

    Example:
        >>> shot = Shot(drift=0.5)
        >>> for bright in (0.0, 1.0):
        ...     with shot.frame():
        ...         (mean,) = settled(torch.tensor(bright))
        >>> mean
        tensor(0.5000)
    """

    def __init__(self, drift: float = DRIFT) -> None:
        if not 0 <= drift <= 1:
            raise InputError(f"drift is {drift}: it must be 0 to 1")
        self.drift = drift
        self._kept: tuple[Statistics, ...] = ()
        self._now: list[Statistics] = []
        self._start: Tensor | None = None

    @contextmanager
    def frame(self, start: Tensor | None = None) -> Iterator[None]:
        """Paint a frame of the shot inside; one that breaks off leaves no trace.

        Args:
            start: (1, 3, H, W) in [0, 1], where an optimisation is to start, see :func:`start`.
        """
        self._now, self._start = [], start
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self._start = None
        self._kept = tuple(self._now)

    def forget(self) -> None:
        """Begin another shot."""
        self._kept = ()

    def state(self) -> dict[str, Tensor]:
        """The statistics by name, for a file."""
        return {
            f"{index:04d}.{part}": tensor.cpu().contiguous()
            for index, statistics in enumerate(self._kept)
            for part, tensor in enumerate(statistics)
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""
        rows: dict[str, list[Tensor]] = {}
        for name in sorted(state):
            rows.setdefault(name.partition(".")[0], []).append(state[name])
        self._kept = tuple(tuple(row) for row in rows.values())

    def _settle(self, own: Statistics) -> Statistics:
        place = len(self._now)
        kept = self._kept[place] if place < len(self._kept) else ()
        exact = tuple(one.detach().double() if one.device.type != "mps" else one for one in own)
        if [one.shape for one in kept] == [one.shape for one in exact]:
            pairs = zip(kept, exact, strict=True)
            exact = tuple(torch.lerp(old.to(new), new, self.drift) for old, new in pairs)
        self._now.append(exact)
        return tuple(new.to(one.dtype) for new, one in zip(exact, own, strict=True))


_current: ContextVar[Shot | None] = ContextVar("shot", default=None)


def inside() -> bool:
    """Whether a frame of a shot is being painted."""
    return _current.get() is not None


def settled(*own: Tensor) -> Sequence[Tensor]:
    """Statistics of a photo as they count for painting it: its own, or those of its shot.

    Args:
        own: Means, variances or covariances, measured on the photo; averages of several frames'
            have to make sense.

    Returns:
        As many, of the same shapes and formats.
    """
    shot = _current.get()
    return own if shot is None else shot._settle(own)


def start() -> Tensor | None:
    """The picture (1, 3, H, W) that an optimisation of this frame starts from, if there is one."""
    shot = _current.get()
    return None if shot is None else shot._start
