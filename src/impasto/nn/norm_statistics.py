"""Share normalisation statistics between the frames of a shot of a video.

A network that normalises each frame by its own statistics changes the whole image when something
bright enters it. With a :class:`StatisticsStore`, its norms and feature transforms use statistics
of the shot instead. :func:`sharing` sets the store on the norms of a network; functions that
compute statistics take it as their argument ``settle``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from impasto.errors import check_range

DRIFT = 0.02

Statistics = tuple[Tensor, ...]
Settle = Callable[..., Sequence[Tensor]]  # from statistics of an image to those to use for it


class StatisticsStore:
    """The statistics that the frames of a shot share.

    The first frame stores its own. Each later frame gets the stored ones, moved a little towards
    its own. Statistics are identified by a name, such as that of the norm in its network, and by
    how often that name occurred in the frame before, since a frame may be processed several times.
    If their shape changes, they start again from those of the frame.

    Args:
        drift: Weight, in [0, 1], with which each later frame updates the statistics: 0 keeps those
            of the first frame. A small drift lets a long shot follow a change of light: with 0.02,
            half of it in 35 frames.

    Raises:
        InputError: The drift is not in [0, 1].

    Example:
        >>> store = StatisticsStore(drift=0.5)
        >>> for bright in (0.0, 1.0):
        ...     with store.frame():
        ...         (mean,) = store.settle("mean", torch.tensor(bright))
        >>> mean
        tensor(0.5000)
    """

    def __init__(self, drift: float = DRIFT) -> None:
        check_range(0, 1, drift=drift)
        self.drift = drift
        self._stored: dict[str, Statistics] = {}
        self._new: dict[str, Statistics] = {}
        self._calls: Counter[str] = Counter()

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Process one frame inside the context; an exception leaves the store unchanged."""
        self._new, self._calls = {}, Counter()
        yield
        self._stored = self._new

    def settle(self, name: str, *own: Tensor) -> Sequence[Tensor]:
        """Return the statistics to use for the current frame, and store them.

        Args:
            name: Of the norm.
            own: Means, variances or covariances of the frame; it must make sense to average them
                over frames.

        Returns:
            As many tensors, of the same shapes and formats.
        """
        key = f"{name}.{self._calls[name]}"
        self._calls[name] += 1
        stored = self._stored.get(key, ())
        exact = tuple(one.detach().double() if one.device.type != "mps" else one for one in own)
        if [one.shape for one in stored] == [one.shape for one in exact]:
            pairs = zip(stored, exact, strict=True)
            exact = tuple(torch.lerp(old.to(new), new, self.drift) for old, new in pairs)
        self._new[key] = exact
        return tuple(new.to(one.dtype) for new, one in zip(exact, own, strict=True))

    def state(self) -> dict[str, Tensor]:
        """Return the statistics by name, for a file."""
        return {
            f"{key}.{part}": tensor.cpu().contiguous()
            for key, statistics in self._stored.items()
            for part, tensor in enumerate(statistics)
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Load statistics that :meth:`state` returned."""
        rows: dict[str, list[Tensor]] = {}
        for name in sorted(state):
            rows.setdefault(name.rpartition(".")[0], []).append(state[name])
        self._stored = {key: tuple(row) for key, row in rows.items()}


class NormModule(nn.Module):
    """Base class of modules that normalise by statistics of their input.

    Attributes:
        settle: Returns the statistics to use; None uses those of the input.
    """

    settle: Settle | None = None


@contextmanager
def sharing(network: nn.Module, store: StatisticsStore | None) -> Iterator[None]:
    """Let all norms of a network use the statistics of a store inside the context.

    Args:
        network: Its parts of class :class:`NormModule` are changed until the end of the context,
            so only one thread may use it.
        store: None changes nothing.
    """
    named = network.named_modules() if store is not None else ()
    norms = [(name, part) for name, part in named if isinstance(part, NormModule)]
    try:
        for name, norm in norms:
            norm.settle = partial(store.settle, name)  # type: ignore[union-attr]
        yield
    finally:
        for _, norm in norms:
            norm.settle = None
