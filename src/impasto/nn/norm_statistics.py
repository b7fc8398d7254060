"""Share normalisation statistics, and the start of an optimisation, between the frames of a shot.

A network that normalises each frame by its own statistics changes the whole image when something
bright enters it. Inside :meth:`Shot.frame` norms and transports use statistics of the shot instead:
every function that computes statistics passes them through :func:`settled`, which returns them
unchanged outside of a shot. So methods need no code for this.
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
    """Frames of a video that share their statistics.

    The statistics are identified by the order in which a network requests them, which is the same
    for every frame. If their shape changes, they start again from those of the frame.

    Args:
        drift: Weight, in [0, 1], with which each later frame updates the statistics: 0 keeps those
            of the first frame. A small drift lets a long shot follow a change of light: with 0.02,
            half of it in 35 frames.

    Raises:
        InputError: The drift is not in [0, 1].

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
        """Stylise a frame of the shot inside the context; an exception leaves the shot unchanged.

        Args:
            start: (1, 3, H, W) in [0, 1], the initial image of an optimisation, see :func:`start`.
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
        """Discard the statistics, to begin another shot."""
        self._kept = ()

    def state(self) -> dict[str, Tensor]:
        """Return the statistics by name, for a file."""
        return {
            f"{index:04d}.{part}": tensor.cpu().contiguous()
            for index, statistics in enumerate(self._kept)
            for part, tensor in enumerate(statistics)
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Load statistics that :meth:`state` returned."""
        rows: dict[str, list[Tensor]] = {}
        for name in sorted(state):
            rows.setdefault(name.partition(".")[0], []).append(state[name])
        self._kept = tuple(tuple(row) for row in rows.values())

    def _settle(self, own: Statistics) -> Statistics:
        index = len(self._now)
        stored = self._kept[index] if index < len(self._kept) else ()
        exact = tuple(one.detach().double() if one.device.type != "mps" else one for one in own)
        if [one.shape for one in stored] == [one.shape for one in exact]:
            pairs = zip(stored, exact, strict=True)
            exact = tuple(torch.lerp(old.to(new), new, self.drift) for old, new in pairs)
        self._now.append(exact)
        return tuple(new.to(one.dtype) for new, one in zip(exact, own, strict=True))


_current: ContextVar[Shot | None] = ContextVar("shot", default=None)


def inside() -> bool:
    """Check whether a frame of a shot is being processed."""
    return _current.get() is not None


def settled(*own: Tensor) -> Sequence[Tensor]:
    """Return the statistics to use for an image: its own, or those of its shot.

    Args:
        own: Means, variances or covariances of the image; it must make sense to average them over
            frames.

    Returns:
        As many tensors, of the same shapes and formats.
    """
    shot = _current.get()
    return own if shot is None else shot._settle(own)


def start() -> Tensor | None:
    """Return the initial image (1, 3, H, W) of an optimisation of this frame, or None."""
    shot = _current.get()
    return None if shot is None else shot._start
