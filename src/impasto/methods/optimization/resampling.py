"""Functions of both texture synthesis methods that copy pixels: neighbourhoods, search, progress.

Both methods model a texture as a Markov random field and need no network: every output pixel is a
copy of the sample pixel whose neighbourhood is most similar to that of the output pixel. They
differ in the order and in the neighbourhood: :mod:`.efros_leung` grows outward from a small square,
:mod:`.wei_levoy` scans a pyramid from coarse to fine.

Both represent an image as a *source map*: for each output pixel, the index of the sample pixel that
it copies. So all colours of the output are exactly colours of the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.core.progress import Callback, Progress, silent
from impasto.errors import InputError

MAX_PRODUCT = 1 << 22
"""Most distances (output pixels times sample windows) in memory at once: 16 MiB in float32."""

MAX_TABLE = 1 << 28
"""Most values in the table of all sample windows: 1 GiB in float32."""

MAX_RIVALS = 16
"""Most windows that are compared by their differences, where float32 products are inexact."""

SMALL_TABLE = 1 << 24
"""Tables of fewer values than this are searched by one thread, see :func:`threads_for`."""

MAX_OUTPUT = 1 << 24
"""Most output pixels: 4096 x 4096, which would take far more than a day."""


def check_window(name: str, window: int, low: int, high: int) -> None:
    """Raise :class:`InputError` unless ``window`` is odd and within ``low`` to ``high`` pixels."""
    if window % 2 == 0 or not low <= window <= high:
        raise InputError(f"{name} must be an odd number from {low} to {high}, not {window}")


def check_request(sample: Tensor, height: int, width: int, window: int, values: int) -> None:
    """Check the sample and the size of the output.

    Args:
        sample: Should be (1, 3, h, w) in [0, 1].
        height: Height of the output in pixels.
        width: Width of the output in pixels.
        window: Side of a window in pixels; the sample must contain at least one.
        values: Number of values that the search stores for each sample window.

    Raises:
        InputError: The sample has another shape, values that are not finite or outside [0, 1], is
            smaller than the window or too large to search; or the output has no pixel or too many.
    """
    if sample.ndim != 4 or sample.shape[:2] != (1, 3):
        raise InputError(f"the sample must be (1, 3, height, width), not {tuple(sample.shape)}")
    h, w = sample.shape[2:]
    if min(h, w) < window:
        raise InputError(
            f"the sample is {w}x{h} pixels, smaller than the {window}x{window} window: give a"
            f" sample of at least {window}x{window} pixels, or a smaller window"
        )
    if h * w * values > MAX_TABLE:
        side = int((MAX_TABLE / values) ** 0.5)
        raise InputError(
            f"the sample of {w}x{h} pixels is too large for an exact search with a window of"
            f" {window}: crop or shrink it to about {side}x{side} pixels, or use a smaller window"
        )
    if not (torch.isfinite(sample).all() and sample.min() >= 0 and sample.max() <= 1):
        raise InputError("the sample has values outside 0 to 1: a picture is RGB in [0, 1]")
    if min(height, width) < 1 or height * width > MAX_OUTPUT:
        raise InputError(
            f"cannot synthesise {width}x{height} pixels: each side must be at least 1, and the"
            f" whole at most {MAX_OUTPUT} pixels"
        )


@contextmanager
def threads_for(sample: Tensor, values: int) -> Iterator[None]:
    """Use one thread within the context if the table of windows is small.

    A search is a sequence of thousands of matrix products of a few milliseconds each. Several
    threads save a third of the time at best; if other programs use the cores too, the threads wait
    for each other in each product and take three to ten times as long (measured on two cores).

    Args:
        sample: The sample, (1, 3, h, w).
        values: Number of values that the search stores for each sample window.
    """
    before = torch.get_num_threads()
    if sample.shape[2] * sample.shape[3] * values < SMALL_TABLE:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def square(window: int, device: torch.device) -> Tensor:
    """Return the offsets (dy, dx) of a square neighbourhood in raster order.

    Returns:
        Integers, (window * window, 2), from ``-(window // 2)`` to ``window // 2``.
    """
    reach = torch.arange(window, device=device) - window // 2
    return torch.cartesian_prod(reach, reach)  # (window^2, 2)


def causal(window: int, device: torch.device) -> Tensor:
    """Return the offsets of :func:`square` before its centre in raster order: an L-shaped half.

    Source: Wei & Levoy 2000, section 2, figure 3.

    Example:
        >>> causal(3, torch.device("cpu")).tolist()
        [[-1, -1], [-1, 0], [-1, 1], [0, -1]]
    """
    return square(window, device)[: window * window // 2]


def to_palette(sample: Tensor) -> Tensor:
    """Return the sample's pixels in raster order, (h*w, 3), with their mean subtracted.

    Distances do not change, but ``|a|^2 - 2ab + |b|^2`` loses fewer digits to cancellation.
    """
    pixels = sample[0].flatten(1).T.float()  # (h*w, 3)
    return pixels - pixels.mean(dim=0)


def nearest(query: Tensor, table: Tensor, norms: Tensor) -> Tensor:
    """Find the nearest row of a table for each row of a query, exactly.

    ``|b|^2 - 2ab`` is one matrix product, but inexact for small distances. So all rows whose
    distance may be the smallest, given the rounding error of the product, are compared again by
    their differences; of more than ``MAX_RIVALS`` the first ones. Of equal rows the first is
    returned.

    Args:
        query: Vectors a, (n, D).
        table: Vectors b, (N, D).
        norms: ``|b|^2``, (N,).

    Returns:
        Indices into the table, (n,).

    Example:
        >>> table = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]])
        >>> nearest(torch.tensor([[1.0, 1.0], [3.0, 3.0]]), table, table.square().sum(dim=1))
        tensor([0, 1])
    """
    rough = torch.addmm(norms, query, table.T, alpha=-2)  # (n, N)
    largest = torch.maximum(norms.max(), query.square().sum(dim=1).max())
    error = 2 * query.shape[1] * torch.finfo(query.dtype).eps * largest
    rivals = rough <= rough.amin(dim=1, keepdim=True) + error
    rows, columns = rivals.nonzero(as_tuple=True)  # row by row, in the table's order
    if len(rows) == len(query):
        return columns
    counts = rivals.sum(dim=1)
    starts = counts.cumsum(dim=0) - counts
    ranks = torch.arange(len(rows), device=rows.device) - starts[rows]
    keep = ranks < MAX_RIVALS
    rows, ranks, found = rows[keep], ranks[keep], columns[keep]
    exact = rough.new_full((len(query), MAX_RIVALS), torch.inf)
    exact[rows, ranks] = (query[rows] - table[found]).square().sum(dim=1)
    return columns[starts + exact.argmin(dim=1)]


def gather_picture(source: Tensor, sample: Tensor) -> Tensor:
    """Return the image of a source map.

    Args:
        source: Indices of sample pixels in raster order, (H, W); -1 for unknown pixels.
        sample: The sample, (1, 3, h, w).

    Returns:
        (1, 3, H, W); unknown pixels have the mean colour of the sample.
    """
    colors = sample[0].flatten(1)  # (3, h*w)
    picture = colors[:, source.clamp(min=0).flatten()].view(3, *source.shape)
    mean = colors.mean(dim=1).view(3, 1, 1)
    return torch.where(source >= 0, picture, mean)[None]


@dataclass
class Ticker:
    """Counts pixels, and reports progress about a hundred times in a job.

    Attributes:
        total: Pixels of the whole job.
        callback: Called with each report.
        done: Pixels finished so far.
        cancelled: Whether the callback has cancelled.
    """

    total: int
    callback: Callback | None
    done: int = 0
    cancelled: bool = False
    _work: int = field(default=0, repr=False)

    def tick(self, tried: int, done: int, stage: str, preview: Callable[[], Tensor]) -> bool:
        """Count pixels, and report after each hundredth of the job.

        Args:
            tried: Number of pixels that were searched.
            done: Number of these that are finished.
            stage: Name of the stage for the report.
            preview: Returns the current image.

        Returns:
            Whether the callback has cancelled.
        """
        self.done += done
        self._work += tried
        if self._work * 100 >= self.total or self.done == self.total:
            self._work = 0
            progress = Progress(self.done, self.total, stage=stage, preview=preview)
            (self.callback or silent)(progress)
            self.cancelled = self.cancelled or progress.cancelled
        return self.cancelled
